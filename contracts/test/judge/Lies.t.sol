// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, Law, Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {Black76} from "../../src/judge/Black76.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {HonestDesk} from "./support/HonestDesk.sol";
import {JudgeFixture} from "./support/JudgeFixture.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @dev A field that is wrong by three tolerances or more is found, whatever the option and whatever the tolerances.
/// Ranges are bounded by what a word can say of such a lie: a delta has no room for it beyond one.
contract LiesTest is JudgeFixture {
    // A lie, in tolerances
    uint256 private constant GROSS = 3;

    function testFuzz_delta(
        uint256 seed
    ) public view {
        (HonestDesk.Option memory option, WordPacker.Param memory fields, Tolerances memory allowed) = _draw(seed);
        int256 lie = _signed(seed, GROSS * allowed.delta + 2);
        fields.bsDelta = int24(fields.bsDelta + lie);
        assertTrue(_breaks(Law.BLACK76, _one(_exhibit(option, fields)), allowed));
        assertTrue(_breaks(Law.PARITY, _withTwin(option, fields, 2 * lie), allowed));
    }

    function testFuzz_gamma(
        uint256 seed
    ) public view {
        (HonestDesk.Option memory option, WordPacker.Param memory fields, Tolerances memory allowed) = _draw(seed);
        // The density that a unit says, 1e-18
        uint256 unit = _deviation(option) / 1e6 + 1;
        uint256 lie = GROSS * allowed.gamma * 1e12 / unit + 8;
        fields.gamma = fields.gamma > lie ? uint40(fields.gamma - lie) : uint40(fields.gamma + lie);
        assertTrue(_breaks(Law.BLACK76, _one(_exhibit(option, fields)), allowed));
        fields.gamma += uint40(2 * lie);
        assertTrue(_breaks(Law.PARITY, _withTwin(option, fields, 0), allowed));
    }

    function testFuzz_vega(
        uint256 seed
    ) public view {
        (HonestDesk.Option memory option, WordPacker.Param memory fields, Tolerances memory allowed) = _draw(seed);
        uint256 lie = GROSS * allowed.vega * Black76.rootTime(option.time) / 1e25 + 4;
        fields.vega = fields.vega > lie ? uint32(fields.vega - lie) : uint32(fields.vega + lie);
        assertTrue(_breaks(Law.BLACK76, _one(_exhibit(option, fields)), allowed));
        fields.vega += uint32(2 * lie);
        assertTrue(_breaks(Law.PARITY, _withTwin(option, fields, 0), allowed));
    }

    function testFuzz_premium(
        uint256 seed
    ) public view {
        (HonestDesk.Option memory option, WordPacker.Param memory fields, Tolerances memory allowed) = _draw(seed);
        uint256 lie = GROSS * allowed.premium * 100 + 4;
        fields.premium = fields.premium > lie ? uint32(fields.premium - lie) : uint32(fields.premium + lie);
        assertTrue(_breaks(Law.BLACK76, _one(_exhibit(option, fields)), allowed));
        fields.premium += uint32(2 * lie);
        assertTrue(_breaks(Law.PARITY, _withTwin(option, fields, 0), allowed));
    }

    /// @dev A vol that is not the other fields' is seen in them where they depend on it; between call and put always.
    function testFuzz_vol(
        uint256 seed
    ) public view {
        (HonestDesk.Option memory option, WordPacker.Param memory fields, Tolerances memory allowed) = _draw(seed);
        fields.iv += uint32(GROSS * allowed.vol * fields.iv / 1e6 + 3);
        assertTrue(_breaks(Law.PARITY, _withTwin(option, fields, 0), allowed));
    }

    function testFuzz_hedgeDelta(
        uint256 seed
    ) public view {
        (HonestDesk.Option memory option, WordPacker.Param memory fields, Tolerances memory allowed) = _draw(seed);
        // What fits into a word: 8.3, less the delta itself.
        allowed.hedgeReach = uint16(FixedPointMathLib.min(allowed.hedgeReach, 1500));
        uint256 reach = uint256(allowed.hedgeReach) * fields.vega * 1e23 / Black76.rootTime(option.time) + 1;
        uint256 lie = FixedPointMathLib.min(GROSS * (reach + allowed.hedgeSlack), 7_000_000);
        fields.hedgeDelta = int24(fields.bsDelta + _signed(seed, lie));
        assertTrue(_breaks(Law.HEDGE_BAND, _one(_exhibit(option, fields)), allowed));
    }

    function testFuzz_deltaRises(
        uint256 seed
    ) public view {
        (HonestDesk.Option memory option, WordPacker.Param memory fields, Tolerances memory allowed) = _draw(seed);
        fields.bsDelta = option.call ? int24(100_000) : -900_000;
        Exhibit memory first = _exhibit(option, fields);
        option.strike = uint96(option.strike + 1 + seed % 1e12);
        fields.bsDelta += int24(uint24(GROSS * 2 * allowed.delta + 2));
        assertTrue(_breaks(Law.MONOTONE, _two(first, _exhibit(option, fields)), allowed));
    }

    function testFuzz_butterfly(
        uint256 seed
    ) public view {
        (HonestDesk.Option memory option, WordPacker.Param memory fields, Tolerances memory allowed) = _draw(seed);
        uint96 left = uint96(1 + _draw(seed, "left") % 1e13);
        uint96 right = uint96(1 + _draw(seed, "right") % 1e13);
        fields.premium = uint32(_draw(seed, "first") % 1e8);
        uint32 last = uint32(_draw(seed, "last") % 1e8);
        Exhibit memory first = _exhibit(option, fields);
        // On the line between the two, and above it.
        uint256 line = (uint256(fields.premium) * right + uint256(last) * left) / (left + right);
        option.strike += left;
        fields.premium = uint32(line + GROSS * 2 * allowed.premium * 100 + 3);
        Exhibit memory middle = _exhibit(option, fields);
        fields.premium = uint32(line);
        Exhibit memory fair = _exhibit(option, fields);
        option.strike += right;
        fields.premium = last;
        Exhibit memory third = _exhibit(option, fields);
        assertTrue(_breaks(Law.BUTTERFLY, _three(first, middle, third), allowed));
        assertFalse(_breaks(Law.BUTTERFLY, _three(first, fair, third), allowed));
    }

    /// @dev A market whose smile has a butterfly in it: the middle of three vols too high. Only the smile is wrong.
    function test_bentSmile() public view {
        HonestDesk.Errors memory none;
        HonestDesk.Option memory option = HonestDesk.Option({
            call: true, strike: 80_000e8, forward: 88_000e8, referenceVol: 0.6e18, ratio: 1e18, time: 30 days
        });
        Exhibit memory low = HonestDesk.exhibit(option, none);
        (option.strike, option.ratio) = (88_000e8, 2e18);
        Exhibit memory middle = HonestDesk.exhibit(option, none);
        (option.strike, option.ratio) = (96_000e8, 1e18);
        Exhibit memory high = HonestDesk.exhibit(option, none);
        Tolerances memory allowed = _drawTolerances(0);
        assertTrue(_breaks(Law.BUTTERFLY, _three(low, middle, high), allowed));
        assertFalse(_breaks(Law.BLACK76, _one(middle), allowed));
    }

    /// @dev A vol of twice what was computed with, close to the money: every field tells.
    function test_anotherVol() public view {
        HonestDesk.Errors memory none;
        HonestDesk.Option memory option = HonestDesk.Option({
            call: true, strike: 90_000e8, forward: 88_000e8, referenceVol: 0.6e18, ratio: 1e18, time: 30 days
        });
        WordPacker.Param memory fields = HonestDesk.param(option, none);
        fields.iv *= 2;
        assertTrue(_breaks(Law.BLACK76, _one(_exhibit(option, fields)), _drawTolerances(1)));
    }

    function _draw(
        uint256 seed
    )
        private
        pure
        returns (HonestDesk.Option memory option, WordPacker.Param memory fields, Tolerances memory allowed)
    {
        option = _drawOption(seed);
        HonestDesk.Errors memory none;
        fields = HonestDesk.param(option, none);
        allowed = _drawTolerances(seed);
    }

    /// @dev The option with these fields and its honest twin, call before put; `deltaLie` comes to the liar's delta.
    function _withTwin(
        HonestDesk.Option memory option,
        WordPacker.Param memory fields,
        int256 deltaLie
    ) private pure returns (Exhibit[] memory) {
        fields.bsDelta = int24(fields.bsDelta + deltaLie);
        Exhibit memory liar = _exhibit(option, fields);
        HonestDesk.Errors memory none;
        option.call = !option.call;
        Exhibit memory twin = HonestDesk.exhibit(option, none);
        return option.call ? _two(twin, liar) : _two(liar, twin);
    }

    function _exhibit(
        HonestDesk.Option memory option,
        WordPacker.Param memory fields
    ) private pure returns (Exhibit memory exhibit) {
        HonestDesk.Errors memory none;
        exhibit = HonestDesk.exhibit(option, none);
        exhibit.param = _packed(fields);
    }

    function _deviation(
        HonestDesk.Option memory option
    ) private pure returns (uint256) {
        return option.referenceVol * option.ratio / 1e18 * Black76.rootTime(option.time) / 1e27;
    }

    function _signed(
        uint256 seed,
        uint256 size
    ) private pure returns (int256) {
        return _draw(seed, "sign") % 2 == 0 ? int256(size) : -int256(size);
    }
}
