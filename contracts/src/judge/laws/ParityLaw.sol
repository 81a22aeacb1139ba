// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, Tolerances} from "../../interfaces/IReportJudge.sol";
import {ParamWord} from "../../types/ParamWord.sol";
import {Black76} from "../Black76.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title PARITY: a call and the put of its strike and expiry
/// @notice call - put = forward - strike at discount factor 1, hence call delta - put delta = 1, and gamma, vega and
/// vol are one.
/// @dev Both of a pair may be wrong by a tolerance, hence twice the tolerance; and what the words' rounding does comes
/// to it. Their vols may differ by `tolerance.vol`, and then so do the other fields without being wrong: with s = vol
/// sqrt(T) and L = log(vol), |d delta / dL| = phi |d2| <= 0.25 + 0.4 s, |d phi / dL| = phi |d1 d2| <= 0.3 + 0.25 s,
/// and |d (premium / forward) / dL| = phi s <= 0.4 s. {explained} is above all of these, also for gamma, whose own vol
/// is another than the one it is compared at.
/// Source: H. Stoll, "The relationship between put and call option prices", Journal of Finance 24, 1969.
library ParityLaw {
    // 1e-6
    int256 private constant _ONE_DELTA = 1e6;
    uint256 private constant _ONE_VOL = 1e6;
    // 1e-8
    int256 private constant _ONE_PREMIUM = 1e8;
    uint256 private constant _PREMIUM_PER_TOLERANCE = 100;
    // Of {explained}: 0.7 + 0.4 s, in 1e-6, s in 1e-33
    uint256 private constant _LEVEL = 7e5;
    uint256 private constant _SLOPE = 4e5;
    uint256 private constant _DEVIATION_UNIT = 1e33;
    // 1e-6 of a density, from 1e-6 of a gamma times 1e-33 of a deviation; from 1e-8 of a vega over 1e-27 of sqrt(T)
    uint256 private constant _GAMMA_UNIT = 1e33;
    uint256 private constant _VEGA_UNIT = 1e25;
    // Words of gamma are rounded twice, their scale and themselves: less than 2.1 units each.
    uint256 private constant _GAMMA_ROUNDING = 5;

    /// @param call With the put's strike and forward
    /// @param time Seconds to expiry
    function breaks(
        Exhibit calldata call,
        Exhibit calldata put,
        uint256 time,
        Tolerances calldata tolerances
    ) internal pure returns (bool) {
        ParamWord one = call.param;
        ParamWord other = put.param;
        uint256 lower = FixedPointMathLib.min(one.iv(), other.iv());
        uint256 apart = FixedPointMathLib.dist(uint256(one.iv()), other.iv());
        if (volBreaks(lower, apart, tolerances.vol)) return true;

        uint256 root = Black76.rootTime(time);
        uint256 more;
        unchecked {
            more = explained(lower, apart, Black76.deviation(lower + apart, root));
        }
        if (
            deltaBreaks(one.bsDelta(), other.bsDelta(), _twice(tolerances.delta, more))
                || vegaBreaks(one.vega(), other.vega(), root, _twice(tolerances.vega, more))
                || gammaBreaks(
                    one.gamma(), other.gamma(), Black76.deviation(lower, root), _twice(tolerances.gamma, more)
                )
        ) return true;
        return premiumBreaks(
            one.premium(),
            other.premium(),
            call.instrument.strike(),
            call.forward.forward(),
            _twice(tolerances.premium, more)
        );
    }

    /// @notice How far density, delta or premium of the two may lie apart because their vols do.
    /// @param lower The lower vol, 1e-6, not 0
    /// @param apart How much higher the other one is, 1e-6
    /// @param deviation Of the higher vol, 1e-33
    /// @return 1e-6, less than 2^84
    function explained(
        uint256 lower,
        uint256 apart,
        uint256 deviation
    ) internal pure returns (uint256) {
        unchecked {
            // The vols behind the words may lie one unit further apart.
            return (apart + 1) * (_LEVEL + _SLOPE * deviation / _DEVIATION_UNIT) / lower + 1;
        }
    }

    /// @param lower The lower vol, 1e-6, not 0
    /// @param apart How much higher the other one is, 1e-6
    /// @param tolerance 1e-6, relative
    function volBreaks(
        uint256 lower,
        uint256 apart,
        uint256 tolerance
    ) internal pure returns (bool) {
        unchecked {
            // Below 2^56. The rounding of two words is one unit.
            return apart > 1 && (apart - 1) * _ONE_VOL > tolerance * lower;
        }
    }

    /// @param allowed 1e-6
    function deltaBreaks(
        int24 call,
        int24 put,
        uint256 allowed
    ) internal pure returns (bool) {
        unchecked {
            // The rounding of two words is one unit.
            return FixedPointMathLib.abs(int256(call) - put - _ONE_DELTA) > allowed + 1;
        }
    }

    /// @param rootTime 1e-27
    /// @param allowed 1e-6
    function vegaBreaks(
        uint32 call,
        uint32 put,
        uint256 rootTime,
        uint256 allowed
    ) internal pure returns (bool) {
        uint256 apart = FixedPointMathLib.dist(uint256(call), put);
        unchecked {
            // Below 2^116 and 2^183. The rounding of two words, and of their scales, is less than 2 units.
            return apart > 2 && (apart - 2) * _VEGA_UNIT > allowed * rootTime;
        }
    }

    /// @param deviation Of the lower vol, 1e-33
    /// @param allowed 1e-6 of gamma * deviation
    function gammaBreaks(
        uint40 call,
        uint40 put,
        uint256 deviation,
        uint256 allowed
    ) internal pure returns (bool) {
        uint256 apart = FixedPointMathLib.dist(uint256(call), put);
        unchecked {
            // Below 2^170 and 2^195.
            return apart > _GAMMA_ROUNDING && (apart - _GAMMA_ROUNDING) * deviation > allowed * _GAMMA_UNIT;
        }
    }

    /// @notice Whether (call - put) / forward is another number than 1 - strike / forward.
    /// @param call 1e-8 of the forward, as the put
    /// @param strike Below 2^96, as the forward
    /// @param allowed 1e-6 of the forward
    function premiumBreaks(
        uint32 call,
        uint32 put,
        uint256 strike,
        uint256 forward,
        uint256 allowed
    ) internal pure returns (bool) {
        unchecked {
            // Below 2^188. The rounding of two words, each of two parts, is 2 units.
            int256 gap = (int256(uint256(call)) - int256(uint256(put)) - _ONE_PREMIUM) * int256(forward) + _ONE_PREMIUM
                * int256(strike);
            return FixedPointMathLib.abs(gap) > (allowed * _PREMIUM_PER_TOLERANCE + 2) * forward;
        }
    }

    function _twice(
        uint256 tolerance,
        uint256 more
    ) private pure returns (uint256) {
        unchecked {
            return 2 * tolerance + more;
        }
    }
}
