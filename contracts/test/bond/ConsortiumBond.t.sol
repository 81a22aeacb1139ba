// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumBond} from "../../src/bond/ConsortiumBond.sol";
import {ISlashable} from "../../src/interfaces/ISlashable.sol";
import {BondFixture, Holder} from "./BondFixture.sol";

/// @dev Putting in and taking out, while nobody lies.
contract ConsortiumBondTest is BondFixture {
    function test_deployed() public view {
        assertEq(address(bond.LEDGER()), address(ledger));
        assertEq(bond.SINK(), sink);
        assertEq(bond.REWARD(), REWARD);
        assertEq(bond.DELAY(), DELAY);
        assertEq(bond.pooled(), 0);
        assertEq(bond.secured(), 0);
        assertEq(bond.totalShares(), 0);
    }

    function test_constructorRefusals() public {
        vm.expectRevert(ConsortiumBond.AddressZero.selector);
        new ConsortiumBond(ISlashable(address(0)), sink, REWARD, DELAY);
        vm.expectRevert(ConsortiumBond.AddressZero.selector);
        new ConsortiumBond(ledger, address(0), REWARD, DELAY);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.RewardOutOfRange.selector, 0, 10_000));
        new ConsortiumBond(ledger, sink, 0, DELAY);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.RewardOutOfRange.selector, 10_000, 10_000));
        new ConsortiumBond(ledger, sink, 10_000, DELAY);
        _refusesDelay(9 days - 1);
        _refusesDelay(365 days + 1);
        new ConsortiumBond(ledger, sink, 1, 9 days);
        new ConsortiumBond(ledger, sink, 9999, 365 days);
    }

    // In

    function test_severalMembers() public {
        vm.expectEmit(address(bond));
        emit ConsortiumBond.Bonded(alice, alice, 3 ether, 3 ether);
        assertEq(_bond(alice, 3 ether), 3 ether);
        _bond(bob, 1 ether);
        _bond(alice, 2 ether);
        assertEq(bond.sharesOf(alice), 5 ether);
        assertEq(bond.sharesOf(bob), 1 ether);
        assertEq(bond.totalShares(), 6 ether);
        assertEq(bond.pooled(), 6 ether);
        assertEq(bond.secured(), 6 ether);
    }

    function test_anyoneMayAddInAMembersName() public {
        hoax(challenger, 1 ether);
        vm.expectEmit(address(bond));
        emit ConsortiumBond.Bonded(alice, challenger, 1 ether, 1 ether);
        bond.bond{value: 1 ether}(alice);
        assertEq(bond.sharesOf(alice), 1 ether);
        vm.prank(challenger);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NotEnoughShares.selector, 1, 0));
        bond.requestUnbonding(1);
    }

    function test_bondRefusals() public {
        vm.expectRevert(ConsortiumBond.NothingToBond.selector);
        bond.bond(alice);
        vm.expectRevert(ConsortiumBond.AddressZero.selector);
        bond.bond{value: 1}(address(0));
        (bool sent,) = address(bond).call{value: 1}("");
        assertFalse(sent, "ether without a name");
    }

    // Out

    function test_unbondingAtTheExactSecond() public {
        _bond(alice, 3 ether);
        vm.expectEmit(address(bond));
        emit ConsortiumBond.UnbondingRequested(alice, 1 ether, START + DELAY);
        _request(alice, 1 ether);
        assertEq(bond.sharesOf(alice), 2 ether);
        assertEq(bond.pooled(), 3 ether, "at stake until it is taken");
        assertEq(bond.secured(), 2 ether);
        ConsortiumBond.Unbonding memory request = bond.unbondingOf(alice);
        assertEq(request.shares, 1 ether);
        assertEq(request.readyAt, START + DELAY);

        vm.warp(START + DELAY - 1);
        vm.expectRevert(
            abi.encodeWithSelector(ConsortiumBond.UnbondingTooEarly.selector, START + DELAY, START + DELAY - 1)
        );
        _unbond(alice);
        vm.warp(START + DELAY);
        vm.expectEmit(address(bond));
        emit ConsortiumBond.Unbonded(alice, 1 ether, 1 ether);
        assertEq(_unbond(alice), 1 ether);
        assertEq(alice.balance, 1 ether);
        assertEq(bond.pooled(), 2 ether);
        assertEq(bond.totalShares(), 2 ether);
        assertEq(bond.secured(), 2 ether);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NothingUnbonding.selector, alice));
        _unbond(alice);
    }

    function test_aRequestLapses() public {
        _bond(alice, 1 ether);
        _request(alice, 1 ether);
        uint256 until = START + DELAY + bond.CLAIM_PERIOD();
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.UnbondingLapsed.selector, until, until + 1));
        _unbond(alice);
        uint256 state = vm.snapshotState();
        vm.warp(until);
        assertEq(_unbond(alice), 1 ether, "the last second counts");

        vm.revertToState(state);
        vm.warp(until + 1);
        vm.prank(alice);
        bond.cancelUnbonding();
        _request(alice, 1 ether);
        assertEq(bond.unbondingOf(alice).readyAt, until + 1 + DELAY, "the delay starts anew");
    }

    /// @dev A part could otherwise ripen in a request of one wei.
    function test_anotherRequestStartsTheDelayAnewForBoth() public {
        _bond(alice, 5 ether);
        _request(alice, 1);
        vm.warp(START + DELAY);
        _request(alice, 5 ether - 1);
        vm.expectRevert(
            abi.encodeWithSelector(ConsortiumBond.UnbondingTooEarly.selector, START + 2 * DELAY, START + DELAY)
        );
        _unbond(alice);
        assertEq(bond.secured(), 0);
        vm.warp(START + 2 * DELAY);
        assertEq(_unbond(alice), 5 ether);
    }

    function test_cancel() public {
        _bond(alice, 5 ether);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NothingUnbonding.selector, alice));
        vm.prank(alice);
        bond.cancelUnbonding();
        _request(alice, 2 ether);
        vm.expectEmit(address(bond));
        emit ConsortiumBond.UnbondingCancelled(alice, 2 ether);
        vm.prank(alice);
        bond.cancelUnbonding();
        assertEq(bond.sharesOf(alice), 5 ether);
        assertEq(bond.secured(), 5 ether);
        assertEq(bond.unbondingOf(alice).readyAt, 0);
        vm.warp(START + DELAY);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NothingUnbonding.selector, alice));
        _unbond(alice);
    }

    function test_requestRefusals() public {
        _bond(alice, 2 ether);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NotEnoughShares.selector, 0, 2 ether));
        _request(alice, 0);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NotEnoughShares.selector, 2 ether + 1, 2 ether));
        _request(alice, 2 ether + 1);
        // What would be cut to one share if it were narrowed first.
        uint256 wide = (uint256(1) << 128) + 1;
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NotEnoughShares.selector, wide, 2 ether));
        _request(alice, wide);
        _request(alice, 2 ether);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.NotEnoughShares.selector, 1, 0));
        _request(alice, 1);
    }

    function test_theLastToLeaveTakesTheRemainder() public {
        _bond(alice, 7);
        _bond(bob, 5);
        _request(alice, 7);
        _request(bob, 5);
        vm.warp(START + DELAY);
        assertEq(_unbond(bob) + _unbond(alice), 12);
        assertEq(bond.totalShares(), 0);
        assertEq(address(bond).balance, 0);
        assertEq(_bond(bob, 3), 3, "and it can begin again");
    }

    // Contracts

    function test_aMemberThatTakesNoEtherKeepsItsRequest() public {
        Holder member = new Holder(bond);
        deal(address(member), 1 ether);
        member.run(abi.encodeCall(bond.bond, (address(member))), 1 ether);
        member.run(abi.encodeCall(bond.requestUnbonding, (1 ether)), 0);
        vm.warp(START + DELAY);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.PaymentFailed.selector, member, 1 ether));
        member.run(abi.encodeCall(bond.unbond, ()), 0);
        assertEq(bond.pooled(), 1 ether);
        member.open();
        member.run(abi.encodeCall(bond.unbond, ()), 0);
        assertEq(address(member).balance, 1 ether);
    }

    /// @dev Whatever is called while the payment is under way finds the request used up.
    function test_reentranceTakesNothingTwice() public {
        bytes[4] memory inside = [
            abi.encodeCall(bond.unbond, ()),
            abi.encodeCall(bond.cancelUnbonding, ()),
            abi.encodeCall(bond.requestUnbonding, (1 ether)),
            abi.encodeCall(bond.collect, ())
        ];
        _bond(bob, 10 ether);
        for (uint256 i = 0; i < inside.length; ++i) {
            Holder member = new Holder(bond);
            deal(address(member), 1 ether);
            member.run(abi.encodeCall(bond.bond, (address(member))), 1 ether);
            member.run(abi.encodeCall(bond.requestUnbonding, (1 ether)), 0);
            member.reenterWith(inside[i]);
            vm.warp(block.timestamp + DELAY);
            member.run(abi.encodeCall(bond.unbond, ()), 0);
            assertEq(address(member).balance, 1 ether);
            assertGt(member.refusal().length, 0, "the call inside was refused");
            assertEq(bond.pooled(), 10 ether);
            assertEq(bond.totalShares(), 10 ether);
        }
    }

    /// @dev Ether that arrives by a self-destruct or as a block reward.
    function test_forcedEtherMovesNoPrice() public {
        _bond(alice, 3);
        deal(address(bond), address(bond).balance + 1000 ether);
        assertEq(bond.pooled(), 3);
        assertEq(_bond(bob, 3), 3, "no first depositor can make a later one's part round to nothing");
        _request(alice, 3);
        vm.warp(START + DELAY);
        assertEq(_unbond(alice), 3);
    }

    // Any sequence

    /// @dev Two accounts bond and leave in any order: neither takes out a wei more than it put in, nor less once it
    /// has left.
    function testFuzz_nobodyTakesOutWhatOthersPutIn(
        uint256 seed
    ) public {
        address[2] memory accounts = [alice, bob];
        uint256[2] memory given;
        uint256[2] memory taken;
        for (uint256 step = 0; step < 40; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 i = seed & 1;
            uint256 held = bond.sharesOf(accounts[i]);
            uint256 kind = (seed >> 1) % 3;
            if (kind == 0) {
                uint256 amount = 1 + ((seed >> 8) % (step % 2 == 0 ? 7 : 1e18));
                given[i] += amount;
                _bond(accounts[i], amount);
            } else if (kind == 1 && held > 0) {
                _request(accounts[i], 1 + ((seed >> 8) % held));
            } else if (kind == 2 && bond.unbondingOf(accounts[i]).shares > 0) {
                uint256 readyAt = bond.unbondingOf(accounts[i]).readyAt;
                if (block.timestamp > readyAt + bond.CLAIM_PERIOD()) {
                    vm.prank(accounts[i]);
                    bond.cancelUnbonding();
                    continue;
                }
                vm.warp(block.timestamp > readyAt ? block.timestamp : readyAt);
                taken[i] += _unbond(accounts[i]);
            }
            assertLe(taken[i], given[i]);
            assertEq(bond.pooled(), given[0] + given[1] - taken[0] - taken[1]);
            assertEq(bond.totalShares(), bond.pooled(), "the price of a share never moves within a generation");
            assertEq(
                bond.sharesOf(accounts[i]) + bond.unbondingOf(accounts[i]).shares, given[i] - taken[i], "nor is lost"
            );
        }
    }

    function _refusesDelay(
        uint256 delay
    ) private {
        vm.expectRevert(abi.encodeWithSelector(ConsortiumBond.DelayOutOfRange.selector, delay, 9 days, 365 days));
        new ConsortiumBond(ledger, sink, REWARD, delay);
    }
}
