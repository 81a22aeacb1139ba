// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {ToleranceField, ToleranceFloors} from "../../src/judge/ToleranceFloors.sol";
import {Test} from "forge-std/Test.sol";

contract ToleranceFloorsTest is Test {
    uint256 private constant FIELDS = 7;

    function test_floorsAndDefaultsPass() public view {
        this.check(ToleranceFloors.floors());
        this.check(ToleranceFloors.defaults());
        this.check(_from(_ceilings()));
    }

    function test_belowAFloor() public {
        uint256[FIELDS] memory floors = _floors();
        for (uint256 i = 0; i < FIELDS; ++i) {
            uint256[FIELDS] memory values = _floors();
            values[i] -= 1;
            Tolerances memory low = _from(values);
            vm.expectRevert(
                abi.encodeWithSelector(
                    ToleranceFloors.ToleranceBelowFloor.selector, ToleranceField(i), floors[i] - 1, floors[i]
                )
            );
            this.check(low);
        }
    }

    function test_aboveACeiling() public {
        uint256[FIELDS] memory ceilings = _ceilings();
        for (uint256 i = 0; i < FIELDS; ++i) {
            uint256[FIELDS] memory values = _ceilings();
            values[i] += 1;
            Tolerances memory high = _from(values);
            vm.expectRevert(
                abi.encodeWithSelector(
                    ToleranceFloors.ToleranceAboveCeiling.selector, ToleranceField(i), ceilings[i] + 1, ceilings[i]
                )
            );
            this.check(high);
        }
    }

    function test_zerosFail() public {
        Tolerances memory none;
        vm.expectPartialRevert(ToleranceFloors.ToleranceBelowFloor.selector);
        this.check(none);
    }

    /// @dev External, so that a refusal is a call's and can be expected.
    function check(
        Tolerances calldata tolerances
    ) external pure {
        ToleranceFloors.check(tolerances);
    }

    function _floors() private pure returns (uint256[FIELDS] memory) {
        return [uint256(1500), 31_000, 1500, 1500, 7500, 800, 19_500];
    }

    function _ceilings() private pure returns (uint256[FIELDS] memory) {
        return [uint256(20_000), 80_000, 20_000, 20_000, 20_000, 8000, 200_000];
    }

    function _from(
        uint256[FIELDS] memory values
    ) private pure returns (Tolerances memory) {
        return Tolerances({
            delta: uint24(values[0]),
            gamma: uint24(values[1]),
            vega: uint24(values[2]),
            premium: uint24(values[3]),
            vol: uint24(values[4]),
            hedgeReach: uint16(values[5]),
            hedgeSlack: uint24(values[6])
        });
    }
}
