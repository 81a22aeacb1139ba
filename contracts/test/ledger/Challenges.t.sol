// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, SignedHeader} from "../../src/HedgeReport.sol";
import {IHedgeFeed} from "../../src/interfaces/IHedgeFeed.sol";
import {IReportJudge, Law, Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {Challenges} from "../../src/ledger/Challenges.sol";
import {GroupKeys} from "../../src/ledger/GroupKeys.sol";
import {StoredReports} from "../../src/ledger/StoredReports.sol";
import {ChallengeFixture} from "./ChallengeFixture.sol";

/// @dev Proofs against signed reports, by the real judge: what each does, and that none holds against an honest
/// report.
contract ChallengesTest is ChallengeFixture {
    function test_equivocation() public {
        _publish(_report(1, COUNT));
        (HedgeReport memory one, HedgeReport memory other) = _twoOfRound(2);
        SignedHeader memory first = _signedHeader(one);
        SignedHeader memory second = _signedHeader(other);
        vm.expectEmit(address(settlement));
        emit Challenges.Equivocation(EPOCH, 2, CHALLENGER);
        vm.prank(CHALLENGER);
        settlement.equivocate(first, second);
        _assertSlashed();
        // And once only.
        vm.expectRevert(abi.encodeWithSelector(GroupKeys.KeySlashed.selector, EPOCH));
        settlement.equivocate(first, second);
    }

    function test_equivocationNeedsTwoDigests() public {
        (HedgeReport memory one, HedgeReport memory other) = _twoOfRound(2);
        SignedHeader memory first = _signedHeader(one);
        vm.expectRevert(abi.encodeWithSelector(Challenges.SameDigest.selector, settlement.digestOf(one)));
        settlement.equivocate(first, first);
        other.round = 3;
        SignedHeader memory second = _signedHeader(other);
        vm.expectRevert(Challenges.OtherRound.selector);
        settlement.equivocate(first, second);
        other.round = 2;
        other.epoch = EPOCH + 1;
        second = _signedHeader(other);
        vm.expectRevert(Challenges.OtherRound.selector);
        settlement.equivocate(first, second);
    }

    function test_equivocationNeedsTheKey() public {
        (HedgeReport memory one, HedgeReport memory other) = _twoOfRound(2);
        SignedHeader memory first = _signedHeader(one);
        groupPrivateKey = 77;
        SignedHeader memory second = _signedHeader(other);
        vm.expectPartialRevert(GroupKeys.NotGroupKey.selector);
        settlement.equivocate(first, second);
        vm.expectPartialRevert(GroupKeys.NotGroupKey.selector);
        settlement.equivocate(second, first);
    }

    /// @dev Another signature over the same digest is no second report.
    function test_twoSignaturesAreNoEquivocation() public {
        HedgeReport memory report = _report(2, COUNT);
        SignedHeader memory first = _signedHeader(report);
        SignedHeader memory second = _signedHeader(report);
        bytes32 digest = settlement.digestOf(report);
        // A cheatcode that forge-std does not name yet.
        (bool known, bytes memory signature) = address(vm)
            .call(
                abi.encodeWithSignature(
                    "signWithNonceUnsafe(uint256,bytes32,uint256)", groupPrivateKey, digest, uint256(12_345)
                )
            );
        assertTrue(known);
        (uint8 v, bytes32 r, bytes32 s) = abi.decode(signature, (uint8, bytes32, bytes32));
        (second.r, second.vs) = (r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
        assertNotEq(second.r, first.r);
        vm.expectRevert(abi.encodeWithSelector(Challenges.SameDigest.selector, digest));
        settlement.equivocate(first, second);
    }

    function test_eachLawHolds() public {
        // Put 0 and call 1 of the lowest strike; the next strike's are 2 and 3.
        _assertUpheld(Law.RANGE, _reportWith(1, _word(1, 4, 700_000)), _list(_ids[1]));
        _assertUpheld(Law.BLACK76, _reportWith(1, _word(1, 2, 10_000)), _list(_ids[1]));
        _assertUpheld(Law.PARITY, _reportWith(1, _word(1, 1, 100_000)), _list(_ids[1], _ids[0]));
        _assertUpheld(Law.MONOTONE, _reportWith(3, _word(3, 2, 50_000)), _list(_ids[1], _ids[3]));
        _assertUpheld(Law.BUTTERFLY, _reportWith(3, _word(3, 5, 5_000_000)), _list(_ids[1], _ids[3], _ids[5]));
        _assertUpheld(Law.HEDGE_BAND, _reportWith(1, _word(1, 3, 4_000_000)), _list(_ids[1]));
    }

    /// @dev An honest report survives every law over every choice of its instruments; the bond is forfeited.
    function test_anHonestReportSurvivesEveryLaw() public {
        HedgeReport memory report = _report(5, COUNT);
        _publish(report);
        uint256 failed = 0;
        for (uint256 i = 0; i < COUNT; ++i) {
            failed += _assertFails(report, Law.RANGE, _list(_ids[i]));
            failed += _assertFails(report, Law.BLACK76, _list(_ids[i]));
            failed += _assertFails(report, Law.HEDGE_BAND, _list(_ids[i]));
            if (i % 2 == 0) failed += _assertFails(report, Law.PARITY, _list(_ids[i + 1], _ids[i]));
            for (uint256 j = i + 2; j < (i < COUNT / 2 ? COUNT / 2 : COUNT); j += 2) {
                failed += _assertFails(report, Law.MONOTONE, _list(_ids[i], _ids[j]));
                for (uint256 k = j + 2; k < (i < COUNT / 2 ? COUNT / 2 : COUNT); k += 2) {
                    failed += _assertFails(report, Law.BUTTERFLY, _list(_ids[i], _ids[j], _ids[k]));
                }
            }
        }
        assertGt(failed, 200);
        assertEq(address(settlement).balance, failed * CHALLENGE_BOND);
        assertTrue(settlement.isLive());
        uint256 before = SINK.balance;
        settlement.sweep();
        assertEq(SINK.balance - before, failed * CHALLENGE_BOND);
        assertEq(address(settlement).balance, 0);
    }

    function test_aReportThatDoesNotFitItsBook() public {
        HedgeReport memory report = _report(1, COUNT);
        report.params = _params(1, COUNT - 1);
        _assertUpheld(Law.RANGE, report, _list(_ids[0]));
        report = _report(1, COUNT);
        report.forwards[1] = bytes32(uint256(report.forwards[1]) + (1 << 96));
        _assertUpheld(Law.HEDGE_BAND, report, _list(_ids[0]));
    }

    function test_whatAChallengeNeeds() public {
        HedgeReport memory report = _report(1, COUNT);
        bytes memory signature = _sign(report);
        vm.startPrank(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(Challenges.ChallengeBondMismatch.selector, 0, CHALLENGE_BOND));
        settlement.challenge(report, signature, Law.RANGE, _list(_ids[0]));
        vm.expectRevert(
            abi.encodeWithSelector(Challenges.ChallengeBondMismatch.selector, CHALLENGE_BOND + 1, CHALLENGE_BOND)
        );
        settlement.challenge{value: CHALLENGE_BOND + 1}(report, signature, Law.RANGE, _list(_ids[0]));
        vm.expectRevert(abi.encodeWithSelector(Challenges.InstrumentNotInBook.selector, 999));
        settlement.challenge{value: CHALLENGE_BOND}(report, signature, Law.RANGE, _list(999));
        vm.expectRevert(abi.encodeWithSelector(IReportJudge.ExhibitsDoNotFit.selector, Law.RANGE));
        settlement.challenge{value: CHALLENGE_BOND}(report, signature, Law.RANGE, _list(_ids[0], _ids[1]));
        vm.stopPrank();
        report.round = 2;
        _expectChallengeRevert(report, signature, GroupKeys.NotGroupKey.selector);
        report = _report(1, 6);
        signature = _sign(report);
        _expectChallengeRevert(report, signature, StoredReports.BookNotRegistered.selector);
        report = _report(1, COUNT);
        report.consortium = keccak256("another");
        _expectChallengeRevert(report, _sign(report), Challenges.WrongConsortium.selector);
        assertEq(address(settlement).balance, 0);
    }

    function test_tooLate() public {
        HedgeReport memory report = _reportWith(1, _word(1, 2, 10_000));
        bytes memory signature = _sign(report);
        vm.warp(START + 8 days);
        _assertWouldBeUpheld(report, signature);
        vm.warp(START + 8 days + 1);
        _expectChallengeRevert(report, signature, Challenges.ChallengeTooLate.selector);
    }

    /// @dev A report is judged by what was in force when it was observed: members save none by changing it.
    function test_otherTolerancesSaveNoReport() public {
        vm.warp(START + 8 days - DELAY);
        Tolerances memory wide = _defaultTolerances();
        wide.delta = 19_000;
        bytes32 salt = _salt();
        _schedule(_parametersHash(settlement, _defaultConfig(), wide, salt, type(uint256).max));
        vm.warp(START + 8 days - 1);
        HedgeReport memory report = _reportWith(1, _word(1, 2, 10_000));
        bytes memory signature = _sign(report);
        vm.warp(START + 8 days);
        members.setParameters(settlement, _defaultConfig(), wide, salt, type(uint256).max);
        assertEq(settlement.tolerances().delta, 19_000);
        assertEq(settlement.tolerancesAt(START + 8 days - 1).delta, _defaultTolerances().delta);
        assertEq(settlement.tolerancesAt(START + 8 days).delta, 19_000);
        assertEq(settlement.tolerancesSince(), START + 8 days);
        _assertWouldBeUpheld(report, signature);
        // And what is observed under the wider ones is judged by them.
        report = _reportWith(1, _word(1, 2, 10_000));
        assertEq(_assertFails(report, Law.BLACK76, _list(_ids[1])), 1);
    }

    /// @dev Two changes in a row would put a report beyond the reach of the tolerances that it was made for.
    function test_tolerancesChangeOnceInEightDays() public {
        // The same ones are no change.
        _setParameters(settlement, _defaultConfig(), _defaultTolerances());
        assertEq(settlement.tolerancesSince(), START);
        Tolerances memory wide = _defaultTolerances();
        wide.delta = 19_000;
        bytes32 salt = _salt();
        _decide(_parametersHash(settlement, _defaultConfig(), wide, salt, type(uint256).max));
        uint256 now_ = vm.getBlockTimestamp();
        vm.expectRevert(abi.encodeWithSelector(Challenges.TolerancesTooSoon.selector, START + 8 days, now_));
        members.setParameters(settlement, _defaultConfig(), wide, salt, type(uint256).max);
        vm.warp(START + 8 days);
        members.setParameters(settlement, _defaultConfig(), wide, salt, type(uint256).max);
    }

    /// @dev A key that was replaced answers for what it signed for as long as a report can be challenged.
    function test_aReplacedKeyAnswersForEightDays() public {
        (HedgeReport memory one, HedgeReport memory other) = _twoOfRound(2);
        SignedHeader memory first = _signedHeader(one);
        SignedHeader memory second = _signedHeader(other);
        _rotate(4242, 60);
        uint256 until = vm.getBlockTimestamp() + 60;
        _rotate(4343, 0);
        vm.warp(until + 8 days + 1);
        vm.expectRevert(abi.encodeWithSelector(GroupKeys.KeyRetired.selector, EPOCH, until + 8 days));
        settlement.equivocate(first, second);
        vm.warp(until + 8 days);
        settlement.equivocate(first, second);
        assertEq(settlement.groupKey(), address(0));
    }

    /// @dev Neither a pause nor a scheduled decision holds a challenge up.
    function test_pauseBlocksNoChallenge() public {
        _publish(_report(1, COUNT));
        _pause(settlement);
        _assertUpheldNow(Law.BLACK76, _reportWith(1, _word(1, 2, 10_000)), _list(_ids[1]));
    }

    function test_aProofVoidsWhatIsPending() public {
        HedgeReport memory old = _report(1, COUNT);
        _publishStored(old);
        vm.warp(START + WINDOW);
        HedgeReport memory liar = _reportWith(1, _word(1, 2, 10_000));
        liar.round = 2;
        _publishStored(liar);
        vm.warp(START + WINDOW + 30);
        HedgeReport memory later = _report(3, COUNT);
        _publishStored(later);
        vm.warp(START + 2 * WINDOW - 1);
        bytes memory signature = _sign(liar);
        vm.prank(CHALLENGER);
        assertTrue(settlement.challenge{value: CHALLENGE_BOND}(liar, signature, Law.BLACK76, _list(_ids[1])));
        _assertSlashed();
        assertEq(CHALLENGER.balance, 10 ether);
        // However long members wait.
        vm.warp(START + 5 days);
        assertEq(settlement.finalSequence(), 1);
        assertEq(settlement.latestSequence(), 1);
        assertEq(settlement.reading(_ids[1]).round, 1);
        vm.expectRevert(abi.encodeWithSelector(IHedgeFeed.NoReading.selector, _ids[1], 2));
        settlement.readingAt(_ids[1], 2);
        // Until they act, nothing is taken.
        _publishExpecting(_report(4, COUNT), abi.encodeWithSelector(GroupKeys.KeySlashed.selector, EPOCH));
        address old_ = settlement.challengerOf(EPOCH);
        _rotate(5555, 0);
        assertEq(settlement.challengerOf(EPOCH), old_);
        assertEq(settlement.lastSlashedEpoch(), EPOCH);
        vm.warp(START + 20 days);
        assertEq(settlement.finalSequence(), 1);
    }

    /// @dev A report that is final stays so when it is proved wrong: whoever relied on it did. The feed stops all the
    /// same.
    function test_aProofAgainstAFinalReport() public {
        HedgeReport memory liar = _reportWith(1, _word(1, 2, 10_000));
        _publishStored(liar);
        vm.warp(START + WINDOW + 1);
        bytes memory signature = _sign(liar);
        vm.prank(CHALLENGER);
        settlement.challenge{value: CHALLENGE_BOND}(liar, signature, Law.BLACK76, _list(_ids[1]));
        assertEq(settlement.latestSequence(), 1);
        assertFalse(settlement.isLive());
    }
}
