// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Collateral} from "../../src/vault/Collateral.sol";
import {Feeds} from "../../src/vault/Feeds.sol";
import {Margin} from "../../src/vault/Margin.sol";
import {Positions} from "../../src/vault/Positions.sol";
import {Settlement} from "../../src/vault/Settlement.sol";
import {Trading} from "../../src/vault/Trading.sol";
import {Order, Position} from "../../src/vault/VaultTypes.sol";
import {VaultFixture} from "./VaultFixture.sol";

contract TradingTest is VaultFixture {
    function _openExpecting(
        address seller,
        address buyer,
        uint96 quantity,
        uint256 price,
        bytes memory refusal
    ) private {
        Order memory order = _order(seller, false, quantity, price);
        bytes memory signature = _sign(order);
        vm.prank(buyer);
        vm.expectRevert(refusal);
        vault.open(order, signature, quantity);
    }

    function _closeExpecting(
        address seller,
        address buyer,
        uint96 quantity,
        uint256 price,
        bytes memory refusal
    ) private {
        Order memory order = _order(seller, false, quantity, price);
        bytes memory signature = _sign(order);
        vm.prank(buyer);
        vm.expectRevert(refusal);
        vault.close(order, signature, quantity);
    }

    function _undermargined(
        address account,
        int256 balance,
        uint256 requirement
    ) private pure returns (bytes memory) {
        return abi.encodeWithSelector(Margin.Undermargined.selector, account, balance, requirement);
    }

    function test_openMovesPremiumAndPositions() public {
        _shortCall();
        assertEq(_balance(ann), 12_500e6);
        assertEq(_balance(ben), 0);
        assertEq(_quantity(ann, callKey), -1e8);
        assertEq(_quantity(ben, callKey), 1e8);
        assertEq(vault.interestOf(callKey).open, 1e8);
        Position memory held = vault.positionsOf(ann)[0];
        assertEq(held.changedAt, START);
        assertEq(held.expiry, EXPIRY);
        assertEq(vault.accountOf(ann).shorts, 1);
        assertEq(vault.accountOf(ben).shorts, 0);
        assertEq(vault.markOf(callKey).forward, FORWARD);
        (int256 balance, uint256 initial, uint256 maintenance) = vault.marginOf(ann);
        assertEq(balance, 12_500e6);
        assertEq(initial, 12_500e6);
        assertEq(maintenance, 10_000e6);
    }

    function test_sellerMustBeInitiallyMargined() public {
        _deposit(ann, 7500 * USD - 1);
        _deposit(ben, 5000 * USD);
        _openExpecting(ann, ben, ONE, PRICE, _undermargined(ann, 12_499_999_999, 12_500e6));
    }

    function test_buyerPaysInFull() public {
        _deposit(ann, 7500 * USD);
        _deposit(ben, 5000 * USD - 1);
        _openExpecting(
            ann,
            ben,
            ONE,
            PRICE,
            abi.encodeWithSelector(Collateral.BalanceTooSmall.selector, ben, int256(4_999_999_999), 5000e6)
        );
    }

    /// @dev A premium is cash that leaves: what covers a short elsewhere cannot be spent on it.
    function test_buyerWithShortsMustStayMargined() public {
        _shortCall();
        _deposit(cat, 100_000 * USD);
        Order memory order = _order(cat, false, ONE, PRICE);
        order.instrument = putId;
        bytes memory signature = _sign(order);
        vm.prank(ann);
        vm.expectRevert(_undermargined(ann, 7500e6, 12_500e6));
        vault.open(order, signature, ONE);
        _deposit(ann, 5000 * USD);
        vm.prank(ann);
        vault.open(order, signature, ONE);
    }

    function test_openNeedsALiveFeedAndAFreshReading() public {
        _deposit(ann, 7500 * USD);
        _deposit(ben, 5000 * USD);
        bytes memory refusal = abi.encodeWithSelector(Feeds.ReadingNotFresh.selector, callKey);
        feed.setLive(false);
        _openExpecting(ann, ben, ONE, PRICE, refusal);
        feed.setLive(true);
        feed.reportNothing();
        _openExpecting(ann, ben, ONE, PRICE, refusal);
        _report(PREMIUM);
        vm.warp(START + 1 hours + 1);
        _openExpecting(ann, ben, ONE, PRICE, refusal);
        vm.warp(START + 1 hours);
        _open(ann, ben, ONE, PRICE);
    }

    function test_openNeedsMargins() public {
        _deposit(ann, 1e6 * USD);
        _deposit(ben, 1e6 * USD);
        feed.report(callId, FORWARD, PREMIUM, ABSENT, ABSENT, START);
        _openExpecting(ann, ben, ONE, PRICE, abi.encodeWithSelector(Trading.MarginAbsent.selector, callKey));
        _report(PREMIUM);
        _open(ann, ben, ONE, PRICE);
        vm.warp(START + 1);
        feed.report(callId, FORWARD, PREMIUM, ABSENT, ABSENT, START + 1);
        _openExpecting(ann, ben, ONE, PRICE, abi.encodeWithSelector(Trading.MarginAbsent.selector, callKey));
        // A long changes hands all the same, and the margins that were last computed are kept.
        _deposit(cat, 5000 * USD);
        _open(ben, cat, ONE, PRICE);
        assertEq(vault.markOf(callKey).observedAt, START + 1);
        assertEq(vault.markOf(callKey).initial, INITIAL);
        // A whole forward and the mark: nobody takes out on a margin that nobody computed.
        (, uint256 initial, uint256 maintenance) = vault.marginOf(ann);
        assertEq(initial, 55_000e6);
        assertEq(maintenance, 10_000e6);
    }

    function test_noTradeAfterTheEnd() public {
        _shortCall();
        vm.warp(EXPIRY);
        _deposit(cat, 5000 * USD);
        _openExpecting(
            ann, cat, ONE, PRICE, abi.encodeWithSelector(Trading.InstrumentExpired.selector, callKey, EXPIRY)
        );
        _close(ben, cat, 0.5e8, PRICE);
        vault.proposePriceFromMark(callKey);
        vm.warp(EXPIRY + 7 days);
        _closeExpecting(ben, cat, 0.5e8, PRICE, abi.encodeWithSelector(Settlement.PriceFixed.selector, callKey));
    }

    function test_unknownFeedAndMarket() public {
        _deposit(ben, 5000 * USD);
        Order memory order = _order(ann, false, ONE, PRICE);
        order.feed = address(this);
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(Feeds.FeedUnknown.selector, address(this)));
        vault.open(order, "", ONE);
        _closeExpecting(ann, ben, ONE, PRICE, abi.encodeWithSelector(Feeds.MarketUnknown.selector, callKey));
    }

    function test_crossingZeroBothWays() public {
        _deposit(ann, 100_000 * USD);
        _deposit(ben, 100_000 * USD);
        _open(ann, ben, ONE, PRICE);
        _open(ben, ann, 3 * ONE, PRICE);
        assertEq(_quantity(ann, callKey), 2e8);
        assertEq(_quantity(ben, callKey), -2e8);
        assertEq(vault.accountOf(ann).shorts, 0);
        assertEq(vault.accountOf(ben).shorts, 1);
        assertEq(vault.interestOf(callKey).open, 2e8);
        _open(ann, ben, 2 * ONE, PRICE);
        assertEq(vault.positionsOf(ann).length, 0);
        assertEq(vault.positionsOf(ben).length, 0);
        assertEq(vault.interestOf(callKey).open, 0);
    }

    /// @dev Only growth is stamped: a close of a crumb must not put a liquidation off.
    function test_stampOfGrowthOnly() public {
        _deposit(ann, 100_000 * USD);
        _deposit(ben, 100_000 * USD);
        _open(ann, ben, 2 * ONE, PRICE);
        vm.warp(START + 60);
        _close(ben, ann, ONE, PRICE);
        assertEq(vault.positionsOf(ann)[0].changedAt, START);
        _open(ann, ben, 1, PRICE);
        assertEq(vault.positionsOf(ann)[0].changedAt, START + 60);
    }

    function test_sixteenPositions() public {
        _deposit(ann, 1e7 * USD);
        _deposit(ben, 1e7 * USD);
        _deposit(cat, 1e7 * USD);
        uint64[17] memory ids;
        for (uint256 i = 0; i < 17; ++i) {
            ids[i] = feed.add("BTC", CALL, EXPIRY, uint96(i + 1) * 1e8);
        }
        feed.report(ids[0], FORWARD, PREMIUM, MAINTENANCE, INITIAL, START);
        for (uint256 i = 1; i < 17; ++i) {
            feed.join(ids[i], FORWARD, PREMIUM, MAINTENANCE, INITIAL, START);
        }
        for (uint256 i = 0; i < 17; ++i) {
            Order memory order = _order(ann, false, ONE, PRICE);
            order.instrument = ids[i];
            bytes memory signature = _sign(order);
            vm.prank(ben);
            if (i == 16) vm.expectRevert(abi.encodeWithSelector(Positions.TooManyPositions.selector, ann));
            vault.open(order, signature, ONE);
        }
        assertEq(vault.positionsOf(ann).length, 16);
        // The one in the middle goes, the last takes its place, and there is room again.
        Order memory back = _order(ann, true, ONE, PRICE);
        back.instrument = ids[7];
        bytes memory signed = _sign(back);
        vm.prank(ben);
        vault.close(back, signed, ONE);
        assertEq(vault.positionsOf(ann)[7].key.instrument(), ids[15]);
        assertEq(vault.accountOf(ann).shorts, 15);
        assertEq(_quantity(ann, vault.keyOf(address(feed), ids[7])), 0);
    }

    function test_closeWhateverTheFeedDoes() public {
        _shortCall();
        _deposit(ann, 1000 * USD);
        feed.setLive(false);
        _close(ben, ann, 0.25e8, PRICE);
        vm.warp(START + 2 days);
        _close(ben, ann, 0.25e8, PRICE);
        feed.setBroken(true);
        _close(ben, ann, 0.25e8, PRICE);
        // To a third party, who pays in full
        _deposit(cat, 5000 * USD);
        _close(ben, cat, 0.25e8, PRICE);
        assertEq(_quantity(cat, callKey), 0.25e8);
        assertEq(_quantity(ben, callKey), 0);
        assertEq(_quantity(ann, callKey), -0.25e8);
    }

    function test_closeNeverOpensAShort() public {
        _shortCall();
        _deposit(cat, 100_000 * USD);
        _closeExpecting(cat, ann, ONE, PRICE, abi.encodeWithSelector(Trading.ClosingOpensShort.selector, cat));
        _closeExpecting(ben, cat, ONE + 1, PRICE, abi.encodeWithSelector(Trading.ClosingOpensShort.selector, ben));
    }

    /// @dev Under its margin, ann would buy half back from a friend for all that half is margined by: her equity of
    /// 500 would be the friend's, and the other half nobody's.
    function test_shortOfMarginACloseIsAtTheMarkOrBetter() public {
        _shortCall();
        vm.warp(START + 60);
        _report(0.24e8);
        // Mark 12,000, requirement 19,500, balance 12,500
        _closeExpecting(ben, ann, 0.5e8, 12_001e8, _undermargined(ann, 6_499_500_000, 9750e6));
        _close(ben, ann, 0.5e8, 12_000e8);
        assertEq(_balance(ann), 6500e6);
        // All of the rest, at any price that she can pay: she owes nothing then.
        _close(ben, ann, 0.5e8, 13_000e8);
        assertEq(_balance(ann), 0);
    }

    function test_shortOfMarginALongGoesAtTheMarkOrBetter() public {
        _shortCall();
        _deposit(cat, 100_000 * USD);
        _deposit(ann, 5000 * USD);
        Order memory order = _order(cat, false, ONE, PRICE);
        order.instrument = putId;
        bytes memory signature = _sign(order);
        vm.prank(ann);
        vault.open(order, signature, ONE);
        vm.warp(START + 60);
        _report(0.2e8);
        // Mark 10,000, requirement 17,500, balance 12,500
        order = _order(ann, false, 0.3e8, 9999e8);
        order.instrument = putId;
        signature = _sign(order);
        vm.prank(cat);
        vm.expectRevert(_undermargined(ann, 15_499_700_000, 17_500e6));
        vault.close(order, signature, 0.3e8);
        order.price = 10_000e8;
        signature = _sign(order);
        vm.prank(cat);
        vault.close(order, signature, 0.3e8);
        assertEq(_balance(ann), 15_500e6);
    }
}
