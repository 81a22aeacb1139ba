// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title MONOTONE and BUTTERFLY: what a smile free of static arbitrage obeys, from one strike to the next
/// @notice The tolerance is once of each side: of two deltas, of the middle premium and of the line between the outer
/// ones.
library ArbitrageLaws {
    uint256 private constant _PREMIUM_PER_TOLERANCE = 100;

    /// @notice Whether delta rises with the strike. For every smile free of static arbitrage d1 falls in the strike,
    /// and so do N(d1) and N(d1) - 1.
    /// @dev Source: M. Fukasawa, "The normalizing transformation of the implied volatility smile", Mathematical
    /// Finance 22, 2012.
    /// @param lower Delta at the lower strike, 1e-6
    /// @param higher Delta at the higher strike, 1e-6
    /// @param tolerance 1e-6
    function monotoneBreaks(
        int24 lower,
        int24 higher,
        uint256 tolerance
    ) internal pure returns (bool) {
        unchecked {
            // The rounding of two words is one unit.
            return int256(higher) > int256(lower) + int256(2 * tolerance + 1);
        }
    }

    /// @notice Whether the middle premium lies above the line between the other two: then a butterfly is sold for less
    /// than nothing.
    /// @dev Source: P. Carr, D. Madan, "A note on sufficient conditions for no arbitrage", Finance Research Letters 2,
    /// 2005.
    /// @param strikes Ascending, below 2^96
    /// @param premiums 1e-8 of the forward, which is one for all
    /// @param tolerance 1e-6 of the forward
    function butterflyBreaks(
        uint256[3] memory strikes,
        uint256[3] memory premiums,
        uint256 tolerance
    ) internal pure returns (bool) {
        unchecked {
            // Below 2^129. The rounding of two words of two parts is 2 units.
            uint256 left = strikes[1] - strikes[0];
            uint256 right = strikes[2] - strikes[1];
            uint256 allowed = 2 * tolerance * _PREMIUM_PER_TOLERANCE + 2;
            return premiums[1] * (left + right) > premiums[0] * right + premiums[2] * left + allowed * (left + right);
        }
    }
}
