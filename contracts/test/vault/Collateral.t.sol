// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Auction} from "../../src/vault/Auction.sol";
import {Collateral} from "../../src/vault/Collateral.sol";
import {Feeds} from "../../src/vault/Feeds.sol";
import {Margin} from "../../src/vault/Margin.sol";
import {MarginVault} from "../../src/vault/MarginVault.sol";
import {SettlementPrices} from "../../src/vault/SettlementPrices.sol";
import {VaultConfig} from "../../src/vault/VaultTypes.sol";
import {VaultFixture} from "./VaultFixture.sol";
import {FalseToken, FeeToken, MockToken, ReentrantToken, SilentToken} from "./mocks/MockTokens.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

contract CollateralTest is VaultFixture {
    function test_depositAndWithdraw() public {
        _deposit(ann, 100 * USD);
        assertEq(_balance(ann), 100e6);
        assertEq(token.balanceOf(address(vault)), 100 * USD);
        vm.expectEmit();
        emit Collateral.Withdrawn(ann, cat, 40 * USD);
        vm.prank(ann);
        vault.withdraw(40 * USD, cat);
        assertEq(_balance(ann), 60e6);
        assertEq(token.balanceOf(cat), 40 * USD);
        assertEq(vault.token(), address(token));
    }

    function test_anyoneTopsUpAnyone() public {
        token.mint(ann, 5);
        vm.expectEmit();
        emit Collateral.Deposited(ann, ben, 5);
        vm.prank(ann);
        vault.depositFor(ben, 5);
        assertEq(_balance(ben), 5);
        assertEq(_balance(ann), 0);
    }

    function test_fundInsurance() public {
        token.mint(ann, 5);
        vm.prank(ann);
        vault.fundInsurance(5);
        assertEq(vault.insurance(), 5);
        assertEq(_balance(ann), 0);
    }

    function test_refusals() public {
        vm.expectRevert(Collateral.AmountZero.selector);
        vault.deposit(0);
        vm.expectRevert(Collateral.AmountZero.selector);
        vault.fundInsurance(0);
        vm.expectRevert(Collateral.RecipientZero.selector);
        vault.depositFor(address(0), 1);
        vm.expectRevert(Collateral.AmountZero.selector);
        vault.withdraw(0, ann);
        vm.expectRevert(Collateral.RecipientZero.selector);
        vault.withdraw(1, address(0));
        _deposit(ann, 5);
        vm.expectRevert(abi.encodeWithSelector(Collateral.BalanceTooSmall.selector, ann, int256(5), 6));
        _withdraw(ann, 6);
    }

    function test_withdrawsFreeCollateralOnly() public {
        _deposit(ann, 7500 * USD + 10);
        _deposit(ben, 5000 * USD);
        _open(ann, ben, ONE, PRICE);
        vm.expectRevert(abi.encodeWithSelector(Margin.Undermargined.selector, ann, int256(12_499_999_999), 12_500e6));
        _withdraw(ann, 11);
        _withdraw(ann, 10);
        assertEq(_balance(ann), 12_500e6);
    }

    function testFuzz_depositThenWithdrawGivesBack(
        uint128 amount
    ) public {
        amount = uint128(bound(amount, 1, uint128(type(int128).max)));
        _deposit(ann, amount);
        _withdraw(ann, amount);
        assertEq(token.balanceOf(ann), amount);
        assertEq(token.balanceOf(address(vault)), 0);
    }

    function test_feeOnTransferIsRefused() public {
        FeeToken fee = new FeeToken();
        MarginVault other = _newVault(address(fee), _feeds(), _config());
        fee.mint(address(this), 100);
        fee.approve(address(other), 100);
        vm.expectRevert(abi.encodeWithSelector(Collateral.TransferFell.selector, 100, 99));
        other.deposit(100);
        vm.expectRevert(abi.encodeWithSelector(Collateral.TransferFell.selector, 100, 99));
        other.fundInsurance(100);
    }

    function test_falseIsAFailure() public {
        FalseToken bad = new FalseToken();
        MarginVault other = _newVault(address(bad), _feeds(), _config());
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(bad)));
        other.deposit(100);
    }

    function test_silentTokenWorks() public {
        SilentToken silent = new SilentToken();
        MarginVault other = _newVault(address(silent), _feeds(), _config());
        silent.mint(address(this), 100);
        other.deposit(100);
        other.withdraw(60, ann);
        assertEq(silent.balanceOf(ann), 60);
        assertEq(other.accountOf(address(this)).balance, 40);
    }

    function test_everyChangingFunctionIsLocked() public {
        ReentrantToken hook = new ReentrantToken();
        MarginVault other = _newVault(address(hook), _feeds(), _config());
        hook.mint(address(this), 1000);
        hook.approve(address(other), 1000);
        bytes[11] memory calls = [
            abi.encodeCall(other.deposit, (1)),
            abi.encodeCall(other.depositFor, (ann, 1)),
            abi.encodeCall(other.withdraw, (1, ann)),
            abi.encodeCall(other.fundInsurance, (1)),
            abi.encodeCall(other.startAuction, (ann)),
            abi.encodeCall(other.tick, (ann)),
            abi.encodeCall(other.bid, (ann, 1, 0)),
            abi.encodeCall(other.endAuction, (ann)),
            abi.encodeCall(other.settle, (ann, callKey)),
            abi.encodeCall(other.open, (_order(ann, true, 1, 1), "", 1)),
            abi.encodeCall(other.close, (_order(ann, true, 1, 1), "", 1))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            hook.arm(address(other), calls[i]);
            if (i % 2 == 0) other.deposit(10);
            else other.withdraw(1, address(this));
            assertTrue(hook.refused());
            assertEq(bytes4(hook.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        }
        hook.arm(address(other), abi.encodeCall(other.claim, (ann, callKey)));
        other.deposit(10);
        assertEq(bytes4(hook.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
    }
}

contract VaultConstructorTest is VaultFixture {
    function test_decimals() public {
        for (uint8 decimals = 5; decimals < 20; ++decimals) {
            MockToken other = new MockToken(decimals);
            if (decimals < 6 || decimals > 18) {
                vm.expectRevert(abi.encodeWithSelector(Collateral.DecimalsOutOfRange.selector, decimals));
            }
            _newVault(address(other), _feeds(), _config());
        }
    }

    function test_feedLists() public {
        address[] memory none = new address[](0);
        vm.expectRevert(abi.encodeWithSelector(Feeds.FeedCountOutOfBounds.selector, 0));
        _newVault(address(token), none, _config());
        address[] memory many = new address[](9);
        vm.expectRevert(abi.encodeWithSelector(Feeds.FeedCountOutOfBounds.selector, 9));
        _newVault(address(token), many, _config());
        address[] memory list = _feeds();
        list[1] = list[0];
        vm.expectRevert(abi.encodeWithSelector(Feeds.FeedDuplicate.selector, list[0]));
        _newVault(address(token), list, _config());
        list[1] = ann;
        vm.expectRevert(abi.encodeWithSelector(Feeds.FeedWithoutCode.selector, ann));
        _newVault(address(token), list, _config());
        assertEq(vault.feeds(), _feeds());
        vm.expectRevert(abi.encodeWithSelector(Feeds.FeedUnknown.selector, ann));
        vault.keyOf(ann, 1);
    }

    function test_timesAndRates() public {
        for (uint256 i = 0; i < 10; ++i) {
            VaultConfig memory config = _config();
            if (i == 0) config.settlementLag = 0;
            if (i == 1) config.settlementDelay = 0;
            if (i == 2) config.proposalPeriod = 0;
            if (i == 3) config.fallbackDelay = config.settlementDelay;
            if (i == 4) config.solventTime = 0;
            if (i == 5) config.insolventTime = 0;
            if (i == 6) config.tickGap = 0;
            if (i == 7) config.tickGap = config.solventTime + 1;
            if (i == 8) (config.tickGap, config.solventTime) = (config.insolventTime + 1, 2 * config.insolventTime);
            if (i == 9) config.feeRate = 100_001;
            bytes memory refusal = i < 4
                ? abi.encodeWithSelector(SettlementPrices.SettlementTimesInvalid.selector)
                : i < 9
                    ? abi.encodeWithSelector(Auction.AuctionTimesInvalid.selector)
                    : abi.encodeWithSelector(Auction.FeeRateTooHigh.selector, 100_001);
            vm.expectRevert(refusal);
            _newVault(address(token), _feeds(), config);
        }
    }

    function test_codeFitsIntoAContract() public view {
        assertLt(address(vault).code.length, 24_577);
    }
}
