// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit} from "../../interfaces/IReportJudge.sol";
import {InstrumentWordLibrary} from "../../types/InstrumentWord.sol";
import {ParamWordLibrary} from "../../types/ParamWord.sol";

/// @title RANGE: what one instrument's words may be, whatever the market does
/// @dev Gamma and vega are unsigned in a word, so that their sign cannot be wrong. Premiums have a tolerance: the time
/// value that is opened may lie beyond what an option can be worth by what it is allowed to be wrong by.
library RangeLaw {
    // 1e-6
    int256 private constant _ONE_DELTA = 1e6;
    // 1e-8
    uint256 private constant _ONE_PREMIUM = 1e8;
    // A premium has units of 1e-8, its tolerance of 1e-6.
    uint256 private constant _PREMIUM_PER_TOLERANCE = 100;

    /// @param exhibit Of a valid instrument
    /// @param tolerance 1e-6 of the forward, of the premium
    function breaks(
        Exhibit calldata exhibit,
        uint64 observedAt,
        uint256 tolerance
    ) internal pure returns (bool) {
        bool call = exhibit.instrument.kind() == InstrumentWordLibrary.CALL;
        uint256 forward = exhibit.forward.forward();
        return observedAt >= exhibit.instrument.expiry() || exhibit.param.reserved() != 0
            || exhibit.forward.reserved() != 0 || exhibit.param.iv() == 0 || forward == 0
            || deltaBreaks(call, exhibit.param.bsDelta())
            || marginsBreak(exhibit.param.maintenanceMargin(), exhibit.param.initialMargin())
            || premiumBreaks(call, exhibit.param.premium(), exhibit.instrument.strike(), forward, tolerance);
    }

    /// @param delta 1e-6
    /// @return Whether it is not within [0, 1] for a call, [-1, 0] for a put
    function deltaBreaks(
        bool call,
        int24 delta
    ) internal pure returns (bool) {
        return call ? delta < 0 || delta > _ONE_DELTA : delta > 0 || delta < -_ONE_DELTA;
    }

    /// @return Whether the initial margin lies below the maintenance margin, or one of the two is absent
    function marginsBreak(
        uint24 maintenance,
        uint24 initial
    ) internal pure returns (bool) {
        // An absent margin is the greatest number, so that an absent maintenance margin alone is the first case.
        return initial < maintenance
            || (initial == ParamWordLibrary.MARGIN_ABSENT && maintenance != ParamWordLibrary.MARGIN_ABSENT);
    }

    /// @notice A call is worth at least forward - strike and at most the forward, a put strike - forward and the
    /// strike; none is worth less than nothing.
    /// @param premium 1e-8 of the forward
    /// @param strike Below 2^96, as the forward
    /// @param tolerance 1e-6 of the forward
    function premiumBreaks(
        bool call,
        uint32 premium,
        uint256 strike,
        uint256 forward,
        uint256 tolerance
    ) internal pure returns (bool) {
        unchecked {
            // All below 2^132, in 1e-8 of the strike's and forward's unit. The word is rounded: one unit more.
            uint256 paid = premium * forward;
            uint256 allowed = (tolerance * _PREMIUM_PER_TOLERANCE + 1) * forward;
            (uint256 received, uint256 given) = call ? (forward, strike) : (strike, forward);
            received *= _ONE_PREMIUM;
            given *= _ONE_PREMIUM;
            return paid > received + allowed || paid + given + allowed < received;
        }
    }
}
