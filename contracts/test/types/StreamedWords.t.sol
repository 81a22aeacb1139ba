// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ForwardWord} from "../../src/types/ForwardWord.sol";
import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {Test} from "forge-std/Test.sol";

/// @dev Ten thousand words of each kind that Python packed, known here by the hash of all: the same fields are drawn
/// from the same hashes, packed by the compiler, read back by the libraries, and hashed.
contract StreamedWordsTest is Test {
    string private _json;
    uint256 private _count;

    function setUp() public {
        _json = vm.readFile("test/vectors/words.json");
        _count = vm.parseJsonUint(_json, ".streamed.count");
    }

    function test_params() public view {
        bytes memory joined = new bytes(32 * _count);
        for (uint256 i = 0; i < _count; ++i) {
            uint256 drawn = _draw("param", i);
            uint24 maintenance = uint24(_bits(drawn, 0, 23));
            WordPacker.Param memory fields = WordPacker.Param({
                iv: uint32(10_000 + _bits(drawn, 24, 24)),
                bsDelta: int24(int256(_bits(drawn, 48, 20))) - 500_000,
                hedgeDelta: int24(int256(_bits(drawn, 72, 23))) - (1 << 22),
                gamma: uint40(_bits(drawn, 96, 40)),
                vega: uint32(_bits(drawn, 136, 32)),
                premium: uint32(_bits(drawn, 168, 32)),
                maintenanceMargin: maintenance,
                initialMargin: maintenance + uint24(_bits(drawn, 200, 20)),
                reserved: 0
            });
            bytes32 packed = WordPacker.param(fields);
            _assertReads(ParamWord.wrap(packed), fields);
            _put(joined, i, packed);
        }
        assertEq(keccak256(joined), vm.parseJsonBytes32(_json, ".streamed.params"));
    }

    function test_forwards() public view {
        bytes memory joined = new bytes(32 * _count);
        for (uint256 i = 0; i < _count; ++i) {
            uint256 drawn = _draw("forward", i);
            uint40 expiry = uint40(1 + _bits(drawn, 0, 39));
            uint96 forward = uint96(1 + _bits(drawn, 40, 95));
            bytes32 packed = WordPacker.forward(expiry, forward);
            assertEq(ForwardWord.wrap(packed).expiry(), expiry);
            assertEq(ForwardWord.wrap(packed).forward(), forward);
            _put(joined, i, packed);
        }
        assertEq(keccak256(joined), vm.parseJsonBytes32(_json, ".streamed.forwards"));
    }

    function test_instruments() public view {
        bytes memory joined = new bytes(32 * _count);
        for (uint256 i = 0; i < _count; ++i) {
            uint256 drawn = _draw("instrument", i);
            uint256 letters = 1 + _bits(drawn, 248, 3);
            bytes12 name = bytes12(0);
            for (uint256 j = 0; j < letters; ++j) {
                name |= bytes12(bytes1(uint8(65 + _bits(drawn, 8 * j, 4)))) >> (8 * j);
            }
            uint8 kind = _bits(drawn, 247, 1) == 1 ? 1 : 2;
            uint40 expiry = uint40(1 + _bits(drawn, 96, 39));
            uint96 strike = uint96(1 + _bits(drawn, 140, 95));
            InstrumentWord packed = WordPacker.instrument(name, kind, expiry, strike);
            assertEq(bytes32(packed.underlying()), bytes32(name));
            assertEq(packed.kind(), kind);
            assertEq(packed.expiry(), expiry);
            assertEq(packed.strike(), strike);
            _put(joined, i, InstrumentWord.unwrap(packed));
        }
        assertEq(keccak256(joined), vm.parseJsonBytes32(_json, ".streamed.instruments"));
    }

    function _assertReads(
        ParamWord word,
        WordPacker.Param memory fields
    ) private pure {
        assertEq(word.iv(), fields.iv);
        assertEq(word.bsDelta(), fields.bsDelta);
        assertEq(word.hedgeDelta(), fields.hedgeDelta);
        assertEq(word.gamma(), fields.gamma);
        assertEq(word.vega(), fields.vega);
        assertEq(word.premium(), fields.premium);
        assertEq(word.maintenanceMargin(), fields.maintenanceMargin);
        assertEq(word.initialMargin(), fields.initialMargin);
        assertEq(word.reserved(), 0);
    }

    function _draw(
        string memory kind,
        uint256 index
    ) private pure returns (uint256) {
        return uint256(sha256(bytes(string.concat(kind, " ", vm.toString(index)))));
    }

    function _bits(
        uint256 value,
        uint256 low,
        uint256 width
    ) private pure returns (uint256) {
        return (value >> low) & ((1 << width) - 1);
    }

    function _put(
        bytes memory joined,
        uint256 index,
        bytes32 word
    ) private pure {
        assembly ("memory-safe") {
            mstore(add(add(joined, 0x20), shl(5, index)), word)
        }
    }
}
