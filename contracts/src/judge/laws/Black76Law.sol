// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, Tolerances} from "../../interfaces/IReportJudge.sol";
import {InstrumentWordLibrary} from "../../types/InstrumentWord.sol";
import {ParamWord} from "../../types/ParamWord.sol";
import {Black76} from "../Black76.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title BLACK76: delta, gamma, vega and premium are those of the reported vol and forward
/// @dev Gamma and vega are compared as what each says the density phi(d1) is, which is of one size for every option.
library Black76Law {
    // Words in 1e-18
    uint256 private constant _DELTA_UNIT = 1e12;
    uint256 private constant _PREMIUM_UNIT = 1e10;
    // 1e-6 in 1e-18
    uint256 private constant _TOLERANCE_UNIT = 1e12;
    // A gamma word times a deviation (1e-33) is divided by this, a vega word times this divided by sqrt(T) (1e-27)
    uint256 private constant _GAMMA_DIVISOR = 1e21;
    uint256 private constant _VEGA_FACTOR = 1e37;
    // Units of a word that its rounding takes, at most: of gamma and vega also their scales are rounded
    uint256 private constant _DELTA_ROUNDING = 1;
    uint256 private constant _GAMMA_ROUNDING = 3;
    uint256 private constant _VEGA_ROUNDING = 1;
    uint256 private constant _PREMIUM_ROUNDING = 1;
    int256 private constant _ONE = 1e18;

    /// @param time Seconds to expiry
    function breaks(
        Exhibit calldata exhibit,
        uint256 time,
        Tolerances calldata tolerances
    ) internal pure returns (bool) {
        ParamWord param = exhibit.param;
        uint256 root = Black76.rootTime(time);
        uint256 deviation = Black76.deviation(param.iv(), root);
        Black76.Value memory exact = Black76.value(exhibit.instrument.strike(), exhibit.forward.forward(), deviation);

        bool call = exhibit.instrument.kind() == InstrumentWordLibrary.CALL;
        if (deltaBreaks(call, param.bsDelta(), exact.callDelta, tolerances.delta)) return true;
        if (gammaBreaks(param.gamma(), deviation, exact.density, tolerances.gamma)) return true;
        if (vegaBreaks(param.vega(), root, exact.density, tolerances.vega)) return true;
        return premiumBreaks(param.premium(), call ? exact.callPremium : exact.putPremium, tolerances.premium);
    }

    /// @param delta 1e-6
    /// @param callDelta N(d1), 1e-18
    /// @param tolerance 1e-6
    function deltaBreaks(
        bool call,
        int24 delta,
        uint256 callDelta,
        uint256 tolerance
    ) internal pure returns (bool) {
        unchecked {
            int256 exact = call ? int256(callDelta) : int256(callDelta) - _ONE;
            return FixedPointMathLib.dist(int256(delta) * int256(_DELTA_UNIT), exact)
                > tolerance * _TOLERANCE_UNIT + _DELTA_ROUNDING * _DELTA_UNIT;
        }
    }

    /// @param gamma 1e-6
    /// @param deviation vol * sqrt(T), 1e-33
    /// @param density phi(d1), 1e-18
    /// @param tolerance 1e-6 of a density
    function gammaBreaks(
        uint40 gamma,
        uint256 deviation,
        uint256 density,
        uint256 tolerance
    ) internal pure returns (bool) {
        unchecked {
            // Below 2^170.
            return FixedPointMathLib.dist(gamma * deviation / _GAMMA_DIVISOR, density)
                > tolerance * _TOLERANCE_UNIT + _GAMMA_ROUNDING * deviation / _GAMMA_DIVISOR;
        }
    }

    /// @param vega 1e-8
    /// @param rootTime sqrt(T), 1e-27, not 0
    /// @param density phi(d1), 1e-18
    /// @param tolerance 1e-6 of a density
    function vegaBreaks(
        uint32 vega,
        uint256 rootTime,
        uint256 density,
        uint256 tolerance
    ) internal pure returns (bool) {
        unchecked {
            // Below 2^155.
            return FixedPointMathLib.dist(vega * _VEGA_FACTOR / rootTime, density)
                > tolerance * _TOLERANCE_UNIT + _VEGA_ROUNDING * _VEGA_FACTOR / rootTime;
        }
    }

    /// @param premium 1e-8
    /// @param exact 1e-18
    /// @param tolerance 1e-6
    function premiumBreaks(
        uint32 premium,
        uint256 exact,
        uint256 tolerance
    ) internal pure returns (bool) {
        unchecked {
            return FixedPointMathLib.dist(premium * _PREMIUM_UNIT, exact)
                > tolerance * _TOLERANCE_UNIT + _PREMIUM_ROUNDING * _PREMIUM_UNIT;
        }
    }
}
