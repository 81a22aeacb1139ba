// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Tolerances} from "../interfaces/IReportJudge.sol";

/// @notice The fields of {Tolerances}, in their order
enum ToleranceField {
    DELTA,
    GAMMA,
    VEGA,
    PREMIUM,
    VOL,
    HEDGE_REACH,
    HEDGE_SLACK
}

/// @title The least and the greatest tolerances that a consortium may set
/// @notice Below the floors a report that honest parties have signed could be found guilty; above the ceilings hardly
/// any could.
/// @dev What an honest party lets through before it signs is in `mpc_party/hedging/outputs.py`: for each opened value
/// its distance from Black-76 at the opened vol. To that comes the rounding to report units; the opened vol itself is
/// at least 0.98 e^-2 * 0.01 = 0.00132, so that its unit of 1e-6 is at most 3.8e-4 of it either way. In 1e-6, at 16
/// fraction bits or more, for every vol ratio, band (up to 2) and life (up to 2^40 seconds) that a party accepts:
///
///   field       checked to              rounding, at most                              floor    left
///   delta       1,000                   1 (word) + 130 (vol)                           1,500    369
///   gamma       4,000 * 1.02 e^2        300 (vol); the laws allow a word's units       31,000   550
///   vega        1,000                   2 (word) + 140 (vol)                           1,500    358
///   premium     1,000                   1 (words) + 38 (vol)                           1,500    461
///   vol         2 * 32 units of 2^-16   units apart (the law allows one)               7,500    137
///               of a ratio of 0.98 e^-2
///   hedgeSlack  10,000 + 1,000 (delta)  7 (words)                                      19,500   493
///               + 8 * 1,000 (vega)
///
/// Gamma is checked as density / ratio, where ratio = vol / reference vol reaches 1.02 e^band: as a density the same
/// error is that many times larger. The vol of a call and that of its put are rounded apart under sharing: 32 units
/// each is what the audit allows (`mpc_party/hedging/replay.py`). hedgeReach is the bound on the model, 8 densities.
///
/// A consortium whose program has b < 16 fraction bits must multiply all but hedgeReach by 2^(16 - b), as its parties
/// do; the ceilings leave room for that at 15 bits, not at fewer.
///
/// What no tolerance covers: that range check looks at each instrument alone. A party that deviates in the computation
/// can move the vol of one instrument, with all that follows from it, and a smile as the parties fitted it may have
/// arbitrage in it; PARITY, MONOTONE and BUTTERFLY would find the report guilty. So whoever signs has to judge the
/// whole report by these laws first, at the floors, and refuse to sign what they condemn.
library ToleranceFloors {
    uint256 private constant _DELTA_FLOOR = 1500;
    uint256 private constant _GAMMA_FLOOR = 31_000;
    uint256 private constant _VEGA_FLOOR = 1500;
    uint256 private constant _PREMIUM_FLOOR = 1500;
    uint256 private constant _VOL_FLOOR = 7500;
    uint256 private constant _HEDGE_REACH_FLOOR = 800;
    uint256 private constant _HEDGE_SLACK_FLOOR = 19_500;

    uint256 private constant _DELTA_CEILING = 20_000;
    uint256 private constant _GAMMA_CEILING = 80_000;
    uint256 private constant _VEGA_CEILING = 20_000;
    uint256 private constant _PREMIUM_CEILING = 20_000;
    uint256 private constant _VOL_CEILING = 20_000;
    uint256 private constant _HEDGE_REACH_CEILING = 8000;
    uint256 private constant _HEDGE_SLACK_CEILING = 200_000;

    error ToleranceBelowFloor(ToleranceField field, uint256 value, uint256 floor);
    error ToleranceAboveCeiling(ToleranceField field, uint256 value, uint256 ceiling);

    /// @notice Reverts, naming the first field that is out of bounds.
    function check(
        Tolerances memory tolerances
    ) internal pure {
        _check(ToleranceField.DELTA, tolerances.delta, _DELTA_FLOOR, _DELTA_CEILING);
        _check(ToleranceField.GAMMA, tolerances.gamma, _GAMMA_FLOOR, _GAMMA_CEILING);
        _check(ToleranceField.VEGA, tolerances.vega, _VEGA_FLOOR, _VEGA_CEILING);
        _check(ToleranceField.PREMIUM, tolerances.premium, _PREMIUM_FLOOR, _PREMIUM_CEILING);
        _check(ToleranceField.VOL, tolerances.vol, _VOL_FLOOR, _VOL_CEILING);
        _check(ToleranceField.HEDGE_REACH, tolerances.hedgeReach, _HEDGE_REACH_FLOOR, _HEDGE_REACH_CEILING);
        _check(ToleranceField.HEDGE_SLACK, tolerances.hedgeSlack, _HEDGE_SLACK_FLOOR, _HEDGE_SLACK_CEILING);
    }

    /// @return What a consortium sets that has no reason for anything else
    function defaults() internal pure returns (Tolerances memory) {
        return Tolerances({
            delta: 2000, gamma: 32_000, vega: 2000, premium: 2000, vol: 8000, hedgeReach: 800, hedgeSlack: 20_000
        });
    }

    /// @return The tightest that {check} accepts
    function floors() internal pure returns (Tolerances memory) {
        return Tolerances({
            delta: uint24(_DELTA_FLOOR),
            gamma: uint24(_GAMMA_FLOOR),
            vega: uint24(_VEGA_FLOOR),
            premium: uint24(_PREMIUM_FLOOR),
            vol: uint24(_VOL_FLOOR),
            hedgeReach: uint16(_HEDGE_REACH_FLOOR),
            hedgeSlack: uint24(_HEDGE_SLACK_FLOOR)
        });
    }

    function _check(
        ToleranceField field,
        uint256 value,
        uint256 floor,
        uint256 ceiling
    ) private pure {
        if (value < floor) revert ToleranceBelowFloor(field, value, floor);
        if (value > ceiling) revert ToleranceAboveCeiling(field, value, ceiling);
    }
}
