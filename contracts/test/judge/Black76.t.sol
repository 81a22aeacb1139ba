// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Black76} from "../../src/judge/Black76.sol";
import {Records} from "./support/Records.sol";
import {Test} from "forge-std/Test.sol";
import {console} from "forge-std/console.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @dev Black-76 against QuantLib's doubles and against mpmath's 60 digits.
contract Black76Test is Test {
    using Records for bytes;

    /// @dev Largest errors, 1e-18
    struct Worst {
        uint256 d1;
        uint256 delta;
        uint256 density;
        uint256 premium;
    }

    uint256 private constant OPTIONS = 10_240;
    uint256 private constant OPTION_BYTES = 48;
    uint256 private constant EDGES = 1024;
    uint256 private constant EDGE_BYTES = 160;
    uint256 private constant LEAST_TRADED_VOL = 10_000;

    /// @dev A double has 53 bits, so that QuantLib's own d1 is wrong by some 2^-53 / deviation.
    function test_quantLib() public view {
        bytes memory file = vm.readFileBinary("test/vectors/black76.bin");
        assertEq(file.length, 64 + OPTIONS * OPTION_BYTES);
        Worst memory all;
        Worst memory wide;
        uint256 gamma = 0;
        for (uint256 i = 0; i < OPTIONS; ++i) {
            (Worst memory worst, uint256 gammaError, uint256 deviation) = _againstQuantLib(file, i);
            _raise(all, worst);
            if (deviation > 0.1e33) {
                _raise(wide, worst);
                gamma = FixedPointMathLib.max(gamma, gammaError);
            }
        }
        console.log("QuantLib, all: delta, vega, premium", all.delta, all.density, all.premium);
        console.log("QuantLib, deviation above 0.1:", wide.delta, wide.density, wide.premium);
        console.log("gamma there, 1e-15:", gamma);
        assertLe(wide.delta, 1500);
        assertLe(wide.density, 1500);
        assertLe(wide.premium, 4500);
        assertLe(gamma, 15);
    }

    function test_exactWhereTraded() public view {
        Worst memory worst = _againstExact(0);
        console.log("traded: delta, density, premium", worst.delta, worst.density, worst.premium);
        assertLe(worst.delta, 500);
        assertLe(worst.density, 200);
        assertLe(worst.premium, 100);
    }

    function test_exactAnywhere() public view {
        Worst memory worst = _againstExact(1);
        console.log("anywhere: delta, density, premium", worst.delta, worst.density, worst.premium);
        // At the least deviation of all, 1.8e-10; and of a premium with a strike of 2^96 forwards, d1 near 0.
        assertLe(worst.delta, 5e9);
        assertLe(worst.density, 5e9);
        assertLe(worst.premium, 4e9);
    }

    function _againstQuantLib(
        bytes memory file,
        uint256 i
    ) private pure returns (Worst memory worst, uint256 gammaError, uint256 deviation) {
        uint256 offset = 64 + i * OPTION_BYTES;
        uint256 root = Black76.rootTime(file.unsigned(offset + 12, 4));
        deviation = Black76.deviation(file.unsigned(offset + 8, 4), root);
        Black76.Value memory value = Black76.value(file.unsigned(offset, 8), file.unsigned(i % 8 * 8, 8), deviation);
        worst = _errors(value, i / 8 % 2 == 0, file, offset);
        worst.density = FixedPointMathLib.dist(value.density, file.unsigned(offset + 32, 8) * 1e27 / root);
        gammaError = FixedPointMathLib.dist(value.density * 1e30 / deviation, file.unsigned(offset + 24, 8));
        // In roundings of a double of d1 at this deviation, and of a number of the size of one.
        uint256 scale = 1e18 + 1e51 / deviation;
        assertLe(worst.delta * 1e18, 2000 * scale, "delta");
        assertLe(worst.density * 1e18, 2000 * scale, "vega");
        assertLe(worst.premium * 1e18, 6000 * scale, "premium");
    }

    /// @dev Of delta and premium.
    function _errors(
        Black76.Value memory value,
        bool call,
        bytes memory file,
        uint256 offset
    ) private pure returns (Worst memory worst) {
        int256 delta = int256(value.callDelta) - (call ? int256(0) : int256(1e18));
        uint256 premium = call ? value.callPremium : value.putPremium;
        worst.delta = FixedPointMathLib.dist(delta, file.signed(offset + 16, 8));
        worst.premium = FixedPointMathLib.dist(premium, file.unsigned(offset + 40, 8));
    }

    /// @param odd 0: the options that are traded; 1: those anywhere
    function _againstExact(
        uint256 odd
    ) private view returns (Worst memory worst) {
        bytes memory file = vm.readFileBinary("test/vectors/black76_edges.bin");
        assertEq(file.length, EDGES * EDGE_BYTES);
        for (uint256 i = odd; i < EDGES; i += 2) {
            _raise(worst, _againstExact(file, i * EDGE_BYTES));
        }
    }

    function _againstExact(
        bytes memory file,
        uint256 offset
    ) private pure returns (Worst memory worst) {
        uint256 strike = file.unsigned(offset, 16);
        uint256 forward = file.unsigned(offset + 16, 16);
        uint256 deviation =
            Black76.deviation(file.unsigned(offset + 32, 16), Black76.rootTime(file.unsigned(offset + 48, 16)));
        int256 exact = file.signed(offset + 64, 32);
        worst.d1 = FixedPointMathLib.dist(Black76.d1(strike, forward, deviation), exact);
        // 1e-17 relative: the deviation's own integer, at its least.
        assertLe(worst.d1, 3e33 / deviation + 2 + FixedPointMathLib.abs(exact) / 1e17, "d1");

        Black76.Value memory value = Black76.value(strike, forward, deviation);
        uint256 fromD1 = 2e33 / deviation;
        worst.delta = FixedPointMathLib.dist(value.callDelta, file.unsigned(offset + 96, 16));
        worst.density = FixedPointMathLib.dist(value.density, file.unsigned(offset + 112, 16));
        assertLe(worst.delta, 50 + fromD1, "delta");
        assertLe(worst.density, 3 + fromD1, "density");
        worst.premium = FixedPointMathLib.dist(value.callPremium, file.unsigned(offset + 128, 16));
        uint256 put = file.unsigned(offset + 144, 16);
        // Beyond a double's digits a put far in the money is strike less forward, to the last one of strike / forward.
        if (put < type(uint128).max) {
            worst.premium = FixedPointMathLib.max(worst.premium, FixedPointMathLib.dist(value.putPremium, put));
        } else {
            assertGe(value.putPremium, put);
        }
    }

    /// @dev All the way to the types' ends, and within what an option can be.
    function testFuzz_neverReverts(
        uint96 strike,
        uint96 forward,
        uint32 vol,
        uint40 time
    ) public pure {
        _checkBounds(_one(strike), _one(forward), _one(vol), _one(time));
    }

    /// @dev At every width of each number, where uniform draws hardly come.
    function testFuzz_neverRevertsAtAnyScale(
        uint96 strike,
        uint96 forward,
        uint32 vol,
        uint40 time,
        uint256 widths
    ) public pure {
        _checkBounds(
            _one(strike >> (widths % 96)),
            _one(forward >> ((widths >> 8) % 96)),
            _one(vol >> ((widths >> 16) % 32)),
            _one(time >> ((widths >> 24) % 40))
        );
    }

    function test_atTheForward() public pure {
        uint256 deviation = Black76.deviation(1_000_000, Black76.rootTime(365 days));
        assertEq(deviation, 1e33);
        Black76.Value memory value = Black76.value(88_000e8, 88_000e8, deviation);
        assertApproxEqAbs(Black76.d1(88_000e8, 88_000e8, deviation), 0.5e18, 1);
        // N(0.5), 2 N(0.5) - 1 and phi(0.5)
        assertApproxEqAbs(value.callDelta, 691_462_461_274_013_104, 50);
        assertApproxEqAbs(value.callPremium, 382_924_922_548_026_208, 100);
        assertApproxEqAbs(value.putPremium, 382_924_922_548_026_208, 100);
        assertApproxEqAbs(value.density, 352_065_326_764_299_478, 2);
    }

    function test_gas() public view {
        uint256 most = 0;
        for (uint256 strike = 20_000e8; strike < 400_000e8; strike += 10_000e8) {
            uint256 before = gasleft();
            uint256 root = Black76.rootTime(30 days);
            Black76.value(strike, 88_000e8, Black76.deviation(650_000, root));
            most = FixedPointMathLib.max(most, before - gasleft());
        }
        console.log("gas of rootTime and value", most);
        assertLt(most, 4000);
    }

    function _checkBounds(
        uint256 strike,
        uint256 forward,
        uint256 vol,
        uint256 time
    ) private pure {
        uint256 root = Black76.rootTime(time);
        assertGe(root, 178e21);
        assertLe(root, 187e27);
        Black76.Value memory value = Black76.value(strike, forward, Black76.deviation(vol, root));
        uint256 moneyness = strike * 1e18 / forward;
        assertLe(value.callDelta, 1e18);
        assertLe(value.density, 398_942_280_401_432_678);
        assertLe(value.callPremium, 1e18);
        assertLe(value.putPremium, moneyness + 1);
        // Above what exercise brings, and with parity to the units of four roundings, up to the tail's error.
        assertGe(value.callPremium + 5e10 + moneyness, 1e18);
        assertGe(value.putPremium + 5e10 + 1e18, moneyness);
        assertApproxEqAbs(value.callPremium + moneyness, value.putPremium + 1e18, 1e11);
    }

    function _one(
        uint256 value
    ) private pure returns (uint256) {
        return value == 0 ? 1 : value;
    }

    function _raise(
        Worst memory all,
        Worst memory one
    ) private pure {
        all.d1 = FixedPointMathLib.max(all.d1, one.d1);
        all.delta = FixedPointMathLib.max(all.delta, one.delta);
        all.density = FixedPointMathLib.max(all.density, one.density);
        all.premium = FixedPointMathLib.max(all.premium, one.premium);
    }
}
