// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IHedgeFeed, Reading} from "../interfaces/IHedgeFeed.sol";
import {InstrumentWord, InstrumentWordLibrary} from "../types/InstrumentWord.sol";
import {ParamWordLibrary} from "../types/ParamWord.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title A worked example: what a vault that sells one listed call needs to know
/// @notice Start from {_trusted}: it holds a reading against everything that makes a number unfit to act on. The rest
/// is arithmetic in the feed's units, every division rounded to the vault's side. Views only; whoever copies this adds
/// the vault, and decides what a sale or a liquidation does while {quote} reverts.
/// @dev Amounts of options and of the underlying have 18 decimals, amounts of the quote currency 8, as the feed.
contract CoveredCallQuoter {
    /// @notice What selling a number of calls comes to, now
    struct Quote {
        /// 18 decimals: of the underlying to hold against the sold calls, minimum-variance hedge, rounded up
        uint256 hedge;
        /// 8 decimals of the quote currency: the undiscounted model premium, below which the vault does not sell,
        /// rounded up
        uint256 premium;
        /// 8 decimals of the quote currency: to lock before selling, rounded up
        uint256 initialMargin;
        /// 8 decimals of the quote currency: below it the position is closed, rounded up
        uint256 maintenanceMargin;
        /// The feed's number of the report that says so
        uint32 sequence;
        /// Unix seconds: a quote must not be honoured after it
        uint64 validUntil;
    }

    uint256 private constant _OPTION = 1e18;
    uint256 private constant _RATE = 1e6;
    uint256 private constant _PREMIUM = 1e8;

    IHedgeFeed private immutable _FEED;
    uint256 private immutable _INSTRUMENT_ID;
    uint256 private immutable _EXPIRY;
    uint256 private immutable _MAX_AGE;

    error FeedHasNoCode(address feed);
    error NotACall(uint256 instrumentId);
    error MaxAgeZero();
    error FeedNotLive();
    error InstrumentExpired(uint256 expiry, uint256 timestamp);
    error ReadingExpired(uint256 validUntil, uint256 timestamp);
    error ReadingTooOld(uint256 observedAt, uint256 maxAge, uint256 timestamp);
    error MarginNotComputed(uint256 sequence);
    error HedgeNegative(int24 hedgeDelta);

    /// @param feed The consortium's ledger
    /// @param instrumentId The call's number there
    /// @param maxAge Seconds that may lie between the market data and its use; at least the feed's challenge window
    /// and one reporting interval, or there is never a quote
    constructor(
        IHedgeFeed feed,
        uint256 instrumentId,
        uint256 maxAge
    ) {
        if (address(feed).code.length == 0) revert FeedHasNoCode(address(feed));
        if (maxAge == 0) revert MaxAgeZero();
        InstrumentWord word = feed.instrument(instrumentId);
        if (word.kind() != InstrumentWordLibrary.CALL) revert NotACall(instrumentId);
        _FEED = feed;
        _INSTRUMENT_ID = instrumentId;
        _EXPIRY = word.expiry();
        _MAX_AGE = maxAge;
    }

    /// @notice What selling `options` calls (18 decimals) comes to.
    /// @dev Reverts with this contract's errors where no number may be acted on, and with the feed's `NoReading` where
    /// there is none.
    function quote(
        uint256 options
    ) external view returns (Quote memory) {
        Reading memory reading = _trusted();
        uint256 maintenance = reading.param.maintenanceMargin();
        uint256 initial = reading.param.initialMargin();
        if (maintenance == ParamWordLibrary.MARGIN_ABSENT || initial == ParamWordLibrary.MARGIN_ABSENT) {
            revert MarginNotComputed(reading.sequence);
        }
        int24 delta = reading.param.hedgeDelta();
        // A short call is hedged by holding the underlying. The other sign is no market to sell calls in.
        if (delta < 0) revert HedgeNegative(delta);

        uint256 notional = FixedPointMathLib.fullMulDivUp(options, reading.forward, _OPTION);
        return Quote({
            hedge: FixedPointMathLib.fullMulDivUp(options, uint24(delta), _RATE),
            premium: FixedPointMathLib.fullMulDivUp(notional, reading.param.premium(), _PREMIUM),
            initialMargin: FixedPointMathLib.fullMulDivUp(notional, initial, _RATE),
            maintenanceMargin: FixedPointMathLib.fullMulDivUp(notional, maintenance, _RATE),
            sequence: reading.sequence,
            validUntil: reading.validUntil
        });
    }

    /// @dev The five checks, each with its own error. The feed gives final reports only: that is its own check.
    function _trusted() private view returns (Reading memory reading) {
        if (!_FEED.isLive()) revert FeedNotLive();
        if (block.timestamp >= _EXPIRY) revert InstrumentExpired(_EXPIRY, block.timestamp);
        reading = _FEED.reading(_INSTRUMENT_ID);
        if (block.timestamp > reading.validUntil) revert ReadingExpired(reading.validUntil, block.timestamp);
        // Added on this side: the market's clock may run ahead of the chain's.
        if (block.timestamp > reading.observedAt + _MAX_AGE) {
            revert ReadingTooOld(reading.observedAt, _MAX_AGE, block.timestamp);
        }
    }
}
