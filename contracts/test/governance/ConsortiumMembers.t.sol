// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumMembers} from "../../src/governance/ConsortiumMembers.sol";
import {IGovernedFeed} from "../../src/interfaces/IGovernedFeed.sol";
import {MembersFixture, MockGovernedFeed} from "./MembersFixture.sol";

/// @dev Unpauses and changes the members in one transaction, as anybody can.
contract Executor {
    function unpauseAndSetMembers(
        ConsortiumMembers members,
        IGovernedFeed feed,
        address[] calldata newMembers,
        bytes32 salt,
        uint256 deadline
    ) external {
        members.unpause(feed, salt, deadline);
        members.setMembers(newMembers, newMembers.length, salt, deadline);
    }
}

/// @dev Who the members are, and what one of them can do alone.
contract ConsortiumMembersTest is MembersFixture {
    function test_deployed() public view {
        assertEq(members.members(), memberAddresses);
        assertEq(members.quorum(), QUORUM);
        assertEq(members.actionDelay(), DELAY);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            assertTrue(members.isMember(memberAddresses[i]));
        }
        assertFalse(members.isMember(address(this)));
        assertFalse(members.isMember(address(0)));
    }

    function test_constructorRefusals() public {
        address[] memory list = new address[](0);
        vm.expectRevert(ConsortiumMembers.NoMembers.selector);
        new ConsortiumMembers(list, 0, DELAY);
        list = _addresses(33);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.TooManyMembers.selector, 33, 32));
        new ConsortiumMembers(list, 2, DELAY);
        list = _addresses(3);
        list[2] = address(0);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.MemberZero.selector, 2));
        new ConsortiumMembers(list, 2, DELAY);
        list[2] = list[0];
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.MemberDuplicate.selector, list[0]));
        new ConsortiumMembers(list, 2, DELAY);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionDelayTooLong.selector, 30 days + 1, 30 days));
        new ConsortiumMembers(memberAddresses, QUORUM, 30 days + 1);
        assertEq(new ConsortiumMembers(_addresses(32), 32, 30 days).quorum(), 32);
    }

    function test_quorumBounds() public {
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.QuorumOutOfRange.selector, 0, MEMBERS));
        new ConsortiumMembers(memberAddresses, 0, DELAY);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.QuorumOutOfRange.selector, MEMBERS + 1, MEMBERS));
        new ConsortiumMembers(memberAddresses, MEMBERS + 1, DELAY);
        assertEq(new ConsortiumMembers(memberAddresses, 1, DELAY).quorum(), 1);
        assertEq(new ConsortiumMembers(memberAddresses, MEMBERS, DELAY).quorum(), MEMBERS);
    }

    // A change of members

    /// @dev Some stay, some go, some come; in the order given.
    function test_setMembers() public {
        address[] memory next = new address[](3);
        (next[0], next[1], next[2]) = (makeAddr("newcomer"), memberAddresses[2], memberAddresses[0]);
        _setMembers(next, 2);
        assertEq(members.members(), next);
        assertEq(members.quorum(), 2);
        assertTrue(members.isMember(next[0]) && members.isMember(next[1]) && members.isMember(next[2]));
        assertFalse(members.isMember(memberAddresses[1]) || members.isMember(memberAddresses[3]));
    }

    function test_setMembersRefusals() public {
        _refusesMembers(new address[](0), 1, abi.encodeWithSelector(ConsortiumMembers.NoMembers.selector));
        _refusesMembers(_addresses(33), 1, abi.encodeWithSelector(ConsortiumMembers.TooManyMembers.selector, 33, 32));
        _refusesMembers(_addresses(2), 3, abi.encodeWithSelector(ConsortiumMembers.QuorumOutOfRange.selector, 3, 2));
        _refusesMembers(_addresses(2), 0, abi.encodeWithSelector(ConsortiumMembers.QuorumOutOfRange.selector, 0, 2));
        address[] memory list = _addresses(2);
        list[1] = list[0];
        _refusesMembers(list, 1, abi.encodeWithSelector(ConsortiumMembers.MemberDuplicate.selector, list[0]));
        list[1] = address(0);
        _refusesMembers(list, 1, abi.encodeWithSelector(ConsortiumMembers.MemberZero.selector, 1));
        assertEq(members.members(), memberAddresses, "a refused change leaves all as it was");
        assertTrue(members.isMember(memberAddresses[3]));
    }

    function test_actionsOfOtherMembersAreVoid() public {
        bytes32 action = _action();
        _schedule(action);
        _setMembers(memberAddresses, 2);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionOfOtherMembers.selector, action));
        _carryOut();
        // Not even the same members, signing again, bring it back: it takes another salt.
        (address[] memory signers, bytes[] memory signatures) = _approvals(action, QUORUM);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionKnown.selector, action));
        members.schedule(action, signers, signatures);
    }

    /// @dev Who left signs nothing any more, and who stayed does not make up for it.
    function test_formerMembersDoNotCount() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), QUORUM);
        address[] memory next = new address[](4);
        (next[0], next[1]) = (memberAddresses[1], memberAddresses[2]);
        (next[2], next[3]) = (memberAddresses[3], makeAddr("newcomer"));
        _setMembers(next, QUORUM);
        bytes32 action = _action();
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.SignerNotMember.selector, 0, memberAddresses[0]));
        members.schedule(action, signers, signatures);
        vm.prank(memberAddresses[0]);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.NotMember.selector, memberAddresses[0]));
        members.pause(feed);
    }

    // Pause

    function test_anyOneMemberPauses() public {
        for (uint256 i = 0; i < MEMBERS; ++i) {
            MockGovernedFeed another = new MockGovernedFeed();
            vm.expectEmit(address(members));
            emit ConsortiumMembers.PausedBy(memberAddresses[i], address(another));
            vm.prank(memberAddresses[i]);
            members.pause(another);
            assertTrue(another.paused());
            assertEq(another.caller(), address(members));
        }
    }

    function testFuzz_noStrangerPauses(
        address stranger
    ) public {
        vm.assume(!members.isMember(stranger));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.NotMember.selector, stranger));
        members.pause(feed);
    }

    function test_whatTheFeedRefusesIsRefused() public {
        feed.refuse(true);
        vm.prank(memberAddresses[0]);
        vm.expectRevert(MockGovernedFeed.Refused.selector);
        members.pause(feed);
        // And the action is not used up by it: it can be carried out later.
        _decide(_action());
        vm.expectRevert(MockGovernedFeed.Refused.selector);
        _carryOut();
        feed.refuse(false);
        _carryOut();
        vm.prank(memberAddresses[0]);
        vm.expectRevert();
        members.pause(MockGovernedFeed(makeAddr("without code")));
    }

    /// @dev A member that pauses whatever the others unpause is put out in the very transaction that unpauses.
    function test_aRogueMemberCannotPauseForEver() public {
        address rogue = memberAddresses[3];
        vm.prank(rogue);
        members.pause(feed);
        address[] memory rest = new address[](3);
        (rest[0], rest[1], rest[2]) = (memberAddresses[0], memberAddresses[1], memberAddresses[2]);
        _schedule(_membersHash(rest, 3, SALT, START));
        _decide(_unpauseHash(feed, SALT, START));
        new Executor().unpauseAndSetMembers(members, feed, rest, SALT, START);
        assertFalse(feed.paused());
        vm.prank(rogue);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.NotMember.selector, rogue));
        members.pause(feed);
    }

    function _refusesMembers(
        address[] memory list,
        uint256 newQuorum,
        bytes memory refusal
    ) private {
        bytes32 salt = _salt();
        uint256 deadline = vm.getBlockTimestamp();
        _decide(_membersHash(list, newQuorum, salt, deadline));
        vm.expectRevert(refusal);
        members.setMembers(list, newQuorum, salt, deadline);
    }
}
