// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Feeds} from "../../src/vault/Feeds.sol";
import {Margin} from "../../src/vault/Margin.sol";
import {VaultFixture} from "./VaultFixture.sol";

contract MarginTest is VaultFixture {
    function _initial(
        address account
    ) private view returns (uint256 initial) {
        (, initial,) = vault.marginOf(account);
    }

    function test_longsAreCreditedNothing() public {
        _shortCall();
        (int256 balance, uint256 initial, uint256 maintenance) = vault.marginOf(ben);
        assertEq(balance, 0);
        assertEq(initial + maintenance, 0);
    }

    function test_aSilentFeedCountsTwice() public {
        _shortCall();
        feed.setLive(false);
        assertEq(_initial(ann), 25_000e6);
        feed.setLive(true);
        assertEq(_initial(ann), 12_500e6);
        vm.warp(START + 1 hours + 1);
        assertEq(_initial(ann), 25_000e6);
        _report(2 * PREMIUM);
        feed.setLive(false);
        // By the last reading there is
        assertEq(_initial(ann), 35_000e6);
        feed.reportNothing();
        // By the last that the vault has seen, and the whole forward
        assertEq(_initial(ann), 110_000e6);
        feed.setBroken(true);
        assertEq(_initial(ann), 110_000e6);
    }

    function test_pokeRemembersWhatIsNewer() public {
        _shortCall();
        vm.warp(START + 60);
        uint256 sequence = _report(2 * PREMIUM);
        feed.reportNothing();
        assertEq(_initial(ann), 110_000e6);
        vm.expectEmit();
        emit Feeds.MarkMoved(callKey, FORWARD, 2 * PREMIUM, uint40(START) + 60);
        vault.poke(callKey, sequence);
        assertEq(_initial(ann), 120_000e6);
        vm.expectRevert(abi.encodeWithSelector(Feeds.MarkNotNewer.selector, callKey, START + 60, START + 60));
        vault.poke(callKey, sequence);
        vm.expectRevert(abi.encodeWithSelector(Feeds.MarkNotNewer.selector, callKey, START, START + 60));
        vault.poke(callKey, 1);
        vm.expectRevert(abi.encodeWithSelector(Feeds.MarketUnknown.selector, putKey));
        vault.poke(putKey, sequence);
    }

    function test_pauseLeavesFreeCollateralFree() public {
        _shortCall();
        _deposit(ann, 20_000 * USD);
        feed.setLive(false);
        vm.expectRevert(abi.encodeWithSelector(Margin.Undermargined.selector, ann, int256(24_999_999_999), 25_000e6));
        _withdraw(ann, 7500 * USD + 1);
        _withdraw(ann, 7500 * USD);
        // A feed that is gone may come back with anything: twice the mark and the whole forward stay.
        feed.setBroken(true);
        _deposit(ann, 85_005 * USD);
        _withdraw(ann, 5 * USD);
        vm.expectRevert(abi.encodeWithSelector(Margin.Undermargined.selector, ann, int256(109_999_999_999), 110_000e6));
        _withdraw(ann, 1);
    }

    /// @dev All the other feed can do, and an account that has nothing of it: nothing changes.
    function test_anUnheldFeedIsNotAsked() public {
        _shortCall();
        _deposit(ann, 10 * USD);
        otherFeed.setBroken(true);
        vm.expectCall(address(otherFeed), "", 0);
        _withdraw(ann, 10 * USD);
        _deposit(ann, 12_500 * USD);
        _deposit(ben, 5000 * USD);
        _open(ann, ben, ONE, PRICE);
        _close(ben, ann, ONE, PRICE);
    }

    /// @dev Nor is the feed of an account that is only long of it.
    function test_aHolderIsNotAskedAboutItsLongs() public {
        _shortCall();
        _deposit(ben, 10 * USD);
        feed.setBroken(true);
        vm.expectCall(address(feed), "", 0);
        _withdraw(ben, 10 * USD);
    }

    function test_shortsOfTwoFeedsAddUp() public {
        _shortCall();
        _deposit(ann, 7500 * USD);
        _deposit(ben, 5000 * USD);
        _openOther(ann, ben, ONE);
        assertEq(_initial(ann), 25_000e6);
        otherFeed.setLive(false);
        assertEq(_initial(ann), 37_500e6);
    }

    /// @dev Scarce gas fails the feed's answer, and everything with it.
    function test_scarceGasChoosesNoMark() public {
        _shortCall();
        vm.warp(START + 60);
        _report(4 * PREMIUM);
        // By the reading 27,500 must stay; by the mark, twice 12,500.
        _deposit(ann, 13_000 * USD);
        for (uint256 gas = 30_000; gas < 200_000; gas += 500) {
            vm.prank(ann);
            (bool success,) = address(vault).call{gas: gas}(abi.encodeCall(vault.withdraw, (500 * USD, ann)));
            assertFalse(success);
        }
        assertEq(_balance(ann), 25_500e6);
    }

    function testFuzz_requirementIsWhatItSays(
        uint96 quantity,
        uint96 forward,
        uint32 premium,
        uint24 initial,
        bool live
    ) public {
        quantity = uint96(bound(quantity, 1, 1e16));
        forward = uint96(bound(forward, 1, 1e16));
        premium = uint32(bound(premium, 0, 1e9));
        initial = uint24(bound(initial, 0, ABSENT - 1));
        _deposit(ann, 1e36);
        feed.report(callId, forward, premium, initial, initial, START);
        _open(ann, ben, quantity, 0);
        feed.setLive(live);
        uint256 counted = initial < 20_000 ? 20_000 : initial;
        uint256 numerator = uint256(quantity) * forward * (uint256(premium) + 100 * counted);
        uint256 expected = numerator / 1e18 + (numerator % 1e18 == 0 ? 0 : 1);
        assertEq(_initial(ann), live ? expected : 2 * expected);
    }
}
