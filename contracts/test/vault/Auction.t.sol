// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Auction} from "../../src/vault/Auction.sol";
import {AuctionMath} from "../../src/vault/AuctionMath.sol";
import {Margin} from "../../src/vault/Margin.sol";
import {Order} from "../../src/vault/VaultTypes.sol";
import {VaultFixture} from "./VaultFixture.sol";

/// @dev Ann is short of one call with 12,500; cat bids.
contract AuctionTest is VaultFixture {
    function setUp() public override {
        super.setUp();
        _shortCall();
        _deposit(cat, 100_000 * USD);
        vm.warp(START + 60);
    }

    /// @dev Mark 8,000, maintenance 13,000, initial 15,500: equity 4,500
    function _sink() private {
        _report(0.16e8);
    }

    /// @dev Mark 15,000, maintenance 20,000: 2,500 are missing
    function _drown() private {
        _report(0.3e8);
    }

    function _start() private {
        vault.startAuction(ann);
    }

    function _bid(
        uint256 share
    ) private returns (uint256) {
        vm.prank(cat);
        return vault.bid(ann, share, ANY_CASH);
    }

    /// @dev Lets the clock run for so long.
    function _run(
        uint256 time
    ) private {
        for (uint256 passed = 0; passed < time; passed += 2 minutes) {
            vm.warp(block.timestamp + 2 minutes);
            vault.tick(ann);
        }
    }

    function test_startNeedsAProvenLack() public {
        _report(0.15e8);
        // Maintenance is 12,500 now, which ann has.
        vm.expectRevert(abi.encodeWithSelector(Auction.NotLiquidatable.selector, ann, int256(12_500e6), 12_500e6));
        _start();
        vm.warp(START + 61);
        _report(0.15e8 + 1);
        vm.expectEmit();
        emit Auction.AuctionStarted(ann, address(this), true);
        _start();
        vm.expectRevert(abi.encodeWithSelector(Auction.AuctionRunning.selector, ann));
        _start();
        assertTrue(_inAuction(ann));
    }

    function test_startNeedsACurrentReading() public {
        _drown();
        bytes memory refusal = abi.encodeWithSelector(Auction.NotLiquidatable.selector, ann, int256(12_500e6), 0);
        feed.setLive(false);
        vm.expectRevert(refusal);
        _start();
        feed.setLive(true);
        vm.warp(block.timestamp + 1 hours + 1);
        vm.expectRevert(refusal);
        _start();
        feed.reportNothing();
        vm.expectRevert(refusal);
        _start();
        // A reading as old as the position says nothing of it.
        feed.report(callId, FORWARD, 0.3e8, MAINTENANCE, INITIAL, uint64(block.timestamp));
        _deposit(ann, 100_000 * USD);
        _open(ann, cat, 1, PRICE);
        _withdraw(ann, uint256(_balance(ann)) - 23_000 * USD);
        feed.report(callId, FORWARD, 0.5e8, MAINTENANCE, INITIAL, uint64(block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(Auction.NotLiquidatable.selector, ann, int256(23_000e6), 0));
        _start();
        vm.warp(block.timestamp + 1);
        feed.report(callId, FORWARD, 0.5e8, MAINTENANCE, INITIAL, uint64(block.timestamp));
        _start();
    }

    /// @dev A crumb of a silent instrument shields nothing.
    function test_aSilentShortShieldsNoOther() public {
        _deposit(ann, 7500 * USD);
        _deposit(ben, 5000 * USD);
        _openOther(ann, ben, 0.01e8);
        vm.prank(ann);
        vault.withdraw(7000 * USD, ann);
        otherFeed.setBroken(true);
        _drown();
        _start();
        _run(20 minutes);
        _bid(1e6);
        assertEq(_quantity(ann, callKey), 0);
        assertEq(_quantity(ann, otherKey), -0.01e8);
        assertFalse(_inAuction(ann));
    }

    function test_bidAtTheMarkRestoresTheInitialMargin() public {
        _sink();
        _start();
        AuctionMath.Terms memory terms = vault.auctionTerms(ann);
        assertEq(terms.price, 4500e6);
        assertEq(terms.cash, 8000e6);
        // (15,500 - 12,500) / (3,000 + 4,455)
        assertEq(terms.maxShare, 402_415);
        assertEq(_bid(1e6), 402_415);
        assertFalse(_inAuction(ann));
        (int256 balance, uint256 initial,) = vault.marginOf(ann);
        assertGe(balance + 1, int256(initial));
        assertEq(_quantity(ann, callKey), -(1e8 - 40_241_500));
        assertEq(_quantity(cat, callKey), -40_241_500);
        // 1 % of 0.402415 * 4,500
        assertEq(vault.insurance(), 18_108_675);
        // 12,500 and 100,000 are all there are.
        assertEq(_balance(ann) + _balance(cat) + int256(vault.insurance()), 112_500e6);
        assertEq(_balance(cat), 100_000e6 + 3_219_320_000);
    }

    /// @dev The fund pays for holes: an account that is worth something goes for nothing at last, and never for less.
    function test_priceFallsToNothingAndNoFurther() public {
        token.mint(address(this), 1000 * USD);
        token.approve(address(vault), type(uint256).max);
        vault.fundInsurance(1000 * USD);
        _sink();
        _start();
        _run(10 minutes);
        assertEq(vault.auctionTerms(ann).price, 2250e6);
        _run(10 minutes);
        AuctionMath.Terms memory terms = vault.auctionTerms(ann);
        assertEq(terms.price, 0);
        assertEq(terms.subsidy, 0);
        assertEq(terms.maxShare, 1e6);
        _run(24 minutes);
        assertEq(vault.auctionTerms(ann).price, 0);
        assertEq(vault.auctionTerms(ann).subsidy, 0);
        _bid(1e6);
        assertEq(vault.insurance(), 1000e6);
        assertEq(_balance(cat), 112_500e6);
        assertEq(_balance(ann), 0);
        assertEq(vault.positionsOf(ann).length, 0);
        assertFalse(_inAuction(ann));
    }

    function test_insolventAtOnceAndBoundedByTheFund() public {
        _drown();
        vm.expectEmit();
        emit Auction.AuctionStarted(ann, address(this), false);
        _start();
        assertEq(vault.auctionTerms(ann).price, 0);
        _run(20 minutes);
        assertEq(vault.auctionTerms(ann).subsidy, 0);
        token.mint(address(this), 100 * USD);
        token.approve(address(vault), type(uint256).max);
        vault.fundInsurance(100 * USD);
        assertEq(vault.auctionTerms(ann).subsidy, 100e6);
        _bid(0.5e6);
        assertEq(vault.insurance(), 50e6);
        assertEq(_balance(cat), 106_300e6);
        assertEq(_balance(ann), 6250e6);
        assertTrue(_inAuction(ann));
        _bid(1e6);
        assertEq(vault.insurance(), 0);
        assertEq(_balance(cat), 112_600e6);
    }

    /// @dev From the start on: the first step after it pays already.
    function test_insolventClockRunsFromTheStart() public {
        token.mint(address(this), 10_000 * USD);
        token.approve(address(vault), type(uint256).max);
        vault.fundInsurance(10_000 * USD);
        _drown();
        _start();
        // The first second of twenty minutes, of maintenance less equity: 20,000 - 12,500
        assertEq(vault.auctionTerms(ann).subsidy, 6.25e6);
        vm.warp(block.timestamp + 2 minutes);
        assertEq(vault.auctionTerms(ann).subsidy, 756.25e6);
    }

    /// @dev An account that was below zero at one sighting and is not at the next is sold from its mark on, not given
    /// away.
    function test_aSightingBelowZeroGivesNothingAway() public {
        _drown();
        _start();
        assertEq(vault.auctionTerms(ann).price, 0);
        vm.warp(block.timestamp + 1 minutes);
        _sink();
        vault.tick(ann);
        AuctionMath.Terms memory terms = vault.auctionTerms(ann);
        assertGt(terms.price, 0);
        assertEq(terms.subsidy, 0);
    }

    /// @dev Far options read margins of nothing: a short of them opens on a floor, or two accounts of one owner could
    /// have the fund pay for the noise between two reports.
    function test_noShortOpensOnNothing() public {
        feed.report(callId, FORWARD, 0, 0, 0, uint64(block.timestamp));
        address dan = _actor("dan");
        Order memory order = _order(dan, false, ONE, 0);
        order.taker = ben;
        bytes memory signature = _sign(order);
        vm.expectPartialRevert(Margin.Undermargined.selector);
        vm.prank(ben);
        vault.open(order, signature, ONE);
        // Two parts in a hundred of the forward.
        _deposit(dan, 1000 * USD);
        vm.prank(ben);
        vault.open(order, signature, ONE);
        // The next honest report, a unit or a thousandth of the forward higher, makes nobody lack anything.
        vm.warp(block.timestamp + 1 minutes);
        feed.report(callId, FORWARD, 0.001e8, 1000, 1250, uint64(block.timestamp));
        vm.expectPartialRevert(Auction.NotLiquidatable.selector);
        vault.startAuction(dan);
    }

    /// @dev Whoever can pause a feed comes back to no better price than he left, but for one step.
    function test_pauseStopsTheClock() public {
        _sink();
        _start();
        feed.setLive(false);
        vm.expectRevert(abi.encodeWithSelector(Auction.NotLiquidatable.selector, ann, int256(12_500e6), 0));
        vault.tick(ann);
        vm.prank(cat);
        vm.expectRevert(abi.encodeWithSelector(Auction.NotLiquidatable.selector, ann, int256(12_500e6), 0));
        vault.bid(ann, 1e6, ANY_CASH);
        vm.warp(block.timestamp + 1 days);
        feed.setLive(true);
        _sink();
        assertEq(vault.auctionTerms(ann).price, 4500e6);
        // Nor does the pause let ann out.
        feed.setLive(false);
        vm.expectRevert(abi.encodeWithSelector(Margin.Undermargined.selector, ann, int256(12_500e6), 31_000e6));
        vault.endAuction(ann);
    }

    /// @dev A shorter one costs a step.
    function test_aShortPauseIsOneStep() public {
        _sink();
        _start();
        _run(4 minutes);
        feed.setLive(false);
        vm.warp(block.timestamp + 20 minutes);
        feed.setLive(true);
        assertEq(vault.auctionTerms(ann).price, 3150e6);
        vm.warp(block.timestamp + 1);
        assertEq(vault.auctionTerms(ann).price, 4500e6);
    }

    function test_topUpEndsIt() public {
        _sink();
        _start();
        vm.expectRevert(abi.encodeWithSelector(Margin.InAuction.selector, ann));
        _withdraw(ann, 1);
        vm.expectRevert(abi.encodeWithSelector(Margin.Undermargined.selector, ann, int256(12_500e6), 13_000e6));
        vault.endAuction(ann);
        _deposit(ann, 500 * USD);
        vm.prank(cat);
        vm.expectRevert(abi.encodeWithSelector(Auction.NotLiquidatable.selector, ann, int256(13_000e6), 13_000e6));
        vault.bid(ann, 1e6, ANY_CASH);
        vm.expectEmit();
        emit Auction.AuctionEnded(ann);
        vault.endAuction(ann);
        vm.expectRevert(abi.encodeWithSelector(Auction.NoAuction.selector, ann));
        vault.endAuction(ann);
    }

    function test_noOpeningInAnAuction() public {
        _sink();
        _start();
        _deposit(ann, 100_000 * USD);
        Order memory order = _order(cat, false, 2 * ONE, PRICE);
        bytes memory signature = _sign(order);
        bytes memory refusal = abi.encodeWithSelector(Margin.InAuction.selector, ann);
        vm.prank(ann);
        vm.expectRevert(refusal);
        vault.open(order, signature, 2 * ONE);
        order = _order(ann, false, ONE, PRICE);
        signature = _sign(order);
        vm.prank(cat);
        vm.expectRevert(refusal);
        vault.open(order, signature, ONE);
        // A close is free: it only makes the account smaller.
        _close(ben, ann, ONE, 8000e8);
        vault.endAuction(ann);
    }

    function test_bidRefusals() public {
        vm.prank(cat);
        vm.expectRevert(abi.encodeWithSelector(Auction.NoAuction.selector, ann));
        vault.bid(ann, 1e6, ANY_CASH);
        vm.expectRevert(abi.encodeWithSelector(Auction.NoAuction.selector, ann));
        vault.tick(ann);
        vm.expectRevert(abi.encodeWithSelector(Auction.NoAuction.selector, ann));
        vault.auctionTerms(ann);
        _sink();
        _start();
        vm.expectRevert(abi.encodeWithSelector(Auction.ShareOutOfRange.selector, 0));
        vault.bid(ann, 0, ANY_CASH);
        vm.expectRevert(abi.encodeWithSelector(Auction.ShareOutOfRange.selector, 1e6 + 1));
        vault.bid(ann, 1e6 + 1, ANY_CASH);
        vm.prank(ann);
        vm.expectRevert(Auction.OwnAuction.selector);
        vault.bid(ann, 1e6, ANY_CASH);
        vm.prank(cat);
        vm.expectRevert(abi.encodeWithSelector(Auction.CashBelowLimit.selector, int256(8000e6), int256(8000e6 + 1)));
        vault.bid(ann, 1e6, 8000e6 + 1);
    }

    function test_bidderMustBeMargined() public {
        _sink();
        _start();
        address dan = _actor("dan");
        vm.prank(dan);
        vm.expectRevert(
            abi.encodeWithSelector(Margin.Undermargined.selector, dan, int256(3_219_320_000), 6_237_432_500)
        );
        vault.bid(ann, 1e6, ANY_CASH);
        _withdraw(cat, 100_000 * USD - 3018 * USD);
        vm.prank(cat);
        vm.expectRevert(
            abi.encodeWithSelector(Margin.Undermargined.selector, cat, int256(6_237_320_000), 6_237_432_500)
        );
        vault.bid(ann, 1e6, ANY_CASH);
        _deposit(cat, USD);
        _bid(1e6);
    }

    /// @dev What was taken over was not held when the report was made.
    function test_aTakeOverIsNotLiquidatedOnItsReport() public {
        _sink();
        _start();
        _bid(1e6);
        assertEq(vault.positionsOf(cat)[0].changedAt, block.timestamp);
        _withdraw(cat, uint256(_balance(cat)) - 6_237_432_500);
        feed.report(callId, FORWARD, 0.9e8, MAINTENANCE, INITIAL, uint64(block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(Auction.NotLiquidatable.selector, cat, int256(6_237_432_500), 0));
        vault.startAuction(cat);
    }

    /// @dev Longs go along, at their mark: the bidder pays for them.
    function test_longsGoAlong() public {
        _deposit(ann, 5000 * USD);
        Order memory order = _order(cat, false, ONE, PRICE);
        order.instrument = putId;
        bytes memory signature = _sign(order);
        vm.prank(ann);
        vault.open(order, signature, ONE);
        vm.warp(block.timestamp + 1);
        _sink();
        _start();
        // 12,500 + 8,000 - 8,000
        AuctionMath.Terms memory terms = vault.auctionTerms(ann);
        assertEq(terms.price, 12_500e6);
        assertEq(terms.cash, 0);
        uint256 taken = _bid(0.1e6);
        assertEq(taken, 0.1e6);
        assertEq(_quantity(ann, putKey), 0.9e8);
        assertEq(_quantity(ann, callKey), -0.9e8);
        assertEq(_quantity(cat, putKey), -0.9e8);
        assertTrue(_inAuction(ann));
    }

    /// @dev Late bids over a grid of states: the bidder is never paid by more than the account and the fund.
    function testFuzz_bidsConserve(
        uint32 premium,
        uint256 share,
        uint64 fund,
        uint16 time
    ) public {
        premium = uint32(bound(premium, 0.15e8 + 1, 0.6e8));
        share = bound(share, 1, 1e6);
        token.mint(address(this), uint256(fund) + 1);
        token.approve(address(vault), type(uint256).max);
        vault.fundInsurance(uint256(fund) + 1);
        _report(premium);
        _start();
        _run(bound(time, 0, 40 minutes));
        int256 before = _balance(ann) + _balance(cat) + int256(vault.insurance());
        int256 equity = _balance(ann) - int256(uint256(premium)) * 500;
        _bid(share);
        assertEq(_balance(ann) + _balance(cat) + int256(vault.insurance()), before);
        assertGe(_balance(ann), 0);
        // A bid takes a part of the hole, and never makes it larger.
        int256 left = -_quantity(ann, callKey);
        int256 after_ = _balance(ann) - left * int256(uint256(premium)) * 500 / 1e8;
        if (equity < 0) assertGe(after_ + 1, equity);
        else assertGe(after_ + 1, 0);
    }
}
