// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {NormalDistribution} from "../../src/judge/NormalDistribution.sol";
import {Records} from "./support/Records.sol";
import {Test} from "forge-std/Test.sol";
import {console} from "forge-std/console.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

contract NormalDistributionTest is Test {
    using Records for bytes;

    int256 private constant ONE = 1e18;

    /// @dev 10,001 points of [-9, 9] against mpmath's digits, which the vectors hold to the unit.
    function test_vectors() public view {
        bytes memory file = vm.readFileBinary("test/vectors/black76_normal.bin");
        uint256 points = file.length / 16;
        assertEq(points, 10_001);
        uint256 worstCdf = 0;
        uint256 worstDensity = 0;
        for (uint256 i = 0; i < points; ++i) {
            int256 x = -9e18 + int256(i) * 1_799_999_999_999_993;
            worstCdf = FixedPointMathLib.max(
                worstCdf, FixedPointMathLib.dist(NormalDistribution.cdf(x), file.signed(16 * i, 8))
            );
            worstDensity = FixedPointMathLib.max(
                worstDensity, FixedPointMathLib.dist(NormalDistribution.density(x), file.unsigned(16 * i + 8, 8))
            );
        }
        console.log("largest errors, 1e-18: cdf, density", worstCdf, worstDensity);
        assertLe(worstCdf, 45);
        assertLe(worstDensity, 2);
    }

    function test_knownValues() public pure {
        assertEq(NormalDistribution.cdf(0), 0.5e18);
        assertEq(NormalDistribution.density(0), 398_942_280_401_432_678);
        // N(1.96...) = 0.975, to the digits of the quantile
        assertApproxEqAbs(NormalDistribution.cdf(1_959_963_984_540_054_235), 0.975e18, 45);
    }

    function test_saturates() public pure {
        assertEq(NormalDistribution.cdf(-9.2e18), 0);
        assertEq(NormalDistribution.cdf(9.2e18), ONE);
        assertEq(NormalDistribution.cdf(-10e18 - 1), 0);
        assertEq(NormalDistribution.cdf(10e18 + 1), ONE);
        assertEq(NormalDistribution.cdf(type(int256).min), 0);
        assertEq(NormalDistribution.cdf(type(int256).max), ONE);
        assertEq(NormalDistribution.density(type(int256).min), 0);
        assertEq(NormalDistribution.density(type(int256).max), 0);
    }

    function testFuzz_symmetric(
        int256 x
    ) public pure {
        x = bound(x, -11e18, 11e18);
        assertEq(NormalDistribution.cdf(x) + NormalDistribution.cdf(-x), ONE);
        assertEq(NormalDistribution.density(x), NormalDistribution.density(-x));
    }

    function testFuzz_withinUnitInterval(
        int256 x
    ) public pure {
        int256 value = NormalDistribution.cdf(x);
        assertGe(value, 0);
        assertLe(value, ONE);
        assertLe(NormalDistribution.density(x), 398_942_280_401_432_678);
    }

    /// @dev Steps from one unit to a thousandth: where the distribution itself moves by less, roundings may show.
    function testFuzz_monotone(
        int256 x,
        uint256 step
    ) public pure {
        x = bound(x, -10e18, 10e18);
        step = bound(step, 1, 1e15);
        assertGe(NormalDistribution.cdf(x + int256(step)) + 3, NormalDistribution.cdf(x));
    }

    /// @dev Around zero, where the two halves meet.
    function test_monotoneAroundZero() public pure {
        for (int256 x = -1000; x < 1000; ++x) {
            assertGe(NormalDistribution.cdf(x + 1) + 1, NormalDistribution.cdf(x));
        }
    }

    /// @dev At every distance that the Black-76 formula can hand in, no product overflows: twice the distance gives no
    /// more.
    function testFuzz_tailFallsToTheEnd(
        uint256 gauss,
        uint256 distance
    ) public pure {
        gauss = bound(gauss, 0, 1e18);
        distance = bound(distance, 0, 0.5e24);
        assertGe(
            NormalDistribution.tail(gauss, distance) + 1, NormalDistribution.tail(gauss, 2 * distance), "overflow"
        );
        // Mills' ratio lies below 1 / x, P/Q two parts in 10^5 above at its end; and it is at most a half.
        uint256 most = distance == 0 ? type(uint256).max : gauss * 0.39895e18 / distance;
        assertLe(NormalDistribution.tail(gauss, distance), FixedPointMathLib.min(most, gauss / 2) + 1);
    }

    function test_gas() public view {
        uint256 most = 0;
        for (int256 x = -9e18; x <= 9e18; x += 0.37e18) {
            uint256 before = gasleft();
            NormalDistribution.cdf(x);
            uint256 used = before - gasleft();
            most = FixedPointMathLib.max(most, used);
        }
        console.log("gas of cdf", most);
        assertLt(most, 1500);
    }
}
