// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, ReportCore} from "../src/HedgeReport.sol";
import {IReportJudge, Law} from "../src/interfaces/IReportJudge.sol";
import {ReportJudge} from "../src/judge/ReportJudge.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";
import {console} from "forge-std/console.sol";

/// @dev Whole transactions, as a chain bills them: intrinsic gas, calldata (EIP-7623's floor where that is more) and
/// execution with every slot touched for the first time. The table in `snapshots/settlement.json` is checked in.
///
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

    /// @dev Each law's dearest proof over a report of 64 instruments: the first expiry's options, both forwards in the
    /// calldata.
    function test_otherProofs() public {
        (, uint256[] memory ids) = _register(64);
        _publish(_report(1, 64));
        vm.warp(START + 30);
        _proof("range proof, 64", Law.RANGE, 1, 24, -50_000, _list(ids, 1, 1));
        _proof("put-call proof, 64", Law.PARITY, 15, 200, 9000, _list(ids, 2, 15));
        _proof("Black-76 proof, 64", Law.BLACK76, 15, 200, 9000, _list(ids, 1, 15));
        _proof("strike-order proof, 64", Law.MONOTONE, 15, 200, 400_000, _list(ids, 3, 15));
        _proof("butterfly proof, 64", Law.BUTTERFLY, 15, 72, 9_000_000, _list(ids, 4, 15));
        _proof("hedge-band proof, 64", Law.HEDGE_BAND, 15, 176, 4_000_000, _list(ids, 1, 15));
    }

    function test_storingLater() public {
        _register(16);
        HedgeReport memory report = _report(1, 16);
        _publish(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        _transaction("store 16 later, first time", abi.encodeCall(settlement.store, (core, words, 1)), 0);
    }

    function test_registering() public {
        bytes memory call = abi.encodeCall(settlement.register, (_instruments(64)));
        _transaction("register 64 instruments", call, 0);
        (, uint256[] memory ids) = _register(16);
        ids = settlement.register(_instruments(64));
        _transaction("register a book of 64", abi.encodeCall(settlement.registerBook, (ids)), 0);
    }

    /// @dev Signs a report with one field raised, and proves it wrong in a transaction that is undone.
    function _proof(
        string memory name,
        Law law,
        uint256 index,
        uint256 shift,
        int256 by,
        uint256[] memory ids
    ) private {
        HedgeReport memory report = _report(2, 64);
        report.params[index] = bytes32(uint256(int256(uint256(report.params[index])) + by * int256(1 << shift)));
        bytes memory call = abi.encodeCall(settlement.challenge, (report, _sign(report), law, ids));
        uint256 state = vm.snapshotState();
        vm.deal(address(this), 1 ether);
        assertLe(_transaction(name, call, CHALLENGE_BOND), 120_000);
        assertEq(settlement.lastSlashedEpoch(), EPOCH, name);
        vm.revertToState(state);
    }

    /// @dev One: the instrument; two: a call and its put; three or four: two or three calls around the middle one.
    function _list(
        uint256[] memory all,
        uint256 kind,
        uint256 index
    ) private pure returns (uint256[] memory ids) {
        ids = new uint256[](kind < 3 ? kind : kind - 1);
        ids[0] = all[index];
        if (kind == 2) ids[1] = all[index - 1];
        if (kind > 2) (ids[0], ids[1]) = (all[index - 2], all[index]);
        if (kind == 4) ids[2] = all[index + 2];
    }

    receive() external payable {}

    function _judge() internal override returns (IReportJudge) {
        return new ReportJudge();
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
