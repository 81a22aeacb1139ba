// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, ReportCore} from "../src/HedgeReport.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";
import {console} from "forge-std/console.sol";

/// @dev Whole transactions, as a chain bills them: intrinsic gas, calldata (EIP-7623's floor where that is more) and execution
/// with every slot touched for the first time. The table in `snapshots/settlement.json` is checked in.
/// forge-config: default.isolate = true
contract GasTest is SettlementFixture {
    uint256 private constant TRANSACTION_CAP = 1 << 24;

    function test_digestOnly16() public {
        assertLe(_warm("accept 16, digest only", 16, false), 55_000);
    }

    function test_digestOnly64() public {
        assertLe(_warm("accept 64, digest only", 64, false), 110_000);
    }

    function test_stored16() public {
        assertLe(_warm("accept 16, stored", 16, true), 150_000);
    }

    function test_digestOnly640() public {
        _transaction("accept 640, digest only, first time", _call(1, 640, false), 0);
    }

    function test_firstStored640() public {
        _register(640);
        uint256 gas = _transaction("accept 640, stored, first time", _call(1, 640, true), 0);
        assertLe(gas, TRANSACTION_CAP);
    }

    function test_equivocation() public {
        _publish(_report(1, 16));
        (HedgeReport memory one, HedgeReport memory other) = (_report(2, 16), _report(2, 16));
        other.params[3] ^= bytes32(uint256(1) << 200);
        bytes memory call = abi.encodeCall(settlement.equivocate, (_signedHeader(one), _signedHeader(other)));
        assertLe(_transaction("equivocation proof", call, 0), 45_000);
    }

    /// @dev Publishes until every slot of the rings has been written once, then measures.
    function _warm(
        string memory name,
        uint256 instruments,
        bool store
    ) private returns (uint256) {
        _register(instruments);
        for (uint64 round = 1; round <= 257; ++round) {
            this.step(round, instruments, store && round <= 40);
        }
        vm.warp(block.timestamp + 30);
        return _transaction(name, _call(258, instruments, store), 0);
    }

    /// @dev A call of its own, so that its memory is given back.
    function step(
        uint64 round,
        uint256 instruments,
        bool store
    ) external {
        vm.warp(block.timestamp + 30);
        HedgeReport memory report = _report(round, instruments);
        if (store) _publishStored(report);
        else _publish(report);
    }

    function _call(
        uint64 round,
        uint256 instruments,
        bool store
    ) private view returns (bytes memory) {
        HedgeReport memory report = _report(round, instruments);
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        return store
            ? abi.encodeCall(settlement.settleAndStore, (core, words, r, vs))
            : abi.encodeCall(settlement.settle, (core, words, r, vs));
    }

    function _transaction(
        string memory name,
        bytes memory call,
        uint256 value
    ) private returns (uint256 gas) {
        (bool success,) = address(settlement).call{value: value}(call);
        if (!success) assertTrue(success, name);
        // Isolated: a transaction of its own, so that this has everything but the floor.
        gas = vm.lastCallGas().gasTotalUsed;
        uint256 tokens = 0;
        for (uint256 i = 0; i < call.length; ++i) {
            tokens += call[i] == 0 ? 1 : 4;
        }
        uint256 floor = 21_000 + 10 * tokens;
        console.log(name, gas, floor, gas - 21_000 - 4 * tokens);
        if (gas < floor) gas = floor;
        vm.snapshotValue("settlement", name, gas);
    }
}
