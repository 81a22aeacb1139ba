// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, Law, Tolerances} from "../../../src/interfaces/IReportJudge.sol";
import {Black76} from "../../../src/judge/Black76.sol";
import {ReportJudge} from "../../../src/judge/ReportJudge.sol";
import {ToleranceFloors} from "../../../src/judge/ToleranceFloors.sol";
import {ParamWord} from "../../../src/types/ParamWord.sol";
import {WordPacker} from "../../support/WordPacker.sol";
import {HonestDesk} from "./HonestDesk.sol";
import {Test} from "forge-std/Test.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @dev A judge, and options and tolerances from seeds: all that parties accept, its corners often.
abstract contract JudgeFixture is Test {
    uint64 internal constant OBSERVED_AT = HonestDesk.OBSERVED_AT;
    // Program.band at most 2, and 2 % beyond at either end: `check_range`
    uint256 internal constant LEAST_RATIO = 0.13263e18;
    uint256 internal constant MOST_RATIO = 7.5368e18;
    uint256 internal constant LEAST_REFERENCE = 0.01e18;
    uint256 internal constant MOST_REFERENCE = 5e18;
    // 32 units of 2^-16: what the audit allows a vol ratio to be rounded by
    uint256 internal constant RATIO_ROUNDING = 32 * uint256(1e18) / 65_536;

    ReportJudge internal judge;

    function setUp() public virtual {
        judge = new ReportJudge();
    }

    function _drawOption(
        uint256 seed
    ) internal pure returns (HonestDesk.Option memory option) {
        option.call = _draw(seed, "call") % 2 == 0;
        option.forward = uint96(_between(1e6, 1e15, _draw(seed, "forward")));
        option.time = _between(1 hours, 3650 days, _draw(seed, "time"));
        option.referenceVol = _between(LEAST_REFERENCE, MOST_REFERENCE, _draw(seed, "reference"));
        option.ratio = _between(LEAST_RATIO, MOST_RATIO, _draw(seed, "ratio"));
        uint256 deviation = option.referenceVol * option.ratio / 1e18 * Black76.rootTime(option.time) / 1e27;
        option.strike = _drawStrike(_draw(seed, "strike"), option.forward, deviation);
    }

    /// @dev Two of three within five deviations, the others anywhere from a twentieth of the forward to twenty
    /// forwards.
    /// @param deviation 1e-18
    function _drawStrike(
        uint256 seed,
        uint256 forward,
        uint256 deviation
    ) internal pure returns (uint96) {
        uint256 reach = 2.9957e18;
        if (_draw(seed, "near") % 3 != 0) reach = FixedPointMathLib.min(reach, 5 * deviation);
        int256 k = int256(_draw(seed, "k") % (2 * reach + 1)) - int256(reach);
        if (_draw(seed, "forward") % 16 == 0) k = 0;
        uint256 strike = forward * uint256(FixedPointMathLib.expWad(k)) / 1e18;
        return uint96(strike == 0 ? 1 : strike);
    }

    function _drawErrors(
        uint256 seed
    ) internal pure returns (HonestDesk.Errors memory) {
        return HonestDesk.Errors({
            delta: _drawError(_draw(seed, "delta")),
            gamma: _drawError(_draw(seed, "gamma")),
            vega: _drawError(_draw(seed, "vega")),
            premium: _drawError(_draw(seed, "premium")),
            hedge: _drawError(_draw(seed, "hedge"))
        });
    }

    /// @dev Half of all at the ends of what is let through.
    function _drawError(
        uint256 seed
    ) internal pure returns (int256) {
        if (seed % 4 == 0) return 1e18;
        if (seed % 4 == 1) return -1e18;
        return int256((seed >> 8) % 2e18) - 1e18;
    }

    /// @dev Each field at the floor, at the ceiling or between.
    function _drawTolerances(
        uint256 seed
    ) internal pure returns (Tolerances memory drawn) {
        Tolerances memory floors = ToleranceFloors.floors();
        drawn.delta = uint24(_above(floors.delta, 20_000, _draw(seed, "delta")));
        drawn.gamma = uint24(_above(floors.gamma, 80_000, _draw(seed, "gamma")));
        drawn.vega = uint24(_above(floors.vega, 20_000, _draw(seed, "vega")));
        drawn.premium = uint24(_above(floors.premium, 20_000, _draw(seed, "premium")));
        drawn.vol = uint24(_above(floors.vol, 20_000, _draw(seed, "vol")));
        drawn.hedgeReach = uint16(_above(floors.hedgeReach, 8000, _draw(seed, "reach")));
        drawn.hedgeSlack = uint24(_above(floors.hedgeSlack, 200_000, _draw(seed, "slack")));
        ToleranceFloors.check(drawn);
    }

    function _above(
        uint256 floor,
        uint256 ceiling,
        uint256 seed
    ) private pure returns (uint256) {
        if (seed % 3 == 0) return floor;
        return seed % 3 == 1 ? ceiling : floor + (seed >> 8) % (ceiling - floor);
    }

    /// @dev Evenly over the logarithm, its ends now and then.
    function _between(
        uint256 low,
        uint256 high,
        uint256 seed
    ) internal pure returns (uint256) {
        if (seed % 16 == 0) return low;
        if (seed % 16 == 1) return high;
        int256 from = FixedPointMathLib.lnWad(int256(low));
        int256 span = FixedPointMathLib.lnWad(int256(high)) - from;
        int256 logarithm = from + span * int256((seed >> 8) % 1e18) / 1e18;
        return FixedPointMathLib.clamp(uint256(FixedPointMathLib.expWad(logarithm)), low, high);
    }

    function _draw(
        uint256 seed,
        string memory name
    ) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, name)));
    }

    function _one(
        Exhibit memory exhibit
    ) internal pure returns (Exhibit[] memory list) {
        list = new Exhibit[](1);
        list[0] = exhibit;
    }

    function _two(
        Exhibit memory first,
        Exhibit memory second
    ) internal pure returns (Exhibit[] memory list) {
        list = new Exhibit[](2);
        (list[0], list[1]) = (first, second);
    }

    function _three(
        Exhibit memory first,
        Exhibit memory second,
        Exhibit memory third
    ) internal pure returns (Exhibit[] memory list) {
        list = new Exhibit[](3);
        (list[0], list[1], list[2]) = (first, second, third);
    }

    function _packed(
        WordPacker.Param memory fields
    ) internal pure returns (ParamWord) {
        return ParamWord.wrap(WordPacker.param(fields));
    }

    function _breaks(
        Law law,
        Exhibit[] memory exhibits,
        Tolerances memory tolerances
    ) internal view returns (bool) {
        return judge.breaks(law, OBSERVED_AT, exhibits, tolerances);
    }
}
