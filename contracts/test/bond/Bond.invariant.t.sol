// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumBond} from "../../src/bond/ConsortiumBond.sol";
import {BondFixture, MockLedger} from "./BondFixture.sol";
import {Test} from "forge-std/Test.sol";

/// @dev Everything that anybody can do to a bond, by four accounts that are members, payers and challengers in turn.
contract BondHandler is Test {
    ConsortiumBond private immutable _BOND;
    MockLedger private immutable _LEDGER;
    address[4] public accounts;
    uint256 public given;
    uint256 public taken;
    uint256 public forced;
    uint64 public seized;
    // What the bond said that it secured when somebody last relied on it, and until when.
    uint256 public promised;
    uint256 public promisedUntil;

    constructor(
        ConsortiumBond bond,
        MockLedger ledger
    ) {
        (_BOND, _LEDGER) = (bond, ledger);
        for (uint256 i = 0; i < accounts.length; ++i) {
            accounts[i] = makeAddr(string(abi.encodePacked("account", i)));
        }
    }

    function bondFor(
        uint256 payer,
        uint256 account,
        uint256 amount
    ) external {
        if (_outstanding()) return;
        amount = bound(amount, 1, 100 ether);
        given += amount;
        hoax(_account(payer), amount);
        _BOND.bond{value: amount}(_account(account));
    }

    function request(
        uint256 account,
        uint256 shares
    ) external {
        uint256 held = _BOND.sharesOf(_account(account));
        if (_outstanding() || held == 0) return;
        vm.prank(_account(account));
        _BOND.requestUnbonding(bound(shares, 1, held));
    }

    function cancel(
        uint256 account
    ) external {
        if (_BOND.unbondingOf(_account(account)).shares == 0) return;
        vm.prank(_account(account));
        _BOND.cancelUnbonding();
    }

    /// @dev Goes to when it can be taken, if that is not long past.
    function unbond(
        uint256 account
    ) external {
        ConsortiumBond.Unbonding memory leaving = _BOND.unbondingOf(_account(account));
        if (_outstanding() || leaving.shares == 0) return;
        if (block.timestamp < leaving.readyAt) vm.warp(leaving.readyAt);
        if (block.timestamp > leaving.readyAt + _BOND.CLAIM_PERIOD()) return;
        vm.prank(_account(account));
        taken += _BOND.unbond();
    }

    function slash(
        uint256 challenger,
        uint8 epochs
    ) external {
        // Rare, so that pools grow between; and only sometimes before the last one is seized.
        if (epochs % 8 != 0) return;
        promised = 0;
        _LEDGER.slash(_LEDGER.lastSlashedEpoch() + 1 + epochs / 8, _account(challenger));
    }

    function seize() external {
        if (!_outstanding()) return;
        seized = _LEDGER.lastSlashedEpoch();
        _BOND.seize();
    }

    function collect(
        uint256 account
    ) external {
        if (_BOND.rewardOf(_account(account)) == 0) return;
        vm.prank(_account(account));
        _BOND.collect();
    }

    function sweep() external {
        if (_BOND.forfeited() != 0) _BOND.sweep();
    }

    function force(
        uint256 amount
    ) external {
        amount = bound(amount, 0, 1 ether);
        forced += amount;
        vm.deal(address(_BOND), address(_BOND).balance + amount);
    }

    function pass(
        uint256 time
    ) external {
        vm.warp(block.timestamp + bound(time, 1, 4 days));
    }

    /// @dev Relies on what the bond says that it secures.
    function rely() external {
        (promised, promisedUntil) = (_BOND.secured(), block.timestamp + _BOND.DELAY());
    }

    function _outstanding() private view returns (bool) {
        return _LEDGER.lastSlashedEpoch() != seized;
    }

    function _account(
        uint256 index
    ) private view returns (address) {
        return accounts[index % accounts.length];
    }
}

contract BondInvariantTest is BondFixture {
    BondHandler private _handler;

    function setUp() public override {
        super.setUp();
        _handler = new BondHandler(bond, ledger);
        targetContract(address(_handler));
    }

    /// @dev All the ether there is belongs to the pool, a challenger or the sink, or was forced in.
    function invariant_everyWeiHasAnOwner() public view {
        assertEq(address(bond).balance, bond.pooled() + _rewards() + bond.forfeited() + _handler.forced());
    }

    /// @dev Nothing leaves but what was taken out or seized.
    function invariant_nothingIsMade() public view {
        assertLe(_handler.taken() + bond.pooled(), _handler.given());
    }

    /// @dev And so the price of a share is one for ever: no rounding, and nothing to inflate.
    function invariant_aShareIsAWei() public view {
        uint256 shares = 0;
        uint256 leaving = 0;
        for (uint256 i = 0; i < 4; ++i) {
            shares += bond.sharesOf(_handler.accounts(i));
            leaving += bond.unbondingOf(_handler.accounts(i)).shares;
        }
        assertEq(shares + leaving, bond.totalShares());
        assertEq(bond.totalShares(), bond.pooled());
        bool outstanding = ledger.lastSlashedEpoch() != _handler.seized();
        assertEq(bond.secured(), outstanding ? 0 : shares);
        assertLe(bond.secured(), bond.pooled());
    }

    /// @dev What a report was secured by when it was accepted is there for as long as the delay, unless it was seized.
    function invariant_whatWasSecuredStays() public view {
        if (block.timestamp < _handler.promisedUntil()) assertGe(bond.pooled(), _handler.promised());
    }

    function _rewards() private view returns (uint256 sum) {
        for (uint256 i = 0; i < 4; ++i) {
            sum += bond.rewardOf(_handler.accounts(i));
        }
    }
}
