// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, Law, Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {Black76} from "../../src/judge/Black76.sol";
import {ToleranceFloors} from "../../src/judge/ToleranceFloors.sol";
import {HonestDesk} from "./support/HonestDesk.sol";
import {JudgeFixture} from "./support/JudgeFixture.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @dev A report that honest parties have signed is never guilty, at the least tolerances and at any above.
contract HonestReportsTest is JudgeFixture {
    /// @dev A slice of a surface: total variance theta at the money, skew rho, curvature phi; 1e-18 each
    struct Slice {
        uint256 theta;
        int256 rho;
        uint256 phi;
    }

    /// forge-config: default.fuzz.runs = 2048
    function testFuzz_oneInstrument(
        uint256 seed
    ) public view {
        HonestDesk.Option memory option = _drawOption(seed);
        Exhibit[] memory exhibits = _one(HonestDesk.exhibit(option, _drawErrors(seed)));
        _assertInnocent(Law.RANGE, exhibits, seed);
        _assertInnocent(Law.BLACK76, exhibits, seed);
        _assertInnocent(Law.HEDGE_BAND, exhibits, seed);
    }

    /// @dev As far out as a book may go, and at lives and vols beyond what anyone trades.
    /// forge-config: default.fuzz.runs = 2048
    function testFuzz_oneInstrumentAnyLife(
        uint256 seed
    ) public view {
        HonestDesk.Option memory option = _drawOption(seed);
        // A vega word holds sqrt(T) up to 107.
        option.time = _between(1 hours, 10_000 * 365 days, _draw(seed, "life"));
        Exhibit[] memory exhibits = _one(HonestDesk.exhibit(option, _drawErrors(seed)));
        _assertInnocent(Law.RANGE, exhibits, seed);
        _assertInnocent(Law.BLACK76, exhibits, seed);
        _assertInnocent(Law.HEDGE_BAND, exhibits, seed);
    }

    /// @dev The vols of the two are opened apart, each with roundings of its own.
    /// forge-config: default.fuzz.runs = 2048
    function testFuzz_pair(
        uint256 seed
    ) public view {
        HonestDesk.Option memory option = _drawOption(seed);
        uint256 ratio = FixedPointMathLib.max(option.ratio, LEAST_RATIO + RATIO_ROUNDING);
        option.call = true;
        option.ratio = _apart(ratio, _drawError(_draw(seed, "call vol")));
        Exhibit memory call = HonestDesk.exhibit(option, _drawErrors(_draw(seed, "call errors")));
        option.call = false;
        option.ratio = _apart(ratio, _drawError(_draw(seed, "put vol")));
        Exhibit memory put = HonestDesk.exhibit(option, _drawErrors(_draw(seed, "put errors")));
        _assertInnocent(Law.PARITY, _two(call, put), seed);
    }

    /// @dev Three strikes of one slice that is free of static arbitrage, calls or puts.
    /// forge-config: default.fuzz.runs = 2048
    function testFuzz_slice(
        uint256 seed
    ) public view {
        HonestDesk.Option memory option = _drawOption(seed);
        option.referenceVol = FixedPointMathLib.min(option.referenceVol, 3e18);
        Slice memory slice = _drawSlice(seed, option);
        uint96[3] memory strikes = _drawStrikes(seed, option.forward, FixedPointMathLib.sqrt(slice.theta * 1e18));
        Exhibit[] memory exhibits = new Exhibit[](3);
        for (uint256 i = 0; i < 3; ++i) {
            option.strike = strikes[i];
            option.ratio = _ratioAt(slice, option);
            exhibits[i] = HonestDesk.exhibit(option, _drawErrors(_draw(_draw(seed, "errors") >> i, "each")));
        }
        _assertInnocent(Law.BUTTERFLY, exhibits, seed);
        _assertInnocent(Law.MONOTONE, _two(exhibits[0], exhibits[1]), seed);
        _assertInnocent(Law.MONOTONE, _two(exhibits[1], exhibits[2]), seed);
        _assertInnocent(Law.MONOTONE, _two(exhibits[0], exhibits[2]), seed);
    }

    /// @dev Every corner of vol, life, strike and error at once, which draws reach one by one.
    function test_corners() public view {
        uint256[4] memory references = [LEAST_REFERENCE, 0.1e18, 1e18, MOST_REFERENCE];
        uint256[4] memory ratios = [LEAST_RATIO, 0.25e18, 1e18, MOST_RATIO];
        uint256[4] memory times = [uint256(1 hours), 1 days, 365 days, 3650 days];
        int256[7] memory deviations = [int256(-5e18), -2e18, -1e18, 0, 1e18, 2e18, 5e18];
        HonestDesk.Option memory option;
        option.forward = 87_654e8;
        for (uint256 i = 0; i < 64; ++i) {
            option.referenceVol = references[i % 4];
            option.ratio = ratios[i / 4 % 4];
            option.time = times[i / 16];
            uint256 deviation = option.referenceVol * option.ratio / 1e18 * Black76.rootTime(option.time) / 1e27;
            for (uint256 j = 0; j < 7; ++j) {
                int256 k = FixedPointMathLib.clamp(deviations[j] * int256(deviation) / 1e18, -2.99e18, 2.99e18);
                option.strike = uint96(87_654e8 * uint256(FixedPointMathLib.expWad(k)) / 1e18);
                // A call, so that its memory is given back.
                this.checkCorner(option);
            }
        }
    }

    function checkCorner(
        HonestDesk.Option calldata option
    ) external view {
        Tolerances memory floors = ToleranceFloors.floors();
        for (uint256 sign = 0; sign < 32; ++sign) {
            _checkCorner(option, sign, floors);
        }
    }

    /// @dev Why the floors are no lower: parties let through, and sign, what the next lower hundreds would condemn.
    function test_floorsAreNeeded() public view {
        HonestDesk.Option memory option = HonestDesk.Option({
            call: true, strike: 87_654e8, forward: 87_654e8, referenceVol: 0.1e18, ratio: MOST_RATIO, time: 1 days
        });
        HonestDesk.Errors memory errors =
            HonestDesk.Errors({delta: -1e18, gamma: 1e18, vega: -1e18, premium: 1e18, hedge: 1e18});
        Exhibit[] memory exhibits = _one(HonestDesk.exhibit(option, errors));
        Tolerances memory tight = ToleranceFloors.floors();
        assertFalse(_breaks(Law.BLACK76, exhibits, tight));
        tight.gamma = 30_100;
        assertTrue(_breaks(Law.BLACK76, exhibits, tight), "gamma");
        tight = ToleranceFloors.floors();
        tight.delta = 990;
        assertTrue(_breaks(Law.BLACK76, exhibits, tight), "delta");
        tight = ToleranceFloors.floors();
        tight.vega = 990;
        assertTrue(_breaks(Law.BLACK76, exhibits, tight), "vega");
        tight = ToleranceFloors.floors();
        tight.premium = 990;
        assertTrue(_breaks(Law.BLACK76, exhibits, tight), "premium");
        assertFalse(_breaks(Law.HEDGE_BAND, exhibits, tight));
        tight.hedgeSlack = 18_900;
        assertTrue(_breaks(Law.HEDGE_BAND, exhibits, tight), "hedge slack");
        tight = ToleranceFloors.floors();
        tight.hedgeReach = 790;
        tight.hedgeSlack = 19_000 - 4000;
        assertTrue(_breaks(Law.HEDGE_BAND, exhibits, tight), "hedge reach");
    }

    function test_volFloorIsNeeded() public view {
        HonestDesk.Option memory option = HonestDesk.Option({
            call: true,
            strike: 87_654e8,
            forward: 87_654e8,
            referenceVol: 1e18,
            ratio: LEAST_RATIO + 2 * RATIO_ROUNDING,
            time: 1 days
        });
        HonestDesk.Errors memory none;
        Exhibit memory call = HonestDesk.exhibit(option, none);
        (option.call, option.ratio) = (false, LEAST_RATIO);
        Exhibit[] memory exhibits = _two(call, HonestDesk.exhibit(option, none));
        Tolerances memory tight = ToleranceFloors.floors();
        assertFalse(_breaks(Law.PARITY, exhibits, tight));
        tight.vol = 7300;
        assertTrue(_breaks(Law.PARITY, exhibits, tight));
    }

    function _checkCorner(
        HonestDesk.Option memory option,
        uint256 sign,
        Tolerances memory floors
    ) private view {
        option.call = sign % 2 == 0;
        HonestDesk.Errors memory errors = HonestDesk.Errors({
            delta: _sign(sign >> 1),
            gamma: _sign(sign >> 2),
            vega: _sign(sign >> 3),
            premium: _sign(sign >> 4),
            hedge: _sign(sign >> 1) * _sign(sign >> 2) / 1e18
        });
        Exhibit[] memory exhibits = _one(HonestDesk.exhibit(option, errors));
        assertFalse(_breaks(Law.RANGE, exhibits, floors), "range");
        assertFalse(_breaks(Law.BLACK76, exhibits, floors), "black76");
        assertFalse(_breaks(Law.HEDGE_BAND, exhibits, floors), "hedge band");
    }

    function _assertInnocent(
        Law law,
        Exhibit[] memory exhibits,
        uint256 seed
    ) private view {
        assertFalse(_breaks(law, exhibits, ToleranceFloors.floors()), "guilty at the floors");
        assertFalse(_breaks(law, exhibits, ToleranceFloors.defaults()), "guilty at the defaults");
        assertFalse(_breaks(law, exhibits, _drawTolerances(seed)), "guilty at wider tolerances");
    }

    /// @dev Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, 2014, theorem
    /// 4.2: no butterfly where theta phi (1 + |rho|) < 4 and theta phi^2 (1 + |rho|) <= 4. A flat smile every eighth
    /// time.
    function _drawSlice(
        uint256 seed,
        HonestDesk.Option memory option
    ) private pure returns (Slice memory slice) {
        uint256 deviation = option.referenceVol * Black76.rootTime(option.time) / 1e27;
        slice.theta = deviation * deviation / 1e18;
        slice.rho = int256(_draw(seed, "rho") % 1.9e18) - 0.95e18;
        uint256 skew = 1e18 + FixedPointMathLib.abs(slice.rho);
        uint256 most = FixedPointMathLib.min(
            3.999e36 / (slice.theta * skew / 1e18 + 1),
            FixedPointMathLib.sqrt(3.999e54 / (slice.theta * skew / 1e18 + 1))
        );
        slice.phi = _draw(seed, "flat") % 8 == 0 ? 0 : most * (_draw(seed, "phi") % 1e9) / 1e9;
    }

    /// @dev vol / reference vol at the option's strike, the reference being the vol at the money; kept within the
    /// band.
    function _ratioAt(
        Slice memory slice,
        HonestDesk.Option memory option
    ) private pure returns (uint256) {
        int256 k = FixedPointMathLib.lnWad(int256(uint256(option.strike) * 1e18 / option.forward));
        int256 scaled = int256(slice.phi) * k / 1e18;
        int256 shifted = scaled + slice.rho;
        int256 root = int256(FixedPointMathLib.sqrt(uint256(shifted * shifted + 1e36 - slice.rho * slice.rho)));
        int256 relative = (1e18 + slice.rho * scaled / 1e18 + root) / 2;
        uint256 ratio = FixedPointMathLib.sqrt(uint256(relative) * 1e18);
        vm.assume(ratio >= LEAST_RATIO && ratio <= MOST_RATIO);
        return ratio;
    }

    function _drawStrikes(
        uint256 seed,
        uint96 forward,
        uint256 deviation
    ) private pure returns (uint96[3] memory strikes) {
        for (uint256 i = 0; i < 3; ++i) {
            strikes[i] = _drawStrike(_draw(seed, "strikes") >> i, forward, deviation);
        }
        if (strikes[0] > strikes[1]) (strikes[0], strikes[1]) = (strikes[1], strikes[0]);
        if (strikes[1] > strikes[2]) (strikes[1], strikes[2]) = (strikes[2], strikes[1]);
        if (strikes[0] > strikes[1]) (strikes[0], strikes[1]) = (strikes[1], strikes[0]);
        vm.assume(strikes[0] < strikes[1] && strikes[1] < strikes[2]);
    }

    function _apart(
        uint256 ratio,
        int256 part
    ) private pure returns (uint256) {
        return FixedPointMathLib.min(uint256(int256(ratio) + part * int256(RATIO_ROUNDING) / 1e18), MOST_RATIO);
    }

    function _sign(
        uint256 bit
    ) private pure returns (int256) {
        return bit % 2 == 0 ? int256(1e18) : -1e18;
    }
}
