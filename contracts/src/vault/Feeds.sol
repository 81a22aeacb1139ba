// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IHedgeFeed, Reading} from "../interfaces/IHedgeFeed.sol";
import {InstrumentWord} from "../types/InstrumentWord.sol";
import {ParamWordLibrary} from "../types/ParamWord.sol";
import {MarginMath} from "./MarginMath.sol";
import {Mark, PositionKey, Quote} from "./VaultTypes.sol";

/// @title What the vault knows of instruments: the feeds' readings, and the last of them that it has seen
/// @notice A feed is asked about an instrument only for an account that is short of it, so that no feed can stand in
/// the way of an account that does not use it.
/// @dev The feeds are contracts that whoever deploys the vault has read; their code is trusted to answer in bounded
/// gas, their members are not trusted with anything but their reports.
abstract contract Feeds {
    /// @notice No vault has more feeds
    uint256 public constant FEEDS_LIMIT = 8;

    uint256 private immutable _FEED_COUNT;

    address[FEEDS_LIMIT] private _feeds;
    // Place in `_feeds` plus one
    mapping(address feed => uint256) private _feedNumber;
    // Copied at the first trade: settlement must not depend on a feed that answers
    mapping(PositionKey key => InstrumentWord) private _words;
    mapping(PositionKey key => Mark) private _marks;

    event MarketCreated(PositionKey indexed key, address indexed feed, InstrumentWord word);
    event MarkMoved(PositionKey indexed key, uint96 forward, uint32 premium, uint40 observedAt);

    error FeedCountOutOfBounds(uint256 count);
    error FeedWithoutCode(address feed);
    error FeedDuplicate(address feed);
    error FeedUnknown(address feed);
    error MarketUnknown(PositionKey key);
    error ReadingNotFresh(PositionKey key);
    error MarkNotNewer(PositionKey key, uint256 observedAt, uint256 current);

    constructor(
        address[] memory feeds_
    ) {
        uint256 count = feeds_.length;
        if (count == 0 || count > FEEDS_LIMIT) revert FeedCountOutOfBounds(count);
        for (uint256 i = 0; i < count; ++i) {
            address feed = feeds_[i];
            if (feed.code.length == 0) revert FeedWithoutCode(feed);
            if (_feedNumber[feed] != 0) revert FeedDuplicate(feed);
            _feeds[i] = feed;
            _feedNumber[feed] = i + 1;
        }
        _FEED_COUNT = count;
    }

    /// @notice Lets the vault remember a final reading that is newer than the one it has seen. Anyone may call it, and
    /// whoever holds an instrument that is about to leave the books should.
    /// @param key An instrument that has been traded here
    /// @param sequence The report
    function poke(
        PositionKey key,
        uint256 sequence
    ) external {
        _requireMarket(key);
        Reading memory reading = IHedgeFeed(_feedOf(key)).readingAt(key.instrument(), sequence);
        uint256 current = _marks[key].observedAt;
        if (reading.observedAt <= current) revert MarkNotNewer(key, reading.observedAt, current);
        _remember(key, _quoteFrom(key, reading));
    }

    /// @notice The feeds, in the order in which keys number them
    function feeds() external view returns (address[] memory list) {
        list = new address[](_FEED_COUNT);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = _feeds[i];
        }
    }

    /// @notice The last reading that the vault has seen
    function markOf(
        PositionKey key
    ) external view returns (Mark memory) {
        return _marks[key];
    }

    /// @notice The key of a feed's instrument; reverts where the feed is not the vault's
    function keyOf(
        address feed,
        uint64 instrument
    ) public view returns (PositionKey) {
        uint256 number = _feedNumber[feed];
        if (number == 0) revert FeedUnknown(feed);
        return PositionKey.wrap(uint72(((number - 1) << 64) | instrument));
    }

    /// @dev Copies the instrument where it is new.
    function _admit(
        PositionKey key
    ) internal returns (InstrumentWord word) {
        word = _words[key];
        if (InstrumentWord.unwrap(word) == bytes32(0)) {
            address feed = _feedOf(key);
            word = IHedgeFeed(feed).instrument(key.instrument());
            _words[key] = word;
            emit MarketCreated(key, feed, word);
        }
    }

    /// @dev Margins that the consortium did not compute leave the last ones that it did.
    function _remember(
        PositionKey key,
        Quote memory quote
    ) internal {
        Mark storage mark = _marks[key];
        if (quote.observedAt <= mark.observedAt) return;
        mark.forward = uint96(quote.forward);
        mark.premium = uint32(quote.premium);
        mark.observedAt = uint40(quote.observedAt);
        if (!quote.marginAbsent) {
            mark.maintenance = uint24(quote.maintenance);
            mark.initial = uint24(quote.initial);
        }
        emit MarkMoved(key, uint96(quote.forward), uint32(quote.premium), uint40(quote.observedAt));
    }

    function _requireMarket(
        PositionKey key
    ) internal view returns (InstrumentWord word) {
        word = _words[key];
        if (InstrumentWord.unwrap(word) == bytes32(0)) revert MarketUnknown(key);
    }

    function _markOf(
        PositionKey key
    ) internal view returns (Mark memory) {
        return _marks[key];
    }

    function _feedOf(
        PositionKey key
    ) internal view returns (address) {
        return _feeds[key.feedIndex()];
    }

    /// @dev The latest final reading, fresh or not; where the feed has none, the mark, which is not fresh.
    ///
    /// A caller cannot choose the mark by giving so little gas that the feed's answer fails: after a failed call one
    /// part in 63 of what the call had is left, so less than 2,000 where an answer costs less than 100,000, and with
    /// that nothing is stored.
    function _quote(
        PositionKey key
    ) internal view returns (Quote memory quote) {
        IHedgeFeed feed = IHedgeFeed(_feedOf(key));
        try feed.reading(key.instrument()) returns (Reading memory reading) {
            quote = _quoteFrom(key, reading);
            quote.fresh = block.timestamp <= reading.validUntil && _isLive(feed);
        } catch {
            Mark memory mark = _marks[key];
            quote.forward = mark.forward;
            quote.premium = mark.premium;
            quote.maintenance = mark.maintenance;
            // Silent for good, as after an expiry: what it may have become is anybody's guess.
            quote.initial = MarginMath.WHOLE_FORWARD;
            quote.observedAt = mark.observedAt;
        }
    }

    function _freshQuote(
        PositionKey key
    ) internal view returns (Quote memory quote) {
        quote = _quote(key);
        if (!quote.fresh) revert ReadingNotFresh(key);
    }

    /// @dev An initial margin that was not computed counts as the whole forward: nobody may rely on it to take
    /// anything out. A maintenance margin counts as the last one that was: its absence alone is no reason to
    /// liquidate.
    function _quoteFrom(
        PositionKey key,
        Reading memory reading
    ) private view returns (Quote memory quote) {
        quote.forward = reading.forward;
        quote.premium = reading.param.premium();
        quote.maintenance = reading.param.maintenanceMargin();
        quote.initial = reading.param.initialMargin();
        quote.observedAt = reading.observedAt;
        if (quote.maintenance == ParamWordLibrary.MARGIN_ABSENT || quote.initial == ParamWordLibrary.MARGIN_ABSENT) {
            quote.marginAbsent = true;
            quote.maintenance = _marks[key].maintenance;
            quote.initial = MarginMath.WHOLE_FORWARD;
        }
        if (quote.initial < quote.maintenance) quote.initial = quote.maintenance;
        if (quote.initial < MarginMath.LEAST_INITIAL) quote.initial = MarginMath.LEAST_INITIAL;
    }

    /// @dev A feed that cannot say that it is live is not.
    function _isLive(
        IHedgeFeed feed
    ) private view returns (bool) {
        try feed.isLive() returns (bool live) {
            return live;
        } catch {
            return false;
        }
    }
}
