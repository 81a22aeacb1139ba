// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MarginVault} from "../../src/vault/MarginVault.sol";
import {Positions} from "../../src/vault/Positions.sol";
import {Position, PositionKey} from "../../src/vault/VaultTypes.sol";
import {VaultHandler} from "./VaultHandler.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Test} from "forge-std/Test.sol";

/// forge-config: default.invariant.runs = 24
/// forge-config: default.invariant.depth = 160
contract VaultInvariantTest is Test {
    uint64 private constant START = 1_767_254_400;
    VaultHandler private _handler;
    MarginVault private _vault;

    function setUp() public {
        _handler = new VaultHandler();
        _vault = _handler.theVault();
        bytes4[] memory selectors = new bytes4[](24);
        // Trades, reports and time come up more often than the rest.
        (selectors[0], selectors[1], selectors[2]) =
        (_handler.open.selector, _handler.open.selector, _handler.open.selector);
        (selectors[3], selectors[4]) = (_handler.close.selector, _handler.close.selector);
        (selectors[5], selectors[6]) = (_handler.report.selector, _handler.report.selector);
        (selectors[7], selectors[8]) = (_handler.wait.selector, _handler.pause.selector);
        (selectors[9], selectors[10]) = (_handler.startAuction.selector, _handler.startAuction.selector);
        (selectors[11], selectors[12]) = (_handler.bid.selector, _handler.endAuction.selector);
        (selectors[13], selectors[14]) = (_handler.propose.selector, _handler.finish.selector);
        (selectors[15], selectors[16]) = (_handler.deposit.selector, _handler.fund.selector);
        (selectors[17], selectors[18]) =
        (_handler.withdrawAllThatIsFree.selector, _handler.breakAFeedThatIsNotHeld.selector);
        (selectors[19], selectors[20]) = (_handler.finish.selector, _handler.finish.selector);
        (selectors[21], selectors[22]) = (_handler.bid.selector, _handler.wait.selector);
        selectors[23] = _handler.expire.selector;
        targetContract(address(_handler));
        targetSelector(FuzzSelector({addr: address(_handler), selectors: selectors}));
    }

    function invariant_tokensAreBalancesFundAndPools() public view {
        uint256 held = IERC20(_vault.token()).balanceOf(address(_vault));
        assertEq(int256(held), _handler.total());
        assertEq(held, _handler.inflow() - _handler.outflow());
    }

    function invariant_positionsSumToZero() public view {
        for (uint256 which = 0; which < 3; ++which) {
            (uint256 longs, uint256 shorts) = (0, 0);
            for (uint256 who = 0; who < 5; ++who) {
                int256 quantity = _handler.quantityOf(who, which);
                if (quantity > 0) longs += uint256(quantity);
                else shorts += uint256(-quantity);
            }
            Positions.Interest memory interest = _vault.interestOf(_handler.keys(which));
            assertEq(shorts, interest.open - interest.settled);
            if (_handler.stands(which)) assertLe(longs, interest.open);
            else assertEq(longs, interest.open);
        }
    }

    function invariant_listsAreWhatTheCountsSay() public view {
        for (uint256 who = 0; who < 5; ++who) {
            address account = _handler.actors(who);
            Position[] memory list = _vault.positionsOf(account);
            uint256 counted = _vault.accountOf(account).shorts;
            assertLe(list.length, _vault.POSITIONS_LIMIT());
            uint256 shorts = 0;
            for (uint256 i = 0; i < list.length; ++i) {
                assertTrue(list[i].quantity != 0);
                if (list[i].quantity < 0) ++shorts;
                for (uint256 j = 0; j < i; ++j) {
                    assertFalse(list[i].key == list[j].key);
                }
            }
            assertEq(counted, shorts);
        }
    }

    function invariant_poolsPayWhatTheyCollected() public view {
        for (uint256 which = 0; which < 3; ++which) {
            PositionKey key = _handler.keys(which);
            assertLe(_vault.poolOf(key).paid, _vault.poolOf(key).collected);
        }
    }

    /// @dev Before anything has settled nobody owes the vault.
    function invariant_debtsComeFromSettlingOnly() public view {
        if (_handler.done("settle") > 0) return;
        for (uint256 who = 0; who < 5; ++who) {
            assertGe(_vault.accountOf(_handler.actors(who)).balance, 0);
        }
    }

    function invariant_bidsAddNothingAndWorsenNothing() public view {
        assertFalse(_handler.bidWorsened());
        assertFalse(_handler.cashAppeared());
    }

    function invariant_pausesTrapNothing() public view {
        assertFalse(_handler.pauseTrapped());
    }

    /// @dev A run by hand through all that the handler does, or the invariants above would say little.
    function test_handlerDoesEverything() public {
        _handler.open(0, 1, 0, 2e8, 0);
        _handler.open(0, 2, 2, 1e8, 5000e8);
        _handler.open(0, 2, 1, 1e8, 5000e8);
        _handler.open(3, 2, 1, 3e8, 0);
        _handler.close(2, 0, 1, 1e8, 0);
        _handler.withdrawAllThatIsFree(0);
        _handler.withdrawAllThatIsFree(3);
        _handler.pause(0, 0);
        _handler.open(0, 2, 1, 1e8, 5000e8);
        _handler.deposit(3, 100_000e6);
        _handler.withdrawAllThatIsFree(3);
        _handler.pause(0, 1);
        _handler.fund(900e6);
        _handler.wait(600, true);
        _handler.report(0, 0.2e8, 55_000e8);
        _handler.startAuction(0, true);
        _handler.bid(0, 4, 0.2e6, 60);
        _handler.endAuction(0);
        _handler.breakAFeedThatIsNotHeld(1, 1);
        vm.warp(START + 1 days);
        _handler.wait(1, true);
        for (uint256 which = 0; which < 3; ++which) {
            _handler.propose(which, 0);
        }
        for (uint256 day = 0; day < 14; ++day) {
            vm.warp(block.timestamp + 1 days);
            for (uint256 which = 0; which < 3; ++which) {
                _handler.propose(which, 0);
                for (uint256 who = 0; who < 5; ++who) {
                    _handler.finish(who, which);
                    _handler.finish(who, which);
                }
            }
        }
        string[10] memory deeds =
            ["open", "close", "withdraw", "open refused", "start", "bid", "end refused", "unheld", "settle", "claim"];
        for (uint256 i = 0; i < deeds.length; ++i) {
            assertGt(_handler.done(bytes32(bytes(deeds[i]))), 0, deeds[i]);
        }
        assertGt(_handler.done("propose") + _handler.done("propose mark"), 1);
        invariant_tokensAreBalancesFundAndPools();
        invariant_positionsSumToZero();
        invariant_bidsAddNothingAndWorsenNothing();
        invariant_pausesTrapNothing();
        for (uint256 who = 0; who < 5; ++who) {
            assertEq(_vault.positionsOf(_handler.actors(who)).length, 0);
        }
    }
}
