// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Config, ReportBounds} from "../../src/ReportBounds.sol";
import {ForwardWord} from "../../src/types/ForwardWord.sol";
import {InstrumentWord, InstrumentWordLibrary} from "../../src/types/InstrumentWord.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {Test} from "forge-std/Test.sol";

/// @dev Words that Python packed, field by field, and the compiler's own packing under fuzzing.
contract WordsTest is Test {
    string private _json;

    function setUp() public {
        _json = vm.readFile("test/vectors/words.json");
    }

    function test_paramVectors() public view {
        uint256 i = 0;
        for (; vm.keyExistsJson(_json, _at("params", i, "word")); ++i) {
            ParamWord word = ParamWord.wrap(vm.parseJsonBytes32(_json, _at("params", i, "word")));
            assertEq(word.iv(), _uint("params", i, "iv"));
            assertEq(word.bsDelta(), _int("params", i, "bsDelta"));
            assertEq(word.hedgeDelta(), _int("params", i, "hedgeDelta"));
            assertEq(word.gamma(), _uint("params", i, "gamma"));
            assertEq(word.vega(), _uint("params", i, "vega"));
            assertEq(word.premium(), _uint("params", i, "premium"));
            assertEq(word.maintenanceMargin(), _uint("params", i, "maintenanceMargin"));
            assertEq(word.initialMargin(), _uint("params", i, "initialMargin"));
            assertEq(word.reserved(), 0);
            this.checkParam(word);
        }
        assertGt(i, 20);
    }

    function test_refusedParamVectors() public {
        uint256 i = 0;
        for (; vm.keyExistsJson(_json, _at("refusedParams", i, "word")); ++i) {
            ParamWord word = ParamWord.wrap(vm.parseJsonBytes32(_json, _at("refusedParams", i, "word")));
            string memory name = vm.parseJsonString(_json, _at("refusedParams", i, "error"));
            vm.expectPartialRevert(_selector(name));
            this.checkParam(word);
        }
        assertGt(i, 5);
    }

    function test_forwardVectors() public view {
        uint256 i = 0;
        for (; vm.keyExistsJson(_json, _at("forwards", i, "word")); ++i) {
            ForwardWord word = ForwardWord.wrap(vm.parseJsonBytes32(_json, _at("forwards", i, "word")));
            assertEq(word.expiry(), _uint("forwards", i, "expiry"));
            assertEq(word.forward(), _uint("forwards", i, "forward"));
            assertEq(word.reserved(), 0);
        }
        assertGt(i, 3);
    }

    function test_instrumentVectors() public view {
        uint256 i = 0;
        for (; vm.keyExistsJson(_json, _at("instruments", i, "word")); ++i) {
            InstrumentWord word = InstrumentWord.wrap(vm.parseJsonBytes32(_json, _at("instruments", i, "word")));
            bytes memory underlying = bytes(vm.parseJsonString(_json, _at("instruments", i, "underlying")));
            assertEq(bytes32(word.underlying()), bytes32(underlying));
            assertEq(
                word.kind(),
                _uint("instruments", i, "call") == 1 ? InstrumentWordLibrary.CALL : InstrumentWordLibrary.PUT
            );
            assertEq(word.expiry(), _uint("instruments", i, "expiry"));
            assertEq(word.strike(), _uint("instruments", i, "strike"));
            assertEq(word.reserved(), 0);
        }
        assertGt(i, 20);
    }

    function test_bookVector() public view {
        bytes32[] memory words = vm.parseJsonBytes32Array(_json, ".bookWords");
        InstrumentWord[] memory book = new InstrumentWord[](words.length);
        for (uint256 i = 0; i < words.length; ++i) {
            book[i] = InstrumentWord.wrap(words[i]);
        }
        assertEq(InstrumentWordLibrary.bookHash(book), vm.parseJsonBytes32(_json, ".book"));
    }

    function testFuzz_paramFields(
        WordPacker.Param memory fields
    ) public pure {
        ParamWord word = ParamWord.wrap(WordPacker.param(fields));
        assertEq(word.iv(), fields.iv);
        assertEq(word.bsDelta(), fields.bsDelta);
        assertEq(word.hedgeDelta(), fields.hedgeDelta);
        assertEq(word.gamma(), fields.gamma);
        assertEq(word.vega(), fields.vega);
        assertEq(word.premium(), fields.premium);
        assertEq(word.maintenanceMargin(), fields.maintenanceMargin);
        assertEq(word.initialMargin(), fields.initialMargin);
        assertEq(word.reserved(), fields.reserved);
    }

    function testFuzz_forwardFields(
        uint120 reserved,
        uint40 expiry,
        uint96 forward
    ) public pure {
        ForwardWord word = ForwardWord.wrap(bytes32(abi.encodePacked(reserved, expiry, forward)));
        assertEq(word.reserved(), reserved);
        assertEq(word.expiry(), expiry);
        assertEq(word.forward(), forward);
    }

    function testFuzz_instrumentFields(
        bytes12 underlying,
        uint8 kind,
        uint40 expiry,
        uint96 strike,
        uint16 reserved
    ) public pure {
        InstrumentWord word =
            InstrumentWord.wrap(bytes32(abi.encodePacked(underlying, kind, expiry, strike, reserved)));
        assertEq(bytes32(word.underlying()), bytes32(underlying));
        assertEq(word.kind(), kind);
        assertEq(word.expiry(), expiry);
        assertEq(word.strike(), strike);
        assertEq(word.reserved(), reserved);
    }

    /// @dev External, so that a refusal is a call's and can be expected. The widest configuration there is.
    function checkParam(
        ParamWord word
    ) external pure {
        Config memory widest;
        (widest.minVol, widest.maxVol, widest.maxHedgeDelta) = (1, type(uint32).max, uint24(1 << 23));
        ReportBounds.checkParam(word, 0, ReportBounds.limitsOf(widest));
    }

    function _selector(
        string memory name
    ) private pure returns (bytes4) {
        bytes32 hash = keccak256(bytes(name));
        if (hash == keccak256("ParamReservedBits")) return ReportBounds.ParamReservedBits.selector;
        if (hash == keccak256("VolOutOfBounds")) return ReportBounds.VolOutOfBounds.selector;
        if (hash == keccak256("DeltaOutOfBounds")) return ReportBounds.DeltaOutOfBounds.selector;
        require(hash == keccak256("MarginsInconsistent"), "a vector names an unknown error");
        return ReportBounds.MarginsInconsistent.selector;
    }

    function _at(
        string memory list,
        uint256 index,
        string memory key
    ) private pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(index), "].", key);
    }

    function _uint(
        string memory list,
        uint256 index,
        string memory key
    ) private view returns (uint256) {
        return vm.parseJsonUint(_json, _at(list, index, key));
    }

    function _int(
        string memory list,
        uint256 index,
        string memory key
    ) private view returns (int256) {
        return vm.parseJsonInt(_json, _at(list, index, key));
    }
}
