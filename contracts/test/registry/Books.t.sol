// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IInstrumentRegistry} from "../../src/interfaces/IInstrumentRegistry.sol";
import {InstrumentRegistry} from "../../src/registry/InstrumentRegistry.sol";
import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {RegistryFixture} from "./RegistryFixture.sol";

/// @dev Books, and where their instruments stand.
contract BooksTest is RegistryFixture {
    function test_aBook() public {
        (uint256[] memory ids, InstrumentWord[] memory words) = _registerCalls(3);
        bytes32 book = WordPacker.book(words);
        assertEq(registry.bookIdOf(book), 0);
        vm.expectEmit(address(registry));
        emit IInstrumentRegistry.BookRegistered(1, book, 3);
        assertEq(registry.registerBook(ids), 1);
        assertEq(registry.bookIdOf(book), 1);
        InstrumentRegistry.Book memory kept = registry.bookOf(book);
        assertEq(kept.id, 1);
        assertEq(kept.instruments, 3);
        assertEq(kept.expiries, 1);
    }

    function test_againGivesTheSameNumber() public {
        (uint256[] memory ids,) = _registerCalls(3);
        registry.registerBook(ids);
        vm.recordLogs();
        vm.prank(makeAddr("somebody else"));
        assertEq(registry.registerBook(ids), 1);
        assertEq(vm.getRecordedLogs().length, 0);
        // Another order is another book: reports have their words in it.
        (ids[0], ids[1]) = (ids[1], ids[0]);
        assertEq(registry.registerBook(ids), 2);
        (, uint256 index,) = registry.position(2, ids[0]);
        assertEq(index, 0);
        (, index,) = registry.position(1, ids[0]);
        assertEq(index, 1, "the first book is as it was");
    }

    function test_sizes() public {
        uint256[] memory none = new uint256[](0);
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.BookSizeOutOfRange.selector, 0, 1024));
        registry.registerBook(none);
        (uint256[] memory ids,) = _registerCalls(1025);
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.BookSizeOutOfRange.selector, 1025, 1024));
        registry.registerBook(ids);
        ids = _firstOf(ids, 1024);
        assertEq(registry.registerBook(ids), 1);
        (bool found, uint256 index, uint256 expiryIndex) = registry.position(1, ids[1023]);
        assertTrue(found);
        assertEq(index, 1023);
        assertEq(expiryIndex, 0);
    }

    function test_expiries() public {
        uint256[] memory ids = new uint256[](64);
        for (uint256 i = 0; i < 64; ++i) {
            ids[i] = _registerOne(_call(uint40(EXPIRY + i), 1));
        }
        registry.registerBook(ids);
        for (uint256 i = 0; i < 64; ++i) {
            (bool found, uint256 index, uint256 expiryIndex) = registry.position(1, ids[i]);
            assertTrue(found && index == i && expiryIndex == i);
        }

        uint256[] memory more = new uint256[](65);
        for (uint256 i = 0; i < 64; ++i) {
            more[i] = ids[i];
        }
        more[64] = _registerOne(_call(uint40(EXPIRY + 64), 1));
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.TooManyExpiries.selector, 64));
        registry.registerBook(more);
        // A 65th instrument of the last expiry is no 65th expiry.
        more[64] = _registerOne(_call(uint40(EXPIRY + 63), 2));
        assertEq(registry.registerBook(more), 2);
    }

    function test_expiriesAscend() public {
        uint256[] memory ids = new uint256[](3);
        ids[0] = _registerOne(_call(EXPIRY, 1));
        ids[1] = _registerOne(_call(EXPIRY + 2, 1));
        ids[2] = _registerOne(_call(EXPIRY + 1, 1));
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.ExpiriesNotAscending.selector, 2, ids[2]));
        registry.registerBook(ids);
        // Nor may an expiry come back.
        ids[2] = _registerOne(_call(EXPIRY, 2));
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.ExpiriesNotAscending.selector, 2, ids[2]));
        registry.registerBook(ids);
    }

    function test_oneUnderlying() public {
        uint256[] memory ids = new uint256[](2);
        ids[0] = _registerOne(_call(EXPIRY, 1));
        ids[1] = _registerOne(WordPacker.instrument("ETH", 1, EXPIRY, 2));
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.OtherUnderlying.selector, 1, ids[1]));
        registry.registerBook(ids);
    }

    function test_noInstrumentTwice() public {
        (uint256[] memory ids,) = _registerCalls(12);
        ids[11] = ids[2];
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.InstrumentTwice.selector, 11, ids[2]));
        registry.registerBook(ids);
        (bool found,,) = registry.position(1, ids[0]);
        assertFalse(found, "a refused book leaves nothing behind");
        ids[11] = 12;
        assertEq(registry.registerBook(ids), 1);
    }

    function test_unknownInstruments() public {
        (uint256[] memory ids,) = _registerCalls(2);
        ids[1] = 3;
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.UnknownInstrument.selector, 3));
        registry.registerBook(ids);
        ids[1] = 0;
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.UnknownInstrument.selector, 0));
        registry.registerBook(ids);
    }

    function test_noMoreBooksThanAHeaderCanName() public {
        (uint256[] memory ids,) = _registerCalls(2);
        // The second slot: how many books there are.
        vm.store(address(registry), bytes32(uint256(1)), bytes32(uint256((1 << 28) - 2)));
        assertEq(registry.registerBook(ids), (1 << 28) - 1);
        (ids[0], ids[1]) = (ids[1], ids[0]);
        vm.expectRevert(abi.encodeWithSelector(InstrumentRegistry.TooManyBooks.selector, (1 << 28) - 1));
        registry.registerBook(ids);
        (ids[0], ids[1]) = (ids[1], ids[0]);
        assertEq(registry.registerBook(ids), (1 << 28) - 1, "known ones are still known");
    }

    /// @dev Places lie eight to a slot: what stands in a group must not be read for its neighbours.
    function test_groupBoundaries() public {
        _registerCalls(40);
        uint256[] memory ids = new uint256[](5);
        (ids[0], ids[1], ids[2], ids[3], ids[4]) = (7, 8, 15, 16, 31);
        registry.registerBook(ids);
        for (uint256 id = 0; id < 48; ++id) {
            (bool found, uint256 index,) = registry.position(1, id);
            bool listed = id == 7 || id == 8 || id == 15 || id == 16 || id == 31;
            assertEq(found, listed, vm.toString(id));
            if (listed) assertEq(ids[index], id);
            else assertEq(index, 0);
        }
    }

    function test_noPlaceInOtherBooks() public {
        (uint256[] memory ids,) = _registerCalls(2);
        registry.registerBook(ids);
        uint256[3] memory others = [uint256(0), 2, type(uint256).max];
        for (uint256 i = 0; i < others.length; ++i) {
            (bool found,,) = registry.position(others[i], ids[0]);
            assertFalse(found);
        }
        (bool wide,,) = registry.position(1, type(uint256).max);
        assertFalse(wide);
    }

    /// @dev The digest of a book's expiries is the one of the forward words that fit it, whatever the forwards are.
    function testFuzz_forwardsOfTheBooksExpiries(
        uint256 seed,
        uint8 count
    ) public {
        count = uint8(bound(count, 1, 64));
        uint256[] memory ids = new uint256[](count);
        InstrumentWord[] memory words = new InstrumentWord[](count);
        bytes32[] memory forwards = new bytes32[](count);
        uint40 expiry = 1;
        for (uint256 i = 0; i < count; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            expiry += uint40(1 + seed % 1e7);
            words[i] = _call(expiry, 1 + (seed >> 128) % 1e12);
            ids[i] = _registerOne(words[i]);
            forwards[i] = WordPacker.forward(expiry, uint96(seed));
        }
        registry.registerBook(ids);
        uint200 digest = registry.bookOf(WordPacker.book(words)).expiriesDigest;
        assertEq(registry.expiriesDigest(forwards), digest);
        uint256 other = seed % count;
        forwards[other] = WordPacker.forward(words[other].expiry() + 1, 1);
        assertNotEq(registry.expiriesDigest(forwards), digest);
    }

    /// @dev Any subset of the instruments in any order within an expiry, against the list itself.
    function testFuzz_positionsAsANaiveListWould(
        uint256 seed
    ) public {
        uint256[] memory ids = _shuffled(seed);
        uint256 bookId = registry.registerBook(ids);
        for (uint256 id = 1; id <= 60; ++id) {
            uint256 place = 0;
            while (place < ids.length && ids[place] != id) ++place;
            uint256 expiries = 0;
            for (uint256 i = 1; i <= place && place < ids.length; ++i) {
                if (registry.instrument(ids[i]).expiry() != registry.instrument(ids[i - 1]).expiry()) ++expiries;
            }
            (bool found, uint256 index, uint256 expiryIndex) = registry.position(bookId, id);
            assertEq(found, place < ids.length);
            assertEq(index, found ? place : 0);
            assertEq(expiryIndex, expiries);
        }
    }

    /// @dev Sixty instruments of five expiries, registered in an order of their own; a part of them, by expiry.
    function _shuffled(
        uint256 seed
    ) private returns (uint256[] memory ids) {
        InstrumentWord[] memory words = new InstrumentWord[](60);
        for (uint256 i = 0; i < 60; ++i) {
            words[i] = _call(uint40(EXPIRY + i / 12), i + 1);
        }
        for (uint256 i = 59; i > 0; --i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 k = seed % (i + 1);
            (words[i], words[k]) = (words[k], words[i]);
        }
        registry.register(words);
        ids = new uint256[](60);
        uint256 count = 0;
        for (uint256 expiry = EXPIRY; expiry < EXPIRY + 5; ++expiry) {
            for (uint256 i = 0; i < 60; ++i) {
                seed = uint256(keccak256(abi.encode(seed)));
                bool last = expiry == EXPIRY + 4 && i == 59 && count == 0;
                if (words[i].expiry() == expiry && (seed % 3 != 0 || last)) ids[count++] = i + 1;
            }
        }
        ids = _firstOf(ids, count);
    }

    function _firstOf(
        uint256[] memory list,
        uint256 count
    ) private pure returns (uint256[] memory first) {
        first = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            first[i] = list[i];
        }
    }
}
