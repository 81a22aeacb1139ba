// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title The standard normal distribution in fixed point
/// @notice Every number here is in units of 1e-18. No function reverts, whatever its argument.
/// @dev The tail is N(-x) = exp(-x^2/2) P(x)/Q(x) for x >= 0, with the rational function 5666 of Hart et al.,
/// "Computer Approximations" (Wiley, 1968), as G. West gives its coefficients in "Better approximations to cumulative
/// normal functions" (Wilmott, 2005). West leaves it at x = 7.07 for a continued fraction, because a relative error is
/// wanted there; in units of 1e-18 the same function serves to the end, for P(x)/Q(x) tends to 1/(x sqrt(2 pi)), as it
/// must.
///
/// Measured against 30-digit values on 10,001 points of [-9, 9]: {cdf} is wrong by at most 4.2e-17 (42 units),
/// {density} by at most 1 unit. Where the distribution is flatter than a unit, {cdf} may fall by a unit or two as x
/// rises, by no more.
library NormalDistribution {
    int256 private constant _ONE = 1e18;
    // Beyond, the density is less than half a unit.
    int256 private constant _FARTHEST = 10e18;
    uint256 private constant _ROOT_TWO_PI = 2_506_628_274_631_000_502;

    /// @return Probability of a value below x, from 0 to 1; cdf(x) + cdf(-x) is exactly 1
    function cdf(
        int256 x
    ) internal pure returns (int256) {
        unchecked {
            uint256 distance = FixedPointMathLib.abs(x);
            // A tail is at most 0.5.
            int256 below = int256(tail(gaussian(x), distance));
            return x > 0 ? _ONE - below : below;
        }
    }

    /// @return The density exp(-x^2/2) / sqrt(2 pi), at most 0.3989...
    function density(
        int256 x
    ) internal pure returns (uint256) {
        return densityOf(gaussian(x));
    }

    /// @param gauss What {gaussian} gave
    function densityOf(
        uint256 gauss
    ) internal pure returns (uint256) {
        unchecked {
            // Rounded to nearest.
            return (gauss * 1e18 + _ROOT_TWO_PI / 2) / _ROOT_TWO_PI;
        }
    }

    /// @return exp(-x^2/2), from 0 to 1
    function gaussian(
        int256 x
    ) internal pure returns (uint256) {
        if (x > _FARTHEST || x < -_FARTHEST) return 0;
        unchecked {
            // At most 1e38 / 2e18; the exponential of what is not positive does not overflow.
            return uint256(FixedPointMathLib.expWad(-((x * x + _ONE) / (2 * _ONE))));
        }
    }

    /// @notice gauss * P(distance) / Q(distance): the probability beyond `distance` where gauss is exp(-distance^2/2).
    /// @dev Separate from {cdf}, because Black-76 needs another factor than that exponential. As a function of
    /// `distance` alone, P/Q is wrong by 2e-15 at 3, 2e-10 at 7, and by 5e-8 at most anywhere.
    /// @param gauss At most 1
    /// @param distance At most 1e24, a million
    function tail(
        uint256 gauss,
        uint256 distance
    ) internal pure returns (uint256) {
        if (gauss == 0) return 0;
        unchecked {
            // The largest product on the way is q's last, about 0.0884 * 1e6^6 * 1e18 * 1e24 = 0.76 * 2^256.
            uint256 p = distance * 35_262_496_599_891_100 / 1e18 + 700_383_064_443_688_000;
            p = p * distance / 1e18 + 6_373_962_203_531_650_000;
            p = p * distance / 1e18 + 33_912_866_078_383_000_000;
            p = p * distance / 1e18 + 112_079_291_497_871_000_000;
            p = p * distance / 1e18 + 221_213_596_169_931_000_000;
            p = p * distance / 1e18 + 220_206_867_912_376_000_000;

            uint256 q = distance * 88_388_347_648_318_400 / 1e18 + 1_755_667_163_182_640_000;
            q = q * distance / 1e18 + 16_064_177_579_207_000_000;
            q = q * distance / 1e18 + 86_780_732_202_946_100_000;
            q = q * distance / 1e18 + 296_564_248_779_674_000_000;
            q = q * distance / 1e18 + 637_333_633_378_831_000_000;
            q = q * distance / 1e18 + 793_826_512_519_948_000_000;
            q = q * distance / 1e18 + 440_413_735_824_752_000_000;

            return gauss * p / q;
        }
    }
}
