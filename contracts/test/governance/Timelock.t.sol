// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumMembers} from "../../src/governance/ConsortiumMembers.sol";
import {MembersFixture, MockGovernedFeed} from "./MembersFixture.sol";

/// @dev When a decision can be carried out, and how it is called off. The action unpauses and has START + 100 as its
/// deadline.
contract TimelockTest is MembersFixture {
    uint256 private constant _DEADLINE = START + 100;

    function setUp() public override {
        super.setUp();
        _pause(feed);
    }

    function test_anybodyCarriesItOutAtTheExactSecond() public {
        bytes32 action = _action();
        _schedule(action);
        assertEq(members.scheduled(action).since, START);
        vm.warp(START + DELAY - 1);
        vm.expectRevert(
            abi.encodeWithSelector(ConsortiumMembers.ActionTooEarly.selector, action, START + DELAY, START + DELAY - 1)
        );
        _carryOut();
        vm.warp(START + DELAY);
        vm.prank(makeAddr("anybody"));
        _carryOut();
        assertFalse(feed.paused());
        assertTrue(members.scheduled(action).done);
    }

    function test_theGraceAfterIt() public {
        bytes32 action = _action();
        _schedule(action);
        uint256 end = START + DELAY + members.ACTION_GRACE();
        vm.warp(end + 1);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionExpired.selector, action, end, end + 1));
        _carryOut();
        vm.warp(end);
        _carryOut();
        assertFalse(feed.paused());
    }

    function test_theDeadlineIsForScheduling() public {
        bytes32 action = _action();
        vm.warp(_DEADLINE);
        _schedule(action);
        vm.warp(_DEADLINE + DELAY);
        _carryOut();
        assertFalse(feed.paused(), "long after it");
    }

    function test_scheduledAfterItsDeadline() public {
        bytes32 action = _action();
        vm.warp(_DEADLINE + 1);
        _decide(action);
        vm.expectRevert(
            abi.encodeWithSelector(ConsortiumMembers.ActionExpired.selector, action, _DEADLINE, _DEADLINE + 1)
        );
        _carryOut();
    }

    function test_neverScheduled() public {
        bytes memory refusal = abi.encodeWithSelector(ConsortiumMembers.ActionNotScheduled.selector, _action());
        vm.expectRevert(refusal);
        _carryOut();
    }

    function test_onceOnly() public {
        bytes32 action = _action();
        _decide(action);
        _carryOut();
        _pause(feed);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionNotScheduled.selector, action));
        _carryOut();
        // Nor do the same signatures schedule it again.
        (address[] memory signers, bytes[] memory signatures) = _approvals(action, QUORUM);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionKnown.selector, action));
        members.schedule(action, signers, signatures);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionKnown.selector, action));
        members.cancel(action, signers, signatures);
        assertTrue(feed.paused());
    }

    /// @dev Scheduling it again would start the delay anew, and so put it off for ever.
    function test_scheduledOnceOnly() public {
        bytes32 action = _action();
        _schedule(action);
        (address[] memory signers, bytes[] memory signatures) = _approvals(action, QUORUM);
        vm.warp(START + 1);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionKnown.selector, action));
        members.schedule(action, signers, signatures);
        assertEq(members.scheduled(action).since, START);
    }

    function test_anotherSaltIsAnotherAction() public {
        _decide(_action());
        _carryOut();
        _pause(feed);
        _unpause(feed);
        assertFalse(feed.paused());
    }

    function test_forOneFeedOnly() public {
        MockGovernedFeed other = new MockGovernedFeed();
        _decide(_action());
        bytes32 wrong = _unpauseHash(other, SALT, _DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionNotScheduled.selector, wrong));
        members.unpause(other, SALT, _DEADLINE);
        assertEq(other.caller(), address(0));
    }

    // Calling off

    function test_cancelledAfterScheduling() public {
        bytes32 action = _action();
        _decide(action);
        _cancel(action);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionNotScheduled.selector, action));
        _carryOut();
        (address[] memory signers, bytes[] memory signatures) = _approvals(action, QUORUM);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionKnown.selector, action));
        members.schedule(action, signers, signatures);
    }

    /// @dev Members who have signed and think better of it: whoever has the signatures cannot use them.
    function test_cancelledBeforeScheduling() public {
        bytes32 action = _action();
        (address[] memory signers, bytes[] memory signatures) = _approvals(action, QUORUM);
        _cancel(action);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionKnown.selector, action));
        members.schedule(action, signers, signatures);
    }

    function test_cancelledTwice() public {
        bytes32 action = _action();
        _cancel(action);
        (address[] memory signers, bytes[] memory signatures) = _approvals(_cancelHash(action), QUORUM);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionKnown.selector, action));
        members.cancel(action, signers, signatures);
    }

    function test_cancellingTakesAQuorum() public {
        bytes32 action = _action();
        (address[] memory signers, bytes[] memory signatures) = _approvals(_cancelHash(action), QUORUM - 1);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.QuorumNotMet.selector, QUORUM - 1, QUORUM));
        members.cancel(action, signers, signatures);
        // Signatures for the action itself do not call it off.
        (signers, signatures) = _approvals(action, QUORUM);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.SignatureInvalid.selector, 0, memberAddresses[0]));
        members.cancel(action, signers, signatures);
    }

    /// @dev A cancellation handed in as if it were an action: nothing carries it out, and it can still be used.
    function test_aCancellationIsNoAction() public {
        bytes32 action = _action();
        _schedule(_cancelHash(action));
        _decide(action);
        _carryOut();
        assertFalse(feed.paused(), "the scheduled cancellation did nothing");

        bytes32 other = _unpauseHash(feed, bytes32(uint256(1)), _DEADLINE);
        _schedule(_cancelHash(other));
        _cancel(other);
        assertTrue(members.scheduled(other).done);
    }

    /// @dev At any time in any order: carried out just where it was scheduled in time, is ripe, and is not past its
    /// grace.
    function testFuzz_whenItCanBeCarriedOut(
        uint256 scheduledAt,
        uint256 time
    ) public {
        scheduledAt = bound(scheduledAt, START, START + 200);
        time = bound(time, scheduledAt, scheduledAt + 2 * DELAY + 14 days);
        bytes32 action = _action();
        vm.warp(scheduledAt);
        _schedule(action);
        vm.warp(time);
        bool possible =
            scheduledAt <= _DEADLINE && time >= scheduledAt + DELAY && time <= scheduledAt + DELAY + 14 days;
        (bool done,) = address(members).call(abi.encodeCall(members.unpause, (feed, SALT, _DEADLINE)));
        assertEq(done, possible);
        assertEq(feed.paused(), !possible);
    }
}
