// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, Law} from "../../src/interfaces/IReportJudge.sol";
import {ToleranceFloors} from "../../src/judge/ToleranceFloors.sol";
import {HonestDesk} from "./support/HonestDesk.sol";
import {JudgeFixture} from "./support/JudgeFixture.sol";
import {console} from "forge-std/console.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @dev What a verdict costs its caller, the most over strikes from a fifth of the forward to four times it: execution
/// of the judge's code, without the call's own 2,600 for a cold address.
contract JudgeGasTest is JudgeFixture {
    function test_gasPerLaw() public view {
        string[6] memory names = ["range", "parity", "black76", "monotone", "butterfly", "hedge band"];
        uint256[6] memory most;
        for (uint96 strike = 20_000e8; strike <= 360_000e8; strike += 10_000e8) {
            Exhibit memory call = _exhibit(true, strike);
            most[0] = FixedPointMathLib.max(most[0], _gas(Law.RANGE, _one(call)));
            most[1] = FixedPointMathLib.max(most[1], _gas(Law.PARITY, _two(call, _exhibit(false, strike))));
            most[2] = FixedPointMathLib.max(most[2], _gas(Law.BLACK76, _one(call)));
            Exhibit memory next = _exhibit(true, strike + 1e8);
            most[3] = FixedPointMathLib.max(most[3], _gas(Law.MONOTONE, _two(call, next)));
            Exhibit memory last = _exhibit(true, strike + 2e8);
            most[4] = FixedPointMathLib.max(most[4], _gas(Law.BUTTERFLY, _three(call, next, last)));
            most[5] = FixedPointMathLib.max(most[5], _gas(Law.HEDGE_BAND, _one(call)));
        }
        for (uint256 i = 0; i < 6; ++i) {
            console.log(names[i], most[i]);
            assertLt(most[i], 8000);
        }
    }

    function _gas(
        Law law,
        Exhibit[] memory exhibits
    ) private view returns (uint256) {
        assertFalse(_breaks(law, exhibits, ToleranceFloors.floors()));
        return vm.lastCallGas().gasTotalUsed;
    }

    function _exhibit(
        bool call,
        uint96 strike
    ) private pure returns (Exhibit memory) {
        HonestDesk.Errors memory none;
        return HonestDesk.exhibit(
            HonestDesk.Option({
                call: call, strike: strike, forward: 88_000e8, referenceVol: 0.6e18, ratio: 1e18, time: 30 days
            }),
            none
        );
    }
}
