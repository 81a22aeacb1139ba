// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {BondFixture} from "./BondFixture.sol";

/// @dev Whole transactions, as in `Gas.t.sol`: intrinsic gas, calldata, and every slot touched for the first time.
/// forge-config: default.isolate = true
contract BondGasTest is BondFixture {
    function test_bond() public {
        vm.deal(address(this), 4 ether);
        bond.bond{value: 1 ether}(alice);
        _measure("bond, first of all", 100_000);
        bond.bond{value: 1 ether}(bob);
        _measure("bond, another member", 66_000);
        bond.bond{value: 1 ether}(bob);
        _measure("bond, again", 49_000);
    }

    function test_leaving() public {
        _bond(alice, 2 ether);
        _bond(bob, 1 ether);
        _request(alice, 1 ether);
        _measure("request unbonding", 83_000);
        vm.warp(START + DELAY);
        _unbond(alice);
        _measure("unbond", 51_000);
        _request(alice, 1 ether);
        vm.prank(alice);
        bond.cancelUnbonding();
        _measure("cancel unbonding", 50_000);
    }

    function test_seizure() public {
        _bond(alice, 2 ether);
        ledger.slash(1, challenger);
        bond.seize();
        _measure("seize", 87_000);
        vm.prank(challenger);
        bond.collect();
        _measure("collect", 32_000);
        bond.sweep();
        _measure("sweep", 59_000);
    }

    function _measure(
        string memory name,
        uint256 most
    ) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("bond", name, gas);
        assertLe(gas, most, name);
    }
}
