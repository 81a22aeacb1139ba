// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {NormalDistribution} from "./NormalDistribution.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title Black-76 on the forward, undiscounted
/// @notice What `mpc_party/market/black76.py` computes, in fixed point. Years have 365 days.
/// @dev Nothing here reverts or overflows for any strike and forward in [1, 2^96), vol in [1, 2^32) and time in
/// [1, 2^40). Source: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3, 1976.
library Black76 {
    /// @dev All but `callPremium` and `putPremium` in [0, 1] by their meaning; 1e-18 each
    struct Value {
        /// N(d1)
        uint256 callDelta;
        /// phi(d1): forward * gamma * vol * sqrt(T), and vega / (forward * sqrt(T))
        uint256 density;
        /// Price / forward
        uint256 callPremium;
        /// Price / forward
        uint256 putPremium;
    }

    // {rootTime} is in units of 1e-27, {deviation} of 1e-33.
    uint256 private constant _SECONDS_PER_YEAR = 365 days;
    uint256 private constant _ROOT_TIME_SQUARED = 1e54;
    int256 private constant _DEVIATION_UNIT = 1e33;
    int256 private constant _HALF_DEVIATION_TO_WAD = 2e15;
    uint256 private constant _WAD = 1e18;
    // A quotient of forward and strike has at least 63 significant bits when the forward is shifted by this.
    uint256 private constant _RATIO_SHIFT = 159;
    // 1e18 * ln(2^159 / 1e18), rounded
    int256 private constant _LN_RATIO_UNIT = 68_763_870_035_138_481_885;

    /// @param time Seconds to expiry, below 2^40
    /// @return sqrt(T), T in years, 1e-27; relative error below 6e-24
    function rootTime(
        uint256 time
    ) internal pure returns (uint256) {
        unchecked {
            return FixedPointMathLib.sqrt(time * _ROOT_TIME_SQUARED / _SECONDS_PER_YEAR);
        }
    }

    /// @param vol 1e-6 of annual volatility, below 2^32
    /// @return vol * sqrt(T), 1e-33
    function deviation(
        uint256 vol,
        uint256 rootTime_
    ) internal pure returns (uint256) {
        unchecked {
            return vol * rootTime_;
        }
    }

    /// @notice d1 = ln(forward / strike) / (vol sqrt(T)) + vol sqrt(T) / 2, in 1e-18.
    /// @dev Wrong by at most 3e-18 / deviation + 2e-18: by 1e-13 at a vol of 0.01 with an hour to go, by 1e-17 at a
    /// vol of 0.5 with a year, and by 2e-8 at the least deviation there is, 1.8e-10. Its size is at most 4e11.
    /// @param deviation_ What {deviation} gave, 1e-33, not 0
    function d1(
        uint256 strike,
        uint256 forward,
        uint256 deviation_
    ) internal pure returns (int256) {
        unchecked {
            // Below 2^255 and at least 2^63.
            int256 ratio = int256((forward << _RATIO_SHIFT) / strike);
            int256 logarithm = FixedPointMathLib.lnWad(ratio) - _LN_RATIO_UNIT;
            int256 signed = int256(deviation_);
            return logarithm * _DEVIATION_UNIT / signed + signed / _HALF_DEVIATION_TO_WAD;
        }
    }

    /// @notice Delta, density and premiums.
    /// @dev One exponential serves all four: with L = ln(strike / forward), d2^2 = d1^2 + 2 L, so that
    /// strike / forward * exp(-d2^2/2) = exp(-d1^2/2), and strike / forward * N(-|d2|) is the tail at |d2| with the
    /// exponential of d1. This also keeps the digits of a premium far out of the money.
    ///
    /// Measured against 60-digit values (`test/judge/Black76.t.sol`), with s = vol sqrt(T). Moneyness 0.2 to 5, vol
    /// 0.01 to 5, an hour to ten years: delta is wrong by at most 5e-16, the density by 2e-16, premiums by 1e-16.
    /// Anywhere in the types delta and density are wrong by at most 5e-17 + 2e-18 / s, which is 1e-8 at the least s
    /// there is, 1.8e-10; premiums by 4e-9 of the forward besides, where a strike of 2^96 forwards meets a vol so high
    /// that d1 is near 0.
    function value(
        uint256 strike,
        uint256 forward,
        uint256 deviation_
    ) internal pure returns (Value memory result) {
        int256 upper = d1(strike, forward, deviation_);
        uint256 gauss = NormalDistribution.gaussian(upper);
        result.density = NormalDistribution.densityOf(gauss);
        unchecked {
            // Strike / forward and what it is multiplied by stay below 2^96 * 1e18 * 1e18 < 2^216.
            uint256 moneyness = strike * _WAD / forward;
            int256 lower = upper - int256(deviation_) / 1e15;
            // N(-|d1|), and strike / forward * N(-|d2|)
            uint256 first = NormalDistribution.tail(gauss, FixedPointMathLib.abs(upper));
            uint256 second = NormalDistribution.tail(gauss, FixedPointMathLib.abs(lower));

            (uint256 up, uint256 down) = upper > 0 ? (_WAD - first, first) : (first, _WAD - first);
            (uint256 paid, uint256 received) = lower > 0
                ? (FixedPointMathLib.zeroFloorSub(moneyness, second), second)
                : (second, FixedPointMathLib.zeroFloorSub(moneyness, second));
            result.callDelta = up;
            result.callPremium = FixedPointMathLib.zeroFloorSub(up, paid);
            result.putPremium = FixedPointMathLib.zeroFloorSub(received, down);
        }
    }
}
