// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {FeedAdapter} from "../../src/consumers/FeedAdapter.sol";
import {Field} from "../../src/consumers/Field.sol";
import {ConsumersFixture} from "./ConsumersFixture.sol";

/// @dev Which rounds there are: while the call is listed, after it is dropped, and as the feed forgets.
contract FeedAdapterRoundsTest is ConsumersFixture {
    FeedAdapter private _call;
    FeedAdapter private _put;

    function setUp() public override {
        super.setUp();
        _call = factory.create(feed, callId, Field.IV);
        _put = factory.create(feed, putId, Field.IV);
    }

    function test_roundsFollowEachOther() public {
        _publishBooks(_books("BBBB"));
        for (uint80 id = 1; id <= 4; ++id) {
            (uint80 roundId, int256 answer,, uint256 updatedAt, uint80 answeredInRound) = _call.getRoundData(id);
            assertEq(roundId, id);
            assertEq(answeredInRound, id);
            assertEq(answer, 650_000);
            assertEq(updatedAt, START + 10 * (id - 1));
        }
        (uint80 latest,,,,) = _call.latestRoundData();
        assertEq(latest, 4);
        assertEq(_call.firstRound(100), 1);
    }

    function test_roundsThatAreNotThere() public {
        _publishBooks(_books("BB"));
        uint80[5] memory ids = [uint80(0), 3, uint80(1) << 32, (uint80(1) << 32) + 1, type(uint80).max];
        for (uint256 i = 0; i < ids.length; ++i) {
            vm.expectRevert(NO_DATA);
            _call.getRoundData(ids[i]);
        }
    }

    function test_anInstrumentListedLaterBeginsLater() public {
        _publishBooks(_books("PPPBBB"));
        assertEq(_call.firstRound(100), 4);
        assertEq(_put.firstRound(100), 1);
        vm.expectRevert(NO_DATA);
        _call.getRoundData(3);
        (uint80 roundId,,,,) = _call.getRoundData(4);
        assertEq(roundId, 4);
    }

    function test_anInstrumentThatIsDroppedHasNoLatestRound() public {
        _publishBooks(_books("BBP"));
        vm.expectRevert(NO_DATA);
        _call.latestRoundData();
        vm.expectRevert(NO_DATA);
        _call.firstRound(100);
        (uint80 roundId,,,,) = _call.getRoundData(2);
        assertEq(roundId, 2);
    }

    function test_listedAgain() public {
        _publishBooks(_books("BBPPBB"));
        assertEq(_call.firstRound(100), 5);
        for (uint80 id = 1; id <= 6; ++id) {
            if (id == 3 || id == 4) vm.expectRevert(NO_DATA);
            _call.getRoundData(id);
        }
        (uint80 latest,,,,) = _call.latestRoundData();
        assertEq(latest, 6);
    }

    function test_theFeedForgets() public {
        _publishBooks(_books("BBBBBBBBBBB"));
        assertEq(_call.firstRound(100), 11 - KEPT + 1);
        vm.expectRevert(NO_DATA);
        _call.getRoundData(uint80(11 - KEPT));
    }

    function test_lookingBackStopsWhereItIsTold() public {
        _publishBooks(_books("BBBBBB"));
        assertEq(_call.firstRound(0), 6);
        assertEq(_call.firstRound(3), 3);
        assertEq(_call.firstRound(5), 1);
        assertEq(_call.firstRound(type(uint256).max), 1);
    }

    /// @dev Any history: exactly the kept rounds whose book lists the call answer, and the last run of them is found.
    function testFuzz_historiesOfListing(
        uint256 seed,
        uint8 length
    ) public {
        uint256 count = bound(length, 1, 20);
        uint256[] memory books = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            books[i] = (seed >> i) & 1 == 1 ? bothBook : putBook;
        }
        _publishBooks(books);
        uint256 first = 0;
        for (uint256 id = count; id > 0 && id + KEPT > count && books[id - 1] == bothBook; --id) {
            first = id;
        }
        if (first == 0) vm.expectRevert(NO_DATA);
        uint256 found = _call.firstRound(count);
        if (first != 0) assertEq(found, first);
        for (uint80 id = 1; id <= count; ++id) {
            if (id + KEPT <= count || books[id - 1] == putBook) vm.expectRevert(NO_DATA);
            _call.getRoundData(id);
        }
    }

    /// @dev B lists both, P the put alone.
    function _books(
        bytes memory letters
    ) private view returns (uint256[] memory books) {
        books = new uint256[](letters.length);
        for (uint256 i = 0; i < letters.length; ++i) {
            books[i] = letters[i] == "B" ? bothBook : putBook;
        }
    }
}
