// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AggregatorV3Interface} from "../interfaces/AggregatorV3Interface.sol";
import {IHedgeFeed, Reading} from "../interfaces/IHedgeFeed.sol";
import {Field} from "./Field.sol";
import {InstrumentName} from "./InstrumentName.sol";
import {LibClone} from "solady/utils/LibClone.sol";

/// @title One field of one instrument, read as a Chainlink price feed is read
/// @notice For protocols that know Chainlink's interface; whoever can should read {IHedgeFeed} itself, which also says
/// until when a report may be relied on. Nothing here is stored and nobody owns it: every answer is taken from the
/// feed when asked.
///
/// *What is refused.* Chainlink's tuple can say that a number is old, but not that it is distrusted. So
/// {latestRoundData} gives the last final answer with its true time, however old, for the caller to hold against a
/// heartbeat; and reverts while the feed takes no reports (paused, stopped by a proof of fraud, or flagged by the
/// breaker), because an answer that became final a minute before would pass every heartbeat. {latestAnswer} cannot say
/// even the age, so it also reverts once the report has expired. {getRoundData} is history and stays readable
/// throughout. The heartbeat to check is the feed's report validity, and never above it; a report is already one
/// challenge window old when it becomes final.
///
/// *Rounds.* A round id is the feed's number of the stored report. The ids of one listing follow each other without a
/// gap, but need not begin with 1: see {firstRound}. Where a book drops the instrument and lists it again later, the
/// rounds between do not exist here; closing that gap would take a write per instrument and report, or give one report
/// two numbers. Rounds that the feed no longer keeps revert like rounds that never were.
///
/// *Time.* startedAt and updatedAt are the market data's time, and not the later one of its acceptance, which would
/// make it look fresher than it is. Where the market's clock runs ahead of the chain's, the time of acceptance is the
/// lesser: like Chainlink's, these times never lie in the future, where `block.timestamp - updatedAt` would underflow.
///
/// *Trust.* An adapter is as good as its {feed}; anyone can make one for a feed of their own, with the same
/// description.
/// @dev Behind a clone of Solady's LibClone with 32 bytes of immutable arguments, made by {FeedAdapterFactory}. The
/// implementation itself has none and answers nothing.
contract FeedAdapter is AggregatorV3Interface {
    /// @inheritdoc AggregatorV3Interface
    // solhint-disable-next-line const-name-snakecase
    uint256 public constant version = 1;

    /// @dev Chainlink's own words, as a string where a custom error would be cheaper: consumers written for Chainlink
    /// have `catch Error(string memory)`, which no custom error reaches.
    string private constant _NO_DATA = "No data present";

    /// @inheritdoc AggregatorV3Interface
    /// @dev Reverts with "No data present" where the feed has no final reading, is not live, or the answer was not
    /// computed.
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (Reading memory reading, int256 value) = _latest();
        return _round(reading, value);
    }

    /// @notice The latest answer, for consumers of Chainlink's older interface.
    /// @dev Reverts where {latestRoundData} does, and after the report's validity.
    function latestAnswer() external view returns (int256) {
        (Reading memory reading, int256 value) = _latest();
        _requireData(block.timestamp <= reading.validUntil);
        return value;
    }

    /// @inheritdoc AggregatorV3Interface
    /// @dev Reverts with "No data present" where the feed has no such final report, does not keep it, or it lacks the
    /// answer.
    function getRoundData(
        uint80 roundId_
    )
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (IHedgeFeed source, uint256 id, Field what) = _arguments();
        (bool present, Reading memory reading, int256 value) = _at(source, id, what, roundId_);
        _requireData(present);
        return _round(reading, value);
    }

    /// @notice The first of the rounds without a gap that end with the feed's latest, looking back over at most
    /// `lookBack`.
    /// @dev For callers off the chain: it reads one report after the other. Reverts with "No data present" where the
    /// latest report has no answer.
    /// @param lookBack How many rounds before the latest to try; the result is the latest less this where all have an
    /// answer
    function firstRound(
        uint256 lookBack
    ) external view returns (uint80) {
        (IHedgeFeed source, uint256 id, Field what) = _arguments();
        uint256 round = source.latestSequence();
        (bool present,,) = _at(source, id, what, round);
        _requireData(present);
        for (; lookBack > 0 && round > 1; --lookBack) {
            (present,,) = _at(source, id, what, round - 1);
            if (!present) break;
            --round;
        }
        return uint80(round);
    }

    /// @notice Where the answers come from
    function feed() external view returns (IHedgeFeed source) {
        (source,,) = _arguments();
    }

    /// @notice The instrument's number at the feed
    function instrumentId() external view returns (uint256 id) {
        (, id,) = _arguments();
    }

    /// @notice What of the instrument this answers with
    function field() external view returns (Field what) {
        (,, what) = _arguments();
    }

    /// @inheritdoc AggregatorV3Interface
    function decimals() external view returns (uint8) {
        (,, Field what) = _arguments();
        return what.decimals();
    }

    /// @inheritdoc AggregatorV3Interface
    /// @dev "BTC 28-MAR-2027 90000 C / iv"; the time of day stands there too unless it is 08:00 UTC.
    function description() external view returns (string memory) {
        (IHedgeFeed source, uint256 id, Field what) = _arguments();
        return string.concat(InstrumentName.write(source.instrument(id)), " / ", what.name());
    }

    function _latest() private view returns (Reading memory reading, int256 value) {
        (IHedgeFeed source, uint256 id, Field what) = _arguments();
        _requireData(source.isLive());
        try source.reading(id) returns (Reading memory found) {
            bool present;
            (present, value) = what.read(found);
            _requireData(present);
            reading = found;
        } catch (bytes memory reason) {
            _passOnWithoutReason(reason);
            _requireData(false);
        }
    }

    function _at(
        IHedgeFeed source,
        uint256 id,
        Field what,
        uint256 sequence
    ) private view returns (bool present, Reading memory reading, int256 value) {
        try source.readingAt(id, sequence) returns (Reading memory found) {
            (present, value) = what.read(found);
            reading = found;
        } catch (bytes memory reason) {
            _passOnWithoutReason(reason);
        }
    }

    /// @dev As {FeedAdapterFactory} packs them: feed (160 bits), instrument's id (88), field (8).
    function _arguments() private view returns (IHedgeFeed source, uint256 id, Field what) {
        uint256 word = uint256(LibClone.argLoad(LibClone.argsOnClone(address(this)), 0));
        return (IHedgeFeed(address(uint160(word >> 96))), uint88(word >> 8), Field(uint8(word)));
    }

    /// @dev The feed's refusals carry an error. A call that ended without one ran out of gas, and a caller who starved
    /// it on purpose must not make a consumer believe that there is no data.
    function _passOnWithoutReason(
        bytes memory reason
    ) private pure {
        if (reason.length == 0) {
            // solhint-disable-next-line no-inline-assembly
            assembly ("memory-safe") {
                revert(0, 0)
            }
        }
    }

    function _requireData(
        bool present
    ) private pure {
        // solhint-disable-next-line gas-custom-errors
        require(present, _NO_DATA);
    }

    function _round(
        Reading memory reading,
        int256 value
    ) private pure returns (uint80, int256, uint256, uint256, uint80) {
        uint256 time = reading.observedAt < reading.acceptedAt ? reading.observedAt : reading.acceptedAt;
        return (reading.sequence, value, time, time, reading.sequence);
    }
}
