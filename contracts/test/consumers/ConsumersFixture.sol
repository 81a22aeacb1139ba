// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {FeedAdapter} from "../../src/consumers/FeedAdapter.sol";
import {FeedAdapterFactory} from "../../src/consumers/FeedAdapterFactory.sol";
import {Field} from "../../src/consumers/Field.sol";
import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {MockFeed} from "./MockFeed.sol";
import {Test} from "forge-std/Test.sol";

/// @dev A feed with two books: the first lists a call and a put, the second the put alone.
abstract contract ConsumersFixture is Test {
    uint64 internal constant START = 1_767_254_400;
    // 28 March 2027, 08:00 UTC.
    uint40 internal constant EXPIRY = 1_806_220_800;
    uint64 internal constant VALIDITY = 1800;
    uint256 internal constant WINDOW = 120;
    uint256 internal constant KEPT = 8;
    uint96 internal constant FORWARD = 91_234.56789012e8;
    bytes internal constant NO_DATA = "No data present";

    MockFeed internal feed;
    FeedAdapterFactory internal factory;
    uint256 internal callId;
    uint256 internal putId;
    uint256 internal bothBook;
    uint256 internal putBook;
    uint64 internal round;

    function setUp() public virtual {
        vm.warp(START);
        feed = new MockFeed(KEPT, WINDOW);
        factory = new FeedAdapterFactory();
        InstrumentWord[] memory words = new InstrumentWord[](2);
        words[0] = _instrument("BTC", 1, EXPIRY, 90_000e8);
        words[1] = _instrument("BTC", 2, EXPIRY, 90_000e8);
        uint256[] memory ids = feed.register(words);
        (callId, putId) = (ids[0], ids[1]);
        bothBook = feed.registerBook(ids);
        uint256[] memory putAlone = new uint256[](1);
        putAlone[0] = putId;
        putBook = feed.registerBook(putAlone);
    }

    function _instrument(
        bytes12 underlying,
        uint8 kind,
        uint40 expiry,
        uint96 strike
    ) internal pure returns (InstrumentWord) {
        return InstrumentWord.wrap(bytes32(abi.encodePacked(underlying, kind, expiry, strike, uint16(0))));
    }

    function _fields() internal pure returns (WordPacker.Param memory) {
        return WordPacker.Param({
            iv: 650_000,
            bsDelta: 512_345,
            hedgeDelta: 498_765,
            gamma: 1_234_567,
            vega: 12_345_678,
            premium: 4_567_890,
            maintenanceMargin: 150_000,
            initialMargin: 200_000,
            reserved: 0
        });
    }

    /// @dev Of this moment; the put's params are the call's.
    function _publish(
        WordPacker.Param memory fields
    ) internal returns (uint256) {
        return _publish(bothBook, fields, uint64(block.timestamp));
    }

    function _publish(
        uint256 bookId,
        WordPacker.Param memory fields,
        uint64 observedAt
    ) internal returns (uint256) {
        bytes32[] memory params = new bytes32[](bookId == bothBook ? 2 : 1);
        for (uint256 i = 0; i < params.length; ++i) {
            params[i] = WordPacker.param(fields);
        }
        bytes32[] memory forwards = new bytes32[](1);
        forwards[0] = WordPacker.forward(EXPIRY, FORWARD);
        round += 3;
        return feed.publish(bookId, round, observedAt, observedAt + VALIDITY, forwards, params);
    }

    function _publishFinal(
        WordPacker.Param memory fields
    ) internal returns (uint256 sequence) {
        sequence = _publish(fields);
        skip(WINDOW);
    }

    /// @dev Final reports, as many as `books`, each about the book of its place.
    function _publishBooks(
        uint256[] memory books
    ) internal {
        for (uint256 i = 0; i < books.length; ++i) {
            _publish(books[i], _fields(), uint64(block.timestamp));
            skip(10);
        }
        skip(WINDOW);
    }

    function _adapter(
        Field field
    ) internal returns (FeedAdapter) {
        return factory.create(feed, callId, field);
    }
}
