// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../src/HedgeReport.sol";
import {HedgeSettlement} from "../src/HedgeSettlement.sol";
import {ForwardWord} from "../src/types/ForwardWord.sol";
import {ParamWord} from "../src/types/ParamWord.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";

/// @dev Acts as submitters and members do, in any order, and remembers what the contract should hold.
contract LedgerHandler is SettlementFixture {
    uint64 public lastRound;
    uint64 public lastObservedAt;
    bytes32 public lastParams;
    bytes32 public lastForwards;
    uint256 public lastCount;
    bool public isPaused;
    bool public acceptedWrongly;
    uint64 public rotations;
    uint256 public accepted;
    uint256 public refused;

    constructor() {
        setUp();
    }

    function ledger() external view returns (HedgeSettlement) {
        return settlement;
    }

    function submit(
        uint64 round,
        uint256 instruments,
        uint8 key,
        uint8 age
    ) external {
        bool rightKey = key % 8 != 0;
        // Around the latest round, so that both answers come up.
        round = uint64(bound(round, lastRound < 2 ? 0 : lastRound - 2, uint256(lastRound) + 4));
        HedgeReport memory report = _report(round, bound(instruments, 0, 40));
        report.observedAt -= age % 16;
        bytes memory signature =
            rightKey ? _sign(report) : _signature(uint256(keccak256("stranger")), settlement.digestOf(report));
        bool acceptable = !isPaused && round > lastRound && rightKey && report.params.length > 0
            && report.observedAt >= lastObservedAt;
        try settlement.submit(report, signature) {
            if (!acceptable) acceptedWrongly = true;
            ++accepted;
            (lastRound, lastObservedAt, lastCount) = (round, report.observedAt, report.params.length);
            lastParams = keccak256(abi.encodePacked(report.params));
            lastForwards = keccak256(abi.encodePacked(report.forwards));
        } catch {
            require(!acceptable, "a valid report was refused");
            ++refused;
        }
    }

    function pause() external {
        if (isPaused) return;
        _pause();
        isPaused = true;
    }

    function unpause() external {
        if (!isPaused) return;
        _unpause();
        isPaused = false;
    }

    function rotate(
        uint256 seed
    ) external {
        _rotate(uint256(keccak256(abi.encode(seed, rotations))));
        ++rotations;
    }

    function wait(
        uint16 time
    ) external {
        vm.warp(block.timestamp + time);
    }
}

contract LedgerInvariantTest is SettlementFixture {
    LedgerHandler private _handler;

    function setUp() public override {
        _handler = new LedgerHandler();
        settlement = _handler.ledger();
        bytes4[] memory selectors = new bytes4[](7);
        // Reports three times as often as anything else.
        (selectors[0], selectors[1], selectors[2]) =
        (LedgerHandler.submit.selector, LedgerHandler.submit.selector, LedgerHandler.submit.selector);
        (selectors[3], selectors[4]) = (LedgerHandler.pause.selector, LedgerHandler.unpause.selector);
        (selectors[5], selectors[6]) = (LedgerHandler.rotate.selector, LedgerHandler.wait.selector);
        targetContract(address(_handler));
        targetSelector(FuzzSelector({addr: address(_handler), selectors: selectors}));
    }

    /// @dev Paused, out of order, by a stranger's key, empty or going back in time: none was accepted.
    function invariant_nothingIsAcceptedWrongly() public view {
        assertFalse(_handler.acceptedWrongly());
    }

    function invariant_roundsOnlyGrow() public view {
        assertEq(settlement.latestRound(), _handler.lastRound());
        if (_handler.lastRound() > 0) assertEq(settlement.latest().observedAt, _handler.lastObservedAt());
    }

    function invariant_storedIsWhatWasSubmitted() public view {
        if (_handler.lastRound() == 0) return;
        ParamWord[] memory params = settlement.params(0, _handler.lastCount());
        assertEq(settlement.latest().instruments, params.length);
        assertEq(keccak256(abi.encodePacked(params)), _handler.lastParams());
        ForwardWord[] memory forwards = settlement.forwards();
        assertEq(keccak256(abi.encodePacked(forwards)), _handler.lastForwards());
    }

    function invariant_epochCountsRotations() public view {
        assertEq(settlement.epoch(), EPOCH + _handler.rotations());
        assertEq(settlement.paused(), _handler.isPaused());
    }

    function invariant_freshMeansUsable() public view {
        if (!settlement.isFresh()) return;
        assertGt(_handler.lastRound(), 0);
        assertFalse(_handler.isPaused());
        assertEq(settlement.latest().epoch, settlement.epoch());
        assertLe(block.timestamp, settlement.latest().validUntil);
    }

    /// @dev The handler takes part in both answers, or the invariants above would say little.
    function test_handlerMeetsBothAnswers() public {
        _handler.submit(1, 3, 1, 0);
        assertEq(_handler.accepted(), 1);
        _handler.submit(1, 3, 1, 0);
        _handler.submit(2, 3, 0, 0);
        _handler.pause();
        _handler.submit(2, 3, 1, 0);
        assertEq(_handler.refused(), 3);
        _handler.unpause();
        _handler.rotate(1);
        _handler.submit(2, 3, 1, 0);
        assertEq(_handler.accepted(), 2);
        assertFalse(_handler.acceptedWrongly());
    }
}
