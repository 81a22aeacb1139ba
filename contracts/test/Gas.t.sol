// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../src/HedgeReport.sol";
import {HedgeSettlement} from "../src/HedgeSettlement.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";
import {WordPacker} from "./support/WordPacker.sol";
import {console} from "forge-std/console.sol";

/// @dev A whole transaction must stay below EIP-7825's cap, also into storage that was never written.
contract GasTest is SettlementFixture {
    uint256 private constant TRANSACTION_CAP = 1 << 24;

    function test_firstReports() public {
        assertLt(_cold(16), 900_000);
        assertLt(_cold(64), 2_000_000);
        assertLt(_cold(640), TRANSACTION_CAP);
        // The default configuration's maximum.
        assertLt(_cold(700), TRANSACTION_CAP);
    }

    function test_laterReports() public {
        _cold(640);
        HedgeReport memory report = _wide(2, 640);
        assertLt(_transaction(report, "warm"), 5_500_000);
    }

    function _cold(
        uint256 instruments
    ) private returns (uint256) {
        settlement = new HedgeSettlement(
            CONSORTIUM, vm.addr(groupPrivateKey), EPOCH, memberAddresses, QUORUM, _defaultConfig()
        );
        return _transaction(_wide(1, instruments), "cold");
    }

    /// @dev With as many expiries as a long chain has.
    function _wide(
        uint64 round,
        uint256 instruments
    ) private view returns (HedgeReport memory report) {
        report = _report(round, instruments);
        report.forwards = new bytes32[](12);
        for (uint256 i = 0; i < 12; ++i) {
            report.forwards[i] = WordPacker.forward(uint40(block.timestamp + (i + 1) * 1 days), uint96(88_000e8 + i));
        }
    }

    /// @return gas Intrinsic, calldata and execution, rounded up: as if every slot were touched first by this call
    function _transaction(
        HedgeReport memory report,
        string memory name
    ) private returns (uint256 gas) {
        bytes memory call = abi.encodeCall(settlement.submit, (report, _sign(report)));
        vm.cool(address(settlement));
        (bool success,) = address(settlement).call(call);
        assertTrue(success);
        gas = vm.lastCallGas().gasTotalUsed;
        uint256 tokens = 0;
        for (uint256 i = 0; i < call.length; ++i) {
            tokens += call[i] == 0 ? 1 : 4;
        }
        gas += 21_000 + 4 * tokens;
        assertGe(gas, 21_000 + 10 * tokens, "above EIP-7623's floor, which is not what is paid");
        console.log(name, report.params.length, gas);
    }
}
