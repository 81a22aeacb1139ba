// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../../src/HedgeReport.sol";
import {Config} from "../../src/ledger/Config.sol";
import {RoundLedger} from "../../src/ledger/RoundLedger.sol";
import {SettlementFixture} from "../support/SettlementFixture.sol";

/// @dev Pending until the window has passed, then final for good.
contract FinalityTest is SettlementFixture {
    uint24 private constant LONGER = 3000;

    function test_finalWithTheWindow() public {
        HedgeReport memory report = _report(1, 2);
        _publish(report);
        vm.warp(START + WINDOW - 1);
        assertEq(settlement.finalSequence(), 0);
        _assertProves(report, 1, true, false);
        vm.warp(START + WINDOW);
        assertEq(settlement.finalSequence(), 1);
        _assertProves(report, 1, true, true);
    }

    function test_provesNothingElse() public {
        HedgeReport memory report = _report(1, 2);
        _publish(report);
        vm.warp(START + WINDOW);
        _assertProves(report, 0, false, false);
        _assertProves(report, 2, false, false);
        report.params[0] ^= bytes32(uint256(1));
        _assertProves(report, 1, false, false);
    }

    /// @dev Far round the ring, at the fastest pace: a final report is always there, and the latest is found.
    function test_roundTheRing() public {
        uint256 pace = settlement.pace();
        for (uint256 i = 1; i <= 600; ++i) {
            vm.warp(START + i * pace);
            this.publishQuickly(uint64(i));
            uint256 expected = i * pace <= WINDOW ? 0 : (i * pace - WINDOW) / pace;
            assertEq(settlement.finalSequence(), expected);
        }
        vm.expectRevert(abi.encodeWithSelector(RoundLedger.SequenceUnknown.selector, 600 - 256, 600));
        settlement.accepted(600 - 256);
        settlement.accepted(600 - 255);
    }

    /// @dev The slowest reports: all final but the last.
    function test_sparseReports() public {
        for (uint64 i = 1; i <= 5; ++i) {
            vm.warp(START + uint256(i) * WINDOW);
            this.publishQuickly(i);
            assertEq(settlement.finalSequence(), i - 1);
        }
    }

    function test_newParametersDropWhatIsPending() public {
        (HedgeReport memory first, HedgeReport memory second) = _twoWithOneFinal();
        // What was final stays so under a longer window.
        Config memory config = _defaultConfig();
        config.challengeWindow = LONGER;
        _executeParameters(config);
        assertEq(settlement.finalSequence(), 1);
        assertEq(settlement.status().sequence, 1);
        _assertProves(first, 1, true, true);
        _assertProves(second, 2, false, false);
        assertFalse(settlement.isLive());

        // The number is given again, to a report that is pending for as long as the new window.
        uint256 acceptedAt = START + DELAY + 1000;
        vm.warp(acceptedAt);
        HedgeReport memory third = _report(11, 2);
        _publish(third);
        _assertProves(third, 2, true, false);
        _assertProves(second, 2, false, false);
        vm.warp(acceptedAt + LONGER - 1);
        assertEq(settlement.finalSequence(), 1);
        vm.warp(acceptedAt + LONGER);
        assertEq(settlement.finalSequence(), 2);
    }

    function test_aDroppedReportCannotComeBack() public {
        (, HedgeReport memory second) = _twoWithOneFinal();
        _executeParameters(_defaultConfig());
        _publishExpecting(second, abi.encodeWithSignature("RoundNotNewer(uint256,uint256)", 10, 10));
    }

    function test_rotationDropsWhatIsPending() public {
        (HedgeReport memory first, HedgeReport memory second) = _twoWithOneFinalBefore(
            _rotateHash(settlement, vm.addr(1234), EPOCH + 1, 0, bytes32(uint256(99)), type(uint256).max)
        );
        members.rotateGroupKey(settlement, vm.addr(1234), EPOCH + 1, 0, bytes32(uint256(99)), type(uint256).max);
        assertEq(settlement.status().sequence, 1);
        _assertProves(first, 1, true, true);
        _assertProves(second, 2, false, false);
    }

    function test_nothingPendingNothingDropped() public {
        _publish(_report(1, 2));
        _setParameters(settlement, _defaultConfig(), _defaultTolerances());
        assertEq(settlement.status().sequence, 1);
        assertEq(settlement.finalSequence(), 1);
    }

    /// @dev After a drop the forward of a dropped report does not hold up the next one.
    function test_noAnchorOfADroppedReport() public {
        _twoWithOneFinal();
        _executeParameters(_defaultConfig());
        vm.warp(START + DELAY + 10);
        HedgeReport memory report = _report(11, 2);
        report.forwards[0] = bytes32(uint256(report.forwards[0]) - uint256(FIRST_FORWARD) / 2);
        assertTrue(_publish(report));
    }

    function test_pauseStopsNoFinality() public {
        _publish(_report(1, 2));
        _pause(settlement);
        vm.warp(START + WINDOW);
        assertEq(settlement.finalSequence(), 1);
        assertFalse(settlement.isLive());
        vm.warp(START + WINDOW + 1);
        _publishExpecting(_report(2, 2), abi.encodeWithSignature("FeedPaused()"));
        _unpause(settlement);
        assertTrue(_publish(_report(2, 2)));
        assertTrue(settlement.isLive());
    }

    /// @dev An unpause that is left over from before does not end a later pause.
    function test_noUnpauseThatWasScheduledBeforeThePause() public {
        bytes32 salt = _salt();
        bytes32 action = _unpauseHash(settlement, salt, type(uint256).max);
        _schedule(action);
        vm.warp(START + DELAY);
        _pause(settlement);
        vm.expectRevert(abi.encodeWithSignature("ScheduledBeforePause(bytes32,uint256)", action, START + DELAY));
        members.unpause(settlement, salt, type(uint256).max);
        _unpause(settlement);
        assertFalse(settlement.status().paused);
    }

    /// @dev A call of its own, so that its memory is given back.
    function publishQuickly(
        uint64 round
    ) external {
        HedgeReport memory report = _report(round, 1);
        _publish(report);
    }

    function _assertProves(
        HedgeReport memory report,
        uint256 sequence,
        bool accepted,
        bool isFinal
    ) private view {
        (bool isAccepted, bool finality) = settlement.proves(report, sequence);
        assertEq(isAccepted, accepted);
        assertEq(finality, isFinal);
    }

    function _twoWithOneFinal() private returns (HedgeReport memory first, HedgeReport memory second) {
        return _twoWithOneFinalBefore(
            _parametersHash(settlement, _longer(), _defaultTolerances(), bytes32(uint256(98)), type(uint256).max)
        );
    }

    function _longer() private pure returns (Config memory config) {
        config = _defaultConfig();
        config.challengeWindow = LONGER;
    }

    /// @dev Round 1 long final, round 10 accepted in the same second in which the decision can be carried out.
    function _twoWithOneFinalBefore(
        bytes32 decision
    ) private returns (HedgeReport memory first, HedgeReport memory second) {
        first = _report(1, 2);
        _publish(first);
        _schedule(decision);
        _schedule(
            _parametersHash(
                settlement, _defaultConfig(), _defaultTolerances(), bytes32(uint256(97)), type(uint256).max
            )
        );
        vm.warp(block.timestamp + DELAY);
        second = _report(10, 2);
        _publish(second);
        assertEq(settlement.finalSequence(), 1);
    }

    function _executeParameters(
        Config memory config
    ) private {
        bytes32 salt = bytes32(uint256(config.challengeWindow == WINDOW ? 97 : 98));
        members.setParameters(settlement, config, _defaultTolerances(), salt, type(uint256).max);
    }
}
