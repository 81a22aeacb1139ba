// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumBond} from "../../src/bond/ConsortiumBond.sol";
import {ISlashable} from "../../src/interfaces/ISlashable.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Test} from "forge-std/Test.sol";

/// @dev A ledger whose proofs are just said.
contract MockLedger is ISlashable {
    uint64 public lastSlashedEpoch;
    mapping(uint64 epoch => address) public challengerOf;

    function slash(
        uint64 epoch,
        address challenger
    ) external {
        lastSlashedEpoch = epoch;
        challengerOf[epoch] = challenger;
    }
}

/// @dev Calls the bond as a member, a challenger or a sink would, and does not take ether unless it is told to.
contract Holder {
    ConsortiumBond internal immutable _BOND;
    bool private _open;
    bytes private _inside;
    bytes public refusal;

    error Closed();

    constructor(
        ConsortiumBond target
    ) {
        _BOND = target;
    }

    function open() external {
        _open = true;
    }

    /// @dev What to call once paid; its failure is kept in {refusal}, and the payment stands.
    function reenterWith(
        bytes calldata call
    ) external {
        (_open, _inside) = (true, call);
    }

    function run(
        bytes calldata call,
        uint256 value
    ) external {
        Address.functionCallWithValue(address(_BOND), call, value);
    }

    receive() external payable {
        _take();
    }

    function _take() private {
        if (!_open) revert Closed();
        bytes memory call = _inside;
        if (call.length == 0) return;
        delete _inside;
        (bool success, bytes memory answer) = address(_BOND).call(call);
        if (!success) refusal = answer;
    }
}

/// @dev A bond with a mock ledger: a tenth to the challenger, ten days to leave.
abstract contract BondFixture is Test {
    uint256 internal constant REWARD = 1000;
    uint256 internal constant DELAY = 10 days;
    uint256 internal constant START = 1_767_254_400;

    MockLedger internal ledger;
    ConsortiumBond internal bond;
    address internal sink = makeAddr("sink");
    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");
    address internal challenger = makeAddr("challenger");

    function setUp() public virtual {
        vm.warp(START);
        ledger = new MockLedger();
        bond = new ConsortiumBond(ledger, sink, REWARD, DELAY);
    }

    function _bond(
        address account,
        uint256 amount
    ) internal returns (uint256) {
        hoax(account, amount);
        return bond.bond{value: amount}(account);
    }

    function _request(
        address account,
        uint256 shares
    ) internal {
        vm.prank(account);
        bond.requestUnbonding(shares);
    }

    function _unbond(
        address account
    ) internal returns (uint256) {
        vm.prank(account);
        return bond.unbond();
    }
}
