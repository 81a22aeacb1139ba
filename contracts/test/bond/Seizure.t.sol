// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumBond} from "../../src/bond/ConsortiumBond.sol";
import {BondFixture, Holder} from "./BondFixture.sol";

/// @dev What a proof of fraud does to the bond, and to who tries to leave before it.
contract SeizureTest is BondFixture {
    function test_seizure() public {
        _bond(alice, 7 ether);
        _bond(bob, 3 ether + 5);
        ledger.slash(3, challenger);
        vm.expectEmit(address(bond));
        emit ConsortiumBond.Seized(3, challenger, 1 ether, 9 ether + 5);
        bond.seize();
        assertEq(bond.rewardOf(challenger), 1 ether, "rounded down, for the sink");
        assertEq(bond.forfeited(), 9 ether + 5);
        assertEq(bond.pooled() + bond.secured() + bond.totalShares(), 0);
        assertEq(bond.sharesOf(alice) + bond.sharesOf(bob), 0);

        vm.expectEmit(address(bond));
        emit ConsortiumBond.RewardPaid(challenger, 1 ether);
        vm.prank(challenger);
        bond.collect();
        vm.expectEmit(address(bond));
        emit ConsortiumBond.Swept(9 ether + 5);
        bond.sweep();
        assertEq(challenger.balance, 1 ether);
        assertEq(sink.balance, 9 ether + 5);
        assertEq(address(bond).balance, 0);
    }

    function test_nothingTwice() public {
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NothingToSeize.selector, 0));
        bond.seize();
        vm.expectRevert(ConsortiumBond.NothingToSweep.selector);
        bond.sweep();
        _seizeFrom(10 ether, 3);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NothingToSeize.selector, 3));
        bond.seize();
        vm.startPrank(challenger);
        bond.collect();
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NoReward.selector, challenger));
        bond.collect();
        bond.sweep();
        vm.expectRevert(ConsortiumBond.NothingToSweep.selector);
        bond.sweep();
        assertEq(challenger.balance + sink.balance, 10 ether);
    }

    function test_strangersCollectNothing() public {
        _seizeFrom(10 ether, 3);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NoReward.selector, alice));
        vm.prank(alice);
        bond.collect();
    }

    function test_nothingMovesBetweenProofAndSeizure() public {
        _bond(alice, 2 ether);
        _request(alice, 1 ether);
        vm.warp(START + DELAY);
        ledger.slash(3, challenger);
        bytes memory refusal = abi.encodeWithSelector(ConsortiumBond.SeizureOutstanding.selector, 3);
        vm.deal(alice, 1);
        vm.startPrank(alice);
        vm.expectRevert(refusal);
        bond.bond{value: 1}(alice);
        vm.expectRevert(refusal);
        bond.requestUnbonding(1);
        vm.expectRevert(refusal);
        bond.unbond();
        // Moves nothing out.
        bond.cancelUnbonding();
        vm.stopPrank();
        assertEq(bond.pooled(), 2 ether);
        assertEq(bond.secured(), 0, "lost already, it secures nothing that is signed now");
        bond.seize();
        assertEq(bond.rewardOf(challenger) + bond.forfeited(), 2 ether);
    }

    /// @dev The member asked in time and waited for all of the delay; the proof comes one second before it may leave.
    function test_fraudAtTheLastMomentBeforeLeaving() public {
        _bond(alice, 4 ether);
        _request(alice, 4 ether);
        vm.warp(START + DELAY - 1);
        ledger.slash(3, challenger);
        vm.warp(START + DELAY);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.SeizureOutstanding.selector, 3));
        _unbond(alice);
        bond.seize();
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NothingUnbonding.selector, alice));
        _unbond(alice);
        assertEq(bond.rewardOf(challenger) + bond.forfeited(), 4 ether);
    }

    /// @dev A report that is accepted while `secured()` says so much is secured by it for all of the time for a
    /// challenge.
    function testFuzz_whatSecuresAReportIsThereForItsChallenge(
        uint256 before,
        uint256 challengedAfter,
        uint256 leaving
    ) public {
        before = bound(before, 0, DELAY);
        challengedAfter = bound(challengedAfter, 0, 8 days + 1 hours);
        _bond(alice, 4 ether);
        _bond(bob, 1 ether);
        leaving = bound(leaving, 1, 4 ether);
        _request(alice, leaving);
        vm.warp(START + before);
        uint256 secured = bond.secured();
        uint256 accepted = block.timestamp;
        // Everybody runs as soon as the report is out.
        if (leaving < 4 ether) _request(alice, 4 ether - leaving);
        _request(bob, 1 ether);
        for (uint256 time = accepted; time <= accepted + challengedAfter; time += 6 hours) {
            vm.warp(time);
            _tryToLeave(alice);
            _tryToLeave(bob);
        }
        vm.warp(accepted + challengedAfter);
        ledger.slash(3, challenger);
        bond.seize();
        assertGe(bond.rewardOf(challenger) + bond.forfeited(), secured);
    }

    function test_aNewGenerationOwesTheOldOneNothing() public {
        _bond(alice, 4 ether);
        _bond(bob, 1 ether);
        _request(alice, 3 ether);
        vm.warp(START + DELAY);
        ledger.slash(3, challenger);
        bond.seize();
        assertEq(bond.unbondingOf(alice).shares, 0);
        _bond(bob, 2 ether);
        bytes memory nothing = abi.encodeWithSelector(ConsortiumBond.NothingUnbonding.selector, alice);
        vm.expectRevert(nothing);
        _unbond(alice);
        vm.expectRevert(nothing);
        vm.prank(alice);
        bond.cancelUnbonding();
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NotEnoughShares.selector, 1, 0));
        _request(alice, 1);
        assertEq(bond.secured(), 2 ether, "an old request leaves with the pool it was of");

        // Nor does an old request come back to life beside a new one.
        _bond(alice, 1 ether);
        _request(alice, 1 ether);
        assertEq(bond.unbondingOf(alice).shares, 1 ether);
        vm.warp(block.timestamp + DELAY);
        assertEq(_unbond(alice), 1 ether);
        assertEq(bond.pooled(), 2 ether);
    }

    function test_twoSlashes() public {
        address second = makeAddr("second");
        _seizeFrom(10 ether, 3);
        _bond(bob, 20 ether);
        ledger.slash(4, second);
        bond.seize();
        assertEq(bond.rewardOf(challenger), 1 ether);
        assertEq(bond.rewardOf(second), 2 ether);
        assertEq(bond.forfeited(), 27 ether);
        // The same challenger again, its first reward not collected.
        _bond(bob, 30 ether);
        ledger.slash(5, challenger);
        bond.seize();
        assertEq(bond.rewardOf(challenger), 4 ether);
        vm.prank(challenger);
        bond.collect();
        bond.sweep();
        assertEq(challenger.balance, 4 ether);
        assertEq(sink.balance, 54 ether);
    }

    /// @dev Why a challenger should seize at once: there is one pool, and the later proof's challenger takes it.
    function test_twoSlashesBeforeASeizure() public {
        _bond(alice, 10 ether);
        ledger.slash(3, alice);
        ledger.slash(4, challenger);
        bond.seize();
        assertEq(bond.rewardOf(alice), 0);
        assertEq(bond.rewardOf(challenger), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NothingToSeize.selector, 4));
        bond.seize();
    }

    function test_anEmptyPoolIsSeizedToo() public {
        ledger.slash(3, challenger);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.SeizureOutstanding.selector, 3));
        bond.bond{value: 1}(alice);
        bond.seize();
        assertEq(bond.rewardOf(challenger), 0);
        assertEq(_bond(alice, 1 ether), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NoReward.selector, challenger));
        vm.prank(challenger);
        bond.collect();
    }

    function testFuzz_nothingIsLostInTheSplit(
        uint256 pool,
        uint256 reward
    ) public {
        pool = bound(pool, 1, 1e27);
        reward = bound(reward, 1, 9999);
        bond = new ConsortiumBond(ledger, sink, reward, DELAY);
        _seizeFrom(pool, 1);
        assertEq(bond.rewardOf(challenger) + bond.forfeited(), pool);
        assertLe(bond.rewardOf(challenger) * 10_000, pool * reward);
        assertGt(bond.forfeited(), 0, "a consortium that proves against itself always loses something");
    }

    // Who takes no ether

    function test_aChallengerThatTakesNoEtherIsOwedUntilItDoes() public {
        Holder contractChallenger = new Holder(bond);
        _bond(alice, 10 ether);
        ledger.slash(3, address(contractChallenger));
        bond.seize();
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.PaymentFailed.selector, contractChallenger, 1 ether));
        contractChallenger.run(abi.encodeCall(bond.collect, ()), 0);
        assertEq(bond.rewardOf(address(contractChallenger)), 1 ether);
        // Meanwhile everything else goes on.
        bond.sweep();
        _bond(bob, 1 ether);
        contractChallenger.open();
        contractChallenger.run(abi.encodeCall(bond.collect, ()), 0);
        assertEq(address(contractChallenger).balance, 1 ether);
    }

    function test_aSinkThatTakesNoEtherHoldsNobodyUp() public {
        Holder closed = new Holder(bond);
        bond = new ConsortiumBond(ledger, address(closed), REWARD, DELAY);
        _seizeFrom(10 ether, 3);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.PaymentFailed.selector, closed, 9 ether));
        bond.sweep();
        vm.prank(challenger);
        bond.collect();
        assertEq(challenger.balance, 1 ether);
        _bond(bob, 2 ether);
        _request(bob, 2 ether);
        vm.warp(block.timestamp + DELAY);
        assertEq(_unbond(bob), 2 ether, "what the sink is owed is not paid to others, nor kept from them");
        closed.open();
        bond.sweep();
        assertEq(address(closed).balance, 9 ether);
    }

    function test_reentranceCollectsOnce() public {
        Holder greedy = new Holder(bond);
        _bond(alice, 10 ether);
        ledger.slash(3, address(greedy));
        bond.seize();
        greedy.reenterWith(abi.encodeCall(bond.collect, ()));
        greedy.run(abi.encodeCall(bond.collect, ()), 0);
        assertEq(address(greedy).balance, 1 ether);
        assertGt(greedy.refusal().length, 0);
        assertEq(address(bond).balance, 9 ether);
    }

    function _tryToLeave(
        address account
    ) private {
        ConsortiumBond.Unbonding memory request = bond.unbondingOf(account);
        if (request.shares != 0 && block.timestamp >= request.readyAt) _unbond(account);
    }

    function _seizeFrom(
        uint256 pool,
        uint64 epoch
    ) private {
        _bond(alice, pool);
        ledger.slash(epoch, challenger);
        bond.seize();
    }
}
