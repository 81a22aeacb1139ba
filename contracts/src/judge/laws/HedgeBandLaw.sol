// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title HEDGE_BAND: a hedge delta lies within so many densities of the Black-76 delta
/// @dev The model is secret, its range is not: a minimum-variance delta is delta + vega / (forward sqrt(T)) * g with
/// |g| bounded. Source: J. Hull, A. White, "Optimal delta hedging for options", Journal of Banking and Finance 82,
/// 2017, eq. (5).
library HedgeBandLaw {
    // 1e-6 from 1e-2 (reach) * 1e-8 (vega) / 1e-27 (sqrt(T))
    uint256 private constant _UNIT = 1e23;

    /// @param hedgeDelta 1e-6
    /// @param bsDelta 1e-6
    /// @param vega 1e-8 of the forward
    /// @param rootTime sqrt(T), 1e-27, below 2^98
    /// @param reach 1e-2 of a density, below 2^16
    /// @param slack 1e-6
    function breaks(
        int24 hedgeDelta,
        int24 bsDelta,
        uint32 vega,
        uint256 rootTime,
        uint256 reach,
        uint256 slack
    ) internal pure returns (bool) {
        uint256 apart = FixedPointMathLib.dist(int256(hedgeDelta), int256(bsDelta));
        unchecked {
            // Below 2^123 and 2^125.
            return apart > slack && (apart - slack) * rootTime > reach * vega * _UNIT;
        }
    }
}
