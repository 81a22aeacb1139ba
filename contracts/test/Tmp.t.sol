// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;
import {HedgeReport, ReportCore} from "../src/HedgeReport.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";

contract TmpTest is SettlementFixture {
    function test_profile() public {
        vm.warp(block.timestamp + 30);
        HedgeReport memory r = _report(2, 16);
        (bytes32 rr, bytes32 vs) = _signCompact(r);
        (ReportCore memory core, bytes32[] memory words) = _compact(r);
        settlement.settle(core, words, rr, vs);
    }
}
