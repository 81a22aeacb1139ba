// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {Auction} from "../../src/vault/Auction.sol";
import {Collateral} from "../../src/vault/Collateral.sol";
import {Expiry} from "../../src/vault/Expiry.sol";
import {Feeds} from "../../src/vault/Feeds.sol";
import {Positions} from "../../src/vault/Positions.sol";
import {Settlement} from "../../src/vault/Settlement.sol";
import {SettlementPrices} from "../../src/vault/SettlementPrices.sol";
import {Order} from "../../src/vault/VaultTypes.sol";
import {VaultFixture} from "./VaultFixture.sol";
import {MockFeed} from "./mocks/MockFeed.sol";

contract SettlementPricesTest is VaultFixture {
    function _priceOf() private view returns (bool stands, uint256 forward) {
        return prices.priceOf(address(feed), feed.instrument(callId));
    }

    function _propose(
        uint256 sequence
    ) private {
        prices.proposePrice(address(feed), callId, sequence);
    }

    function _reportAt(
        uint256 time,
        uint96 forward
    ) private returns (uint256) {
        return feed.report(callId, forward, PREMIUM, MAINTENANCE, INITIAL, uint64(time));
    }

    function test_theLatestReportBeforeExpiryWins() public {
        uint256 early = _reportAt(EXPIRY - 50 minutes, 1e8);
        uint256 last = _reportAt(EXPIRY, 2e8);
        uint256 late = _reportAt(EXPIRY + 1, 3e8);
        vm.expectRevert(abi.encodeWithSelector(SettlementPrices.NotExpired.selector, EXPIRY));
        _propose(early);
        vm.warp(EXPIRY);
        _propose(early);
        vm.expectRevert(abi.encodeWithSelector(SettlementPrices.ObservedAfterExpiry.selector, EXPIRY + 1, EXPIRY));
        _propose(late);
        vm.expectEmit();
        emit SettlementPrices.PriceProposed(address(feed), "BTC", EXPIRY, 2e8, EXPIRY);
        _propose(last);
        vm.expectRevert(abi.encodeWithSelector(SettlementPrices.ReportNotLater.selector, EXPIRY - 50 minutes, EXPIRY));
        _propose(early);
        vm.warp(EXPIRY + 3 hours - 1);
        (bool stands,) = _priceOf();
        assertFalse(stands);
        vm.warp(EXPIRY + 3 hours);
        uint256 forward;
        (stands, forward) = _priceOf();
        assertTrue(stands);
        assertEq(forward, 2e8);
        vm.expectRevert(abi.encodeWithSelector(SettlementPrices.PriceStands.selector, EXPIRY + 3 hours));
        _propose(last);
        // The put of the same expiry has the same price.
        (stands, forward) = prices.priceOf(address(feed), feed.instrument(putId));
        assertTrue(stands);
        assertEq(forward, 2e8);
    }

    /// @dev Whoever comes first after the delay does not choose: others have a period to outbid him.
    function test_aFirstProposalWaits() public {
        uint256 early = _reportAt(EXPIRY - 50 minutes, 1e8);
        uint256 last = _reportAt(EXPIRY, 2e8);
        vm.warp(EXPIRY + 10 hours);
        _propose(early);
        (bool stands,) = _priceOf();
        assertFalse(stands);
        vm.warp(EXPIRY + 11 hours - 1);
        _propose(last);
        vm.warp(EXPIRY + 11 hours);
        uint256 forward;
        (stands, forward) = _priceOf();
        assertTrue(stands);
        assertEq(forward, 2e8);
    }

    /// @dev Nor after having put an old report there to let the period run out.
    function test_anOldReportDoesNotUseUpThePeriod() public {
        uint256 old = _reportAt(EXPIRY - 2 hours, 1e8);
        uint256 chosen = _reportAt(EXPIRY - 50 minutes, 2e8);
        uint256 last = _reportAt(EXPIRY, 3e8);
        vm.warp(EXPIRY);
        _propose(old);
        vm.warp(EXPIRY + 10 hours);
        (bool stands,) = _priceOf();
        assertFalse(stands);
        _propose(chosen);
        (stands,) = _priceOf();
        assertFalse(stands);
        _propose(last);
        vm.warp(EXPIRY + 11 hours);
        (, uint256 forward) = _priceOf();
        assertEq(forward, 3e8);
    }

    function test_withoutATimelyReportAnOldOneAfterDays() public {
        uint256 old = _reportAt(EXPIRY - 1 hours - 1, 1e8);
        vm.warp(EXPIRY);
        _propose(old);
        (SettlementPrices.Candidate memory candidate, uint256 standsAt) =
            prices.candidateOf(address(feed), feed.instrument(callId));
        assertEq(candidate.forward, 1e8);
        assertEq(standsAt, EXPIRY + 7 days);
        vm.warp(EXPIRY + 7 days - 1);
        (bool stands,) = _priceOf();
        assertFalse(stands);
        vm.warp(EXPIRY + 7 days);
        (stands,) = _priceOf();
        assertTrue(stands);
    }

    function test_aFeedThatIsGoneTrapsNothing() public {
        _shortCall();
        feed.setBroken(true);
        vm.expectRevert(abi.encodeWithSelector(SettlementPrices.NotExpired.selector, EXPIRY));
        vault.proposePriceFromMark(callKey);
        vm.warp(EXPIRY);
        vm.expectRevert(MockFeed.Broken.selector);
        _propose(1);
        vault.proposePriceFromMark(callKey);
        vm.warp(EXPIRY + 7 days);
        vault.settle(ann, callKey);
        vault.claim(ben, callKey);
        _withdraw(ann, 12_500 * USD);
        vm.expectRevert(abi.encodeWithSelector(Feeds.MarketUnknown.selector, putKey));
        vault.proposePriceFromMark(putKey);
    }

    function test_onlyTheVaultHasSeen() public {
        InstrumentWord word = feed.instrument(callId);
        vm.expectRevert(abi.encodeWithSelector(SettlementPrices.NotVault.selector, address(this)));
        prices.proposeSeen(address(feed), word, 1, 1);
    }

    function test_nothingProposed() public {
        vm.warp(EXPIRY + 30 days);
        (bool stands, uint256 forward) = _priceOf();
        assertFalse(stands);
        assertEq(forward, 0);
        (, uint256 standsAt) = prices.candidateOf(address(feed), feed.instrument(callId));
        assertEq(standsAt, 0);
    }

    function testFuzz_theLatestOfAnyOrderWins(
        uint256 seed
    ) public {
        uint256 best = 0;
        for (uint256 i = 0; i < 8; ++i) {
            _reportAt(EXPIRY - 59 minutes + i, uint96(i + 1));
        }
        vm.warp(EXPIRY);
        for (uint256 i = 0; i < 8; ++i) {
            uint256 sequence = 2 + uint256(keccak256(abi.encode(seed, i))) % 8;
            try prices.proposePrice(address(feed), callId, sequence) {
                assertGt(sequence, best);
                best = sequence;
            } catch {
                assertLe(sequence, best);
            }
        }
        vm.warp(EXPIRY + 3 hours);
        (, uint256 forward) = _priceOf();
        assertEq(forward, best - 1);
    }
}

contract ExpiryTest is VaultFixture {
    /// @dev The call's expiry settles at this forward.
    function _fix(
        uint96 forward
    ) private {
        vm.warp(EXPIRY);
        uint256 sequence = _reportForward(forward, PREMIUM);
        prices.proposePrice(address(feed), callId, sequence);
        vm.warp(EXPIRY + 3 hours);
    }

    function test_shortsPayAndLongsClaim() public {
        _shortCall();
        _fix(52_000e8);
        vm.expectEmit();
        emit Expiry.Settled(ann, callKey, 2000e6, 2000e6);
        assertEq(vault.settle(ann, callKey), 2000e6);
        assertEq(vault.claim(ben, callKey), 2000e6);
        assertEq(_balance(ann), 10_500e6);
        assertEq(_balance(ben), 2000e6);
        assertEq(vault.positionsOf(ann).length + vault.positionsOf(ben).length, 0);
        assertEq(vault.poolOf(callKey).collected, 2000e6);
        assertEq(vault.poolOf(callKey).paid, 2000e6);
        _withdraw(ann, 10_500 * USD);
        _withdraw(ben, 2000 * USD);
        assertEq(token.balanceOf(address(vault)), 0);
    }

    function test_worthless() public {
        _shortCall();
        _fix(48_000e8);
        // A claim does not wait for shorts that have nothing to pay.
        assertEq(vault.claim(ben, callKey), 0);
        assertEq(vault.positionsOf(ben).length, 0);
        (, uint256 initial,) = vault.marginOf(ann);
        assertEq(initial, 0);
        assertEq(vault.settle(ann, callKey), 0);
    }

    function test_puts() public {
        _deposit(ann, 100_000 * USD);
        _deposit(ben, 5000 * USD);
        Order memory order = _order(ann, false, ONE, PRICE);
        order.instrument = putId;
        bytes memory signature = _sign(order);
        vm.prank(ben);
        vault.open(order, signature, ONE);
        _fix(48_000e8);
        vault.settle(ann, putKey);
        assertEq(vault.claim(ben, putKey), 2000e6);
    }

    function test_refusals() public {
        _shortCall();
        vm.expectRevert(abi.encodeWithSelector(Settlement.PriceNotFixed.selector, callKey));
        vault.settle(ann, callKey);
        vm.expectRevert(abi.encodeWithSelector(Settlement.PriceNotFixed.selector, callKey));
        vault.claim(ben, callKey);
        vm.expectRevert(abi.encodeWithSelector(Feeds.MarketUnknown.selector, putKey));
        vault.settle(ann, putKey);
        _fix(52_000e8);
        vm.expectRevert(abi.encodeWithSelector(Expiry.NotShort.selector, ben, callKey));
        vault.settle(ben, callKey);
        vm.expectRevert(abi.encodeWithSelector(Expiry.NotLong.selector, ann, callKey));
        vault.claim(ann, callKey);
        vm.expectRevert(abi.encodeWithSelector(Positions.PositionMissing.selector, cat, callKey));
        vault.settle(cat, callKey);
        vault.settle(ann, callKey);
        vm.expectRevert(abi.encodeWithSelector(Positions.PositionMissing.selector, ann, callKey));
        vault.settle(ann, callKey);
    }

    /// @dev A call at 100,000 pays 50,000, of which ann has 12,500: the fund gives what it has, ben bears the rest.
    function test_shortfallIsTheFundsAndThenThisInstrumentsLongs() public {
        _shortCall();
        token.mint(cat, 30_000 * USD);
        vm.prank(cat);
        vault.fundInsurance(30_000 * USD);
        _fix(100_000e8);
        assertEq(vault.settle(ann, callKey), 12_500e6);
        assertEq(_balance(ann), -37_500e6);
        assertEq(vault.insurance(), 0);
        assertEq(vault.claim(ben, callKey), 42_500e6);
        vm.expectRevert(abi.encodeWithSelector(Collateral.BalanceTooSmall.selector, ann, int256(-37_500e6), 1));
        _withdraw(ann, 1);
        // What ann gets repays the fund first.
        _deposit(ann, 40_000 * USD);
        assertEq(vault.insurance(), 37_500e6);
        assertEq(_balance(ann), 2500e6);
        _withdraw(ann, 2500 * USD);
    }

    /// @dev Ann is short of the call and long of as much with cat, and the worse order makes her no richer.
    function test_settlingInTheWorseOrderGainsNothing() public {
        _shortCall();
        _deposit(cat, 200_000 * USD);
        _deposit(ann, 5000 * USD);
        otherFeed.report(otherId, FORWARD, PREMIUM, MAINTENANCE, INITIAL, START);
        _openOther(cat, ann, ONE);
        _fix(80_000e8);
        otherFeed.report(otherId, 80_000e8, PREMIUM, MAINTENANCE, INITIAL, EXPIRY);
        prices.proposePrice(address(otherFeed), otherId, 3);
        vm.warp(block.timestamp + 3 hours);
        vault.settle(ann, callKey);
        assertEq(_balance(ann), -17_500e6);
        vault.settle(cat, otherKey);
        vault.claim(ann, otherKey);
        assertEq(_balance(ann), 12_500e6);
        assertEq(vault.insurance(), 17_500e6);
    }

    /// @dev Ben claims his part before the last short has settled, and the rest after it.
    function test_claimsDoNotWaitForEveryShort() public {
        _shortCall();
        _deposit(cat, 20_000 * USD);
        _deposit(ben, 5000 * USD);
        _open(cat, ben, ONE, PRICE);
        _fix(52_000e8);
        assertEq(vault.claim(ben, callKey), 0);
        vault.settle(ann, callKey);
        assertEq(vault.claim(ben, callKey), 2000e6);
        assertEq(vault.claim(ben, callKey), 0);
        assertEq(_quantity(ben, callKey), 2e8);
        vault.settle(cat, callKey);
        assertEq(vault.claim(ben, callKey), 2000e6);
        assertEq(_quantity(ben, callKey), 0);
    }

    /// @dev Shorts whose parts of a unit are rounded up each; a claim in between cannot take more than there will be.
    function test_crumbsStayCovered() public {
        _deposit(ben, 100 * USD);
        address[3] memory sellers = [ann, cat, _actor("dan")];
        for (uint256 i = 0; i < 3; ++i) {
            _deposit(sellers[i], 100 * USD);
            _open(sellers[i], ben, 1, 0);
        }
        _fix(50_010e8);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(vault.settle(sellers[i], callKey), 1);
            vault.claim(ben, callKey);
            assertGe(vault.poolOf(callKey).collected, vault.poolOf(callKey).paid);
        }
        assertEq(_quantity(ben, callKey), 0);
        assertEq(vault.poolOf(callKey).paid, 3);
        assertEq(vault.insurance(), 0);
    }

    /// @dev A due short comes before a take-over of the rest.
    function test_auctionWaitsForWhatIsDue() public {
        _shortCall();
        _deposit(ann, 7500 * USD);
        _deposit(ben, 5000 * USD);
        uint64 later = feed.add("BTC", CALL, EXPIRY + 30 days, 50_000e8);
        feed.join(later, FORWARD, PREMIUM, MAINTENANCE, INITIAL, START);
        Order memory order = _order(ann, false, ONE, PRICE);
        order.instrument = later;
        bytes memory signature = _sign(order);
        vm.prank(ben);
        vault.open(order, signature, ONE);
        _fix(70_000e8);
        feed.report(later, 70_000e8, PREMIUM, MAINTENANCE, INITIAL, uint64(block.timestamp));
        // Due 20,000, mark 7,000, maintenance 7,000; balance 25,000
        vault.startAuction(ann);
        vm.prank(cat);
        vm.expectRevert(abi.encodeWithSelector(Auction.SettleFirst.selector, ann));
        vault.bid(ann, 1e6, ANY_CASH);
        vault.settle(ann, callKey);
        _deposit(cat, 100_000 * USD);
        vm.prank(cat);
        vault.bid(ann, 1e6, ANY_CASH);
    }

    /// @dev An account in debt with a long: whoever buys it in an auction pays the fund.
    function test_aDebtorsLongPaysTheFund() public {
        _shortCall();
        _deposit(cat, 200_000 * USD);
        _deposit(ann, 5000 * USD);
        uint64 later = otherFeed.add("ETH", CALL, EXPIRY + 30 days, 50_000e8);
        otherFeed.report(later, FORWARD, PREMIUM, MAINTENANCE, INITIAL, START);
        Order memory order = _order(cat, false, ONE, PRICE);
        (order.feed, order.instrument) = (address(otherFeed), later);
        bytes memory signature = _sign(order);
        vm.prank(ann);
        vault.open(order, signature, ONE);
        _fix(80_000e8);
        vault.settle(ann, callKey);
        assertEq(_balance(ann), -17_500e6);
        otherFeed.report(later, FORWARD, PREMIUM, MAINTENANCE, INITIAL, uint64(block.timestamp));
        vault.startAuction(ann);
        vm.prank(cat);
        vault.bid(ann, 1e6, ANY_CASH);
        // (17,500) / (17,500 + 4,950) of a long of 5,000, less the fee, which is the fund's too
        assertEq(_balance(ann), -17_500e6 + int256(vault.insurance() - vault.insurance() / 100));
    }
}
