// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IInstrumentRegistry} from "../../src/interfaces/IInstrumentRegistry.sol";
import {InstrumentRegistry} from "../../src/registry/InstrumentRegistry.sol";
import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {RegistryFixture} from "./RegistryFixture.sol";

/// @dev Instruments and their numbers.
contract InstrumentRegistryTest is RegistryFixture {
    function test_numbersFromOneOn() public {
        InstrumentWord[] memory words = new InstrumentWord[](3);
        words[0] = WordPacker.instrument("BTC", 1, EXPIRY, 1);
        words[1] = WordPacker.instrument("BTC", 2, EXPIRY, 1);
        words[2] = WordPacker.instrument("ETH", 2, EXPIRY, 1);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(address(registry));
            emit IInstrumentRegistry.InstrumentRegistered(i + 1, words[i]);
        }
        uint256[] memory ids = registry.register(words);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(ids[i], i + 1);
            assertEq(registry.idOf(words[i]), i + 1);
            assertEq(_raw(registry.instrument(i + 1)), _raw(words[i]));
        }
    }

    function test_idsAreStable() public {
        InstrumentWord word = _call(EXPIRY, 5);
        assertEq(_registerOne(word), 1);
        vm.recordLogs();
        vm.prank(makeAddr("somebody else"));
        assertEq(_registerOne(word), 1);
        assertEq(vm.getRecordedLogs().length, 0, "nothing new, nothing said");
        assertEq(_registerOne(_call(EXPIRY, 6)), 2, "and no number is skipped");
    }

    function test_onceInACallToo() public {
        InstrumentWord[] memory words = new InstrumentWord[](4);
        (words[0], words[1], words[2]) = (_call(EXPIRY, 5), _call(EXPIRY, 6), _call(EXPIRY, 5));
        words[3] = _call(EXPIRY, 7);
        uint256[] memory ids = registry.register(words);
        assertEq(abi.encode(ids), abi.encode(_four(1, 2, 1, 3)));
    }

    function test_noWordsNoNumbers() public {
        assertEq(registry.register(new InstrumentWord[](0)).length, 0);
        assertEq(_registerOne(_call(EXPIRY, 1)), 1);
    }

    function test_whatIsNoInstrument() public {
        _refuses(WordPacker.instrument(bytes12(0), 1, EXPIRY, 1));
        _refuses(WordPacker.instrument("BTC", 0, EXPIRY, 1));
        _refuses(WordPacker.instrument("BTC", 3, EXPIRY, 1));
        _refuses(WordPacker.instrument("BTC", 0xff, EXPIRY, 1));
        _refuses(WordPacker.instrument("BTC", 1, 0, 1));
        _refuses(WordPacker.instrument("BTC", 1, EXPIRY, 0));
        _refuses(InstrumentWord.wrap(bytes32(0)));
        for (uint256 bit = 0; bit < 16; ++bit) {
            _refuses(InstrumentWord.wrap(InstrumentWord.unwrap(_call(EXPIRY, 1)) | bytes32(uint256(1) << bit)));
        }
    }

    function test_theExtremesAreInstruments() public {
        assertEq(_registerOne(WordPacker.instrument(bytes12(uint96(1)), 1, 1, 1)), 1);
        assertEq(
            _registerOne(WordPacker.instrument(bytes12(type(uint96).max), 2, type(uint40).max, type(uint96).max)), 2
        );
    }

    /// @dev A refusal undoes the whole call, also what stood before it.
    function test_aRefusalNamesItsPlaceAndUndoesTheRest() public {
        InstrumentWord[] memory words = new InstrumentWord[](3);
        (words[0], words[1]) = (_call(EXPIRY, 1), _call(EXPIRY, 0));
        words[2] = _call(EXPIRY, 2);
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.NotAnInstrument.selector, 1, words[1]));
        registry.register(words);
        assertEq(registry.idOf(words[0]), 0);
        _unknown(1);
    }

    function test_unknownNumbers() public {
        _unknown(0);
        _unknown(1);
        _registerOne(_call(EXPIRY, 1));
        _unknown(2);
        _unknown(type(uint256).max);
        assertEq(registry.idOf(_call(EXPIRY, 2)), 0);
        assertEq(registry.idOf(InstrumentWord.wrap(bytes32(0))), 0, "an empty word never has a number");
    }

    /// @dev Against a list that is searched from its start.
    function testFuzz_asANaiveListWould(
        uint256 seed,
        uint8 calls
    ) public {
        InstrumentWord[] memory list = new InstrumentWord[](64);
        uint256 count = 0;
        for (uint256 call = 0; call < 1 + calls % 8; ++call) {
            InstrumentWord[] memory words = new InstrumentWord[](1 + seed % 8);
            uint256[] memory expected = new uint256[](words.length);
            for (uint256 i = 0; i < words.length; ++i) {
                seed = uint256(keccak256(abi.encode(seed)));
                // Few strikes, so that many come again.
                words[i] = WordPacker.instrument("BTC", uint8(1 + seed % 2), EXPIRY, uint96(1 + (seed >> 8) % 20));
                for (uint256 k = 0; k < count && expected[i] == 0; ++k) {
                    if (_raw(list[k]) == _raw(words[i])) expected[i] = k + 1;
                }
                if (expected[i] == 0) {
                    list[count] = words[i];
                    expected[i] = ++count;
                }
            }
            assertEq(registry.register(words), expected);
        }
        for (uint256 k = 0; k < count; ++k) {
            assertEq(_raw(registry.instrument(k + 1)), _raw(list[k]));
        }
        _unknown(count + 1);
    }

    function testFuzz_anyWordIsTakenJustIfItIsAnInstrument(
        bytes32 raw,
        uint8 kind
    ) public {
        // A random kind is hardly ever one of the two.
        raw = (raw & ~(bytes32(uint256(0xff)) << 152)) | (bytes32(uint256(kind % 4)) << 152);
        if (uint256(raw) & 1 == 0) raw = (raw >> 16) << 16;
        InstrumentWord word = InstrumentWord.wrap(raw);
        bool valid = bytes12(raw) != 0 && (kind % 4 == 1 || kind % 4 == 2) && uint40(uint256(raw) >> 112) != 0
            && uint96(uint256(raw) >> 16) != 0 && uint16(uint256(raw)) == 0;
        if (!valid) {
            vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.NotAnInstrument.selector, 0, word));
        }
        registry.register(_only(word));
        assertEq(registry.idOf(word), valid ? 1 : 0);
    }

    function _refuses(
        InstrumentWord word
    ) private {
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.NotAnInstrument.selector, 0, word));
        registry.register(_only(word));
    }

    function _raw(
        InstrumentWord word
    ) private pure returns (bytes32) {
        return InstrumentWord.unwrap(word);
    }

    function _unknown(
        uint256 id
    ) private {
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.UnknownInstrument.selector, id));
        registry.instrument(id);
    }

    function _four(
        uint256 a,
        uint256 b,
        uint256 c,
        uint256 d
    ) private pure returns (uint256[] memory ids) {
        ids = new uint256[](4);
        (ids[0], ids[1], ids[2], ids[3]) = (a, b, c, d);
    }
}
