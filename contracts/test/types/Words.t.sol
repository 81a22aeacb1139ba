// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Breach, Breaker} from "../../src/ledger/Breaker.sol";
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
            _expectBreach(word, Breach.NONE);
        }
        assertGt(i, 20);
    }

    function test_refusedParamVectors() public view {
        uint256 i = 0;
        for (; vm.keyExistsJson(_json, _at("refusedParams", i, "word")); ++i) {
            ParamWord word = ParamWord.wrap(vm.parseJsonBytes32(_json, _at("refusedParams", i, "word")));
            _expectBreach(word, _breach(vm.parseJsonString(_json, _at("refusedParams", i, "breach"))));
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

    /// @dev External, because the breaker reads calldata.
    function checkParams(
        bytes32[] calldata words
    ) external pure returns (Breach, uint256) {
        return Breaker.checkParams(words);
    }

    /// @dev By both of the breaker's checks, behind a word that is good.
    function _expectBreach(
        ParamWord word,
        Breach expected
    ) private view {
        assertEq(uint256(Breaker.paramBreach(word)), uint256(expected));
        bytes32[] memory words = new bytes32[](2);
        (words[0], words[1]) = (vm.parseJsonBytes32(_json, _at("params", 1, "word")), ParamWord.unwrap(word));
        (Breach breach, uint256 index) = this.checkParams(words);
        assertEq(uint256(breach), uint256(expected));
        assertEq(index, expected == Breach.NONE ? 0 : 1);
    }

    function _breach(
        string memory name
    ) private pure returns (Breach) {
        bytes32 hash = keccak256(bytes(name));
        if (hash == keccak256("PARAM_RESERVED_BITS")) return Breach.PARAM_RESERVED_BITS;
        if (hash == keccak256("VOL_OUT_OF_BOUNDS")) return Breach.VOL_OUT_OF_BOUNDS;
        if (hash == keccak256("DELTA_OUT_OF_BOUNDS")) return Breach.DELTA_OUT_OF_BOUNDS;
        require(hash == keccak256("HEDGE_DELTA_OUT_OF_BOUNDS"), "a vector names an unknown breach");
        return Breach.HEDGE_DELTA_OUT_OF_BOUNDS;
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
