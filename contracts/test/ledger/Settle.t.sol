// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, ReportCore} from "../../src/HedgeReport.sol";
import {ISettlementEvents} from "../../src/interfaces/ISettlementEvents.sol";
import {Breach} from "../../src/ledger/Breaker.sol";
import {GroupKeys} from "../../src/ledger/GroupKeys.sol";
import {RoundLedger} from "../../src/ledger/RoundLedger.sol";
import {FeedState} from "../../src/types/FeedState.sol";
import {ReportHead} from "../../src/types/ReportHead.sol";
import {SettlementFixture} from "../support/SettlementFixture.sol";
import {WordPacker} from "../support/WordPacker.sol";

/// @dev What is taken, and every reason for which it is not.
contract SettleTest is SettlementFixture {
    function test_acceptsAReport() public {
        HedgeReport memory report = _report(7, 4);
        vm.expectEmit(true, false, false, false, address(settlement));
        emit ISettlementEvents.ReportAccepted(settlement.digestOf(report), FeedState.wrap(0));
        assertTrue(_publish(report));
        RoundLedger.Status memory status = settlement.status();
        assertEq(status.round, 7);
        assertEq(status.observedAt, report.observedAt);
        assertEq(status.acceptedAt, block.timestamp);
        assertEq(status.validUntil, report.validUntil);
        assertEq(status.sequence, 1);
        assertEq(status.stored, 0);
        assertFalse(status.paused || status.flagged);
        assertEq(settlement.latestRound(), 7);
        assertTrue(settlement.isLive());
        (uint256 digest216, uint256 acceptedAt, bool isFinal) = settlement.accepted(1);
        assertEq(digest216, uint256(settlement.digestOf(report)) % 2 ** 216);
        assertEq(acceptedAt, block.timestamp);
        assertFalse(isFinal);
    }

    /// @dev The digest of the short form is EIP-712's of the report, for any report.
    function testFuzz_shortFormHasTheReportsDigest(
        uint40 observedAt,
        uint24 validFor,
        uint48 round,
        bytes32 salt,
        uint8 instruments,
        uint8 expiries
    ) public {
        HedgeReport memory report = _report(1, 1);
        report.round = round;
        report.observedAt = observedAt;
        report.validUntil = uint64(observedAt) + validFor;
        (report.book, report.model) = (salt, ~salt);
        report.params = new bytes32[](1 + instruments % 40);
        report.forwards = new bytes32[](1 + expiries % 6);
        for (uint256 i = 0; i < report.params.length; ++i) {
            report.params[i] = keccak256(abi.encode(salt, i));
        }
        vm.warp(observedAt);
        // Whatever the contract says of it, it is not that another key has signed.
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        (bool success, bytes memory answer) =
            address(settlement).call(abi.encodeCall(settlement.settle, (core, words, r, vs)));
        if (!success) assertNotEq(bytes4(answer), GroupKeys.NotGroupKey.selector);
        else assertEq(settlement.latestRound(), round);
    }

    function test_roundsOnlyGrow() public {
        _publish(_report(7, 2));
        vm.warp(block.timestamp + 10);
        _publishExpecting(_report(7, 2), abi.encodeWithSelector(ISettlementEvents.RoundNotNewer.selector, 7, 7));
        _publishExpecting(_report(6, 2), abi.encodeWithSelector(ISettlementEvents.RoundNotNewer.selector, 6, 7));
        assertTrue(_publish(_report(9, 2)));
        assertEq(settlement.status().sequence, 2);
    }

    /// @dev A key that lied cannot use up the numbers of those that come after it.
    function test_noRoundLeapsToTheEnd() public {
        _publish(_report(7, 2));
        vm.warp(START + 10);
        HedgeReport memory report = _report(8, 2);
        report.round = 7 + 2 ** 32 + 1;
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.RoundNotNewer.selector, 7 + 2 ** 32 + 1, 7));
        report.round = type(uint48).max;
        _publishExpecting(
            report, abi.encodeWithSelector(ISettlementEvents.RoundNotNewer.selector, type(uint48).max, 7)
        );
        report.round = 7 + 2 ** 32;
        assertTrue(_publish(report));
    }

    function test_theSameCallTwice() public {
        HedgeReport memory report = _report(7, 2);
        _publish(report);
        vm.warp(block.timestamp + 10);
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.RoundNotNewer.selector, 7, 7));
    }

    function test_pace() public {
        assertEq(settlement.pace(), WINDOW / 255 + 1);
        _publish(_report(1, 2));
        vm.warp(block.timestamp + settlement.pace() - 1);
        _publishExpecting(
            _report(2, 2),
            abi.encodeWithSelector(RoundLedger.ReportTooSoon.selector, block.timestamp + 1, block.timestamp)
        );
        vm.warp(block.timestamp + 1);
        assertTrue(_publish(_report(2, 2)));
    }

    function test_times() public {
        uint256 now_ = block.timestamp;
        HedgeReport memory report = _report(1, 2);
        report.observedAt = uint64(now_ + 61);
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.ObservedInFuture.selector, now_ + 61, now_));
        report.observedAt = uint64(now_ - 601);
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.ReportTooOld.selector, now_ - 601, now_));
        report.observedAt = uint64(now_ - 100);
        report.validUntil = uint64(now_ - 1);
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.ReportExpired.selector, now_ - 1, now_));
        report.observedAt = uint64(now_);
        report.validUntil = report.observedAt;
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.ValidityOutOfBounds.selector, 0, 3600));
        report.validUntil = report.observedAt + 3601;
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.ValidityOutOfBounds.selector, 3601, 3600));
        // At the bounds.
        report.observedAt = uint64(now_ + 60);
        report.validUntil = report.observedAt + 3600;
        report.params = _params(1, 2);
        assertTrue(_publish(report));
        vm.warp(now_ + 10);
        report = _report(2, 2);
        _publishExpecting(
            report, abi.encodeWithSelector(ISettlementEvents.ObservedBeforePrevious.selector, now_ + 10, now_ + 60)
        );
    }

    function test_counts() public {
        HedgeReport memory report = _report(1, 2);
        report.params = new bytes32[](0);
        _publishExpecting(
            report, abi.encodeWithSelector(ISettlementEvents.InstrumentCountOutOfBounds.selector, 0, 700)
        );
        report.params = new bytes32[](701);
        _publishExpecting(
            report, abi.encodeWithSelector(ISettlementEvents.InstrumentCountOutOfBounds.selector, 701, 700)
        );
        report = _report(1, 2);
        report.forwards = new bytes32[](0);
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.ExpiryCountOutOfBounds.selector, 0, 64));
        report.forwards = new bytes32[](65);
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.ExpiryCountOutOfBounds.selector, 65, 64));
    }

    /// @dev A head that claims more expiries than there are words.
    function test_moreExpiriesThanWords() public {
        HedgeReport memory report = _report(1, 2);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        core.head = ReportHead.wrap(ReportHead.unwrap(core.head) + 3);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementEvents.InstrumentCountOutOfBounds.selector, type(uint256).max, 700)
        );
        settlement.settle(core, words, bytes32(0), bytes32(0));
    }

    function testFuzz_reservedBitsOfTheHead(
        uint8 bit
    ) public {
        bit = uint8(bound(bit, 8, 167));
        vm.assume(bit >= 148 || bit < 76);
        HedgeReport memory report = _report(1, 2);
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        core.head = ReportHead.wrap(ReportHead.unwrap(core.head) | (uint256(1) << bit));
        vm.expectRevert(abi.encodeWithSelector(ISettlementEvents.HeadReservedBits.selector, core.head));
        settlement.settle(core, words, r, vs);
    }

    /// @dev One bit of anything that is signed, and it is another report.
    function testFuzz_anyBitChanged(
        uint256 place,
        uint8 bit
    ) public {
        HedgeReport memory report = _report(1, 3);
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        place %= words.length + 3;
        bytes32 flip = bytes32(uint256(1) << bit);
        if (place == 0) core.book ^= flip;
        else if (place == 1) core.model ^= flip;
        else if (place == 2) core.inputs ^= flip;
        else words[place - 3] ^= flip;
        vm.expectPartialRevert(GroupKeys.NotGroupKey.selector);
        settlement.settle(core, words, r, vs);
    }

    function test_anotherConsortiumsReport() public {
        HedgeReport memory report = _report(1, 2);
        report.consortium = keccak256("another");
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        vm.expectPartialRevert(GroupKeys.NotGroupKey.selector);
        settlement.settle(core, words, r, vs);
    }

    /// @dev Out of bounds: rejected and flagged, nothing is clipped; the round is spent, and the next good report
    /// clears it.
    function test_theBreakerFlags() public {
        _publish(_report(1, 2));
        vm.warp(block.timestamp + 10);
        HedgeReport memory report = _report(2, 2);
        report.params[1] &= bytes32(type(uint256).max >> 32);
        vm.expectEmit(address(settlement));
        emit ISettlementEvents.ReportRejected(2, settlement.digestOf(report), Breach.VOL_OUT_OF_BOUNDS, 1);
        assertFalse(_publish(report));
        assertFalse(settlement.isLive());
        RoundLedger.Status memory status = settlement.status();
        assertTrue(status.flagged);
        assertEq(status.round, 2);
        assertEq(status.sequence, 1);
        _publishExpecting(report, abi.encodeWithSelector(ISettlementEvents.RoundNotNewer.selector, 2, 2));
        vm.warp(block.timestamp + 10);
        assertTrue(_publish(_report(3, 2)));
        assertTrue(settlement.isLive());
    }

    function test_aJumpIsRejectedUntilTheHorizon() public {
        _publish(_report(1, 2));
        vm.warp(block.timestamp + 10);
        HedgeReport memory report = _report(2, 2);
        report.forwards[0] = WordPacker.forward(FIRST_EXPIRY, FIRST_FORWARD * 11_501 / 10_000);
        assertFalse(_publish(report));
        report = _report(3, 2);
        report.forwards[0] = WordPacker.forward(FIRST_EXPIRY, FIRST_FORWARD * 8499 / 10_000);
        assertFalse(_publish(report));
        // A crash is no outage: after the horizon the forward may be anywhere.
        vm.warp(START + 901);
        report = _report(4, 2);
        report.forwards[0] = WordPacker.forward(FIRST_EXPIRY, FIRST_FORWARD / 2);
        assertTrue(_publish(report));
        assertTrue(settlement.isLive());
    }

    function test_aSmallMoveIsTaken() public {
        _publish(_report(1, 2));
        vm.warp(block.timestamp + 10);
        HedgeReport memory report = _report(2, 2);
        report.forwards[0] = WordPacker.forward(FIRST_EXPIRY, FIRST_FORWARD * 11_499 / 10_000);
        assertTrue(_publish(report));
    }

    function test_liveEndsWithValidity() public {
        HedgeReport memory report = _report(1, 2);
        _publish(report);
        vm.warp(report.validUntil);
        assertTrue(settlement.isLive());
        vm.warp(report.validUntil + 1);
        assertFalse(settlement.isLive());
    }

    function test_nothingBeforeTheFirst() public {
        assertFalse(settlement.isLive());
        assertEq(settlement.latestRound(), 0);
        assertEq(settlement.finalSequence(), 0);
        vm.expectRevert(abi.encodeWithSelector(RoundLedger.SequenceUnknown.selector, 0, 0));
        settlement.accepted(0);
    }
}
