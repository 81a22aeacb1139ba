// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumMembers} from "../../src/governance/ConsortiumMembers.sol";
import {MembersFixture} from "./MembersFixture.sol";

/// @dev Whole transactions, as in `Gas.t.sol`; the feed's own part is a mock's.
/// forge-config: default.isolate = true
contract MembersGasTest is MembersFixture {
    function test_actions() public {
        _schedule(_action());
        _measure("schedule, 3 of 4", 85_000);
        vm.warp(START + DELAY);
        _carryOut();
        _measure("execute an unpause", 62_500);
        _pause(feed);
        _measure("pause", 76_000);
        _cancel(_unpauseHash(feed, bytes32(0), START));
        _measure("cancel, 3 of 4", 85_000);
    }

    /// @dev As many members as there can be, all of whom sign, and all of whom are replaced.
    function test_thirtyTwo() public {
        uint256[] memory keys = new uint256[](32);
        address[] memory list = new address[](32);
        for (uint256 i = 0; i < 32; ++i) {
            uint256 key = uint256(keccak256(abi.encode("one of 32", i)));
            uint256 k = i;
            for (; k > 0 && list[k - 1] > vm.addr(key); --k) {
                (keys[k], list[k]) = (keys[k - 1], list[k - 1]);
            }
            (keys[k], list[k]) = (key, vm.addr(key));
        }
        members = new ConsortiumMembers(list, 32, DELAY);
        bytes32 action = _membersHash(_addresses(32), 32, SALT, START);
        bytes[] memory signatures = new bytes[](32);
        for (uint256 i = 0; i < 32; ++i) {
            signatures[i] = _signature(keys[i], _memberDigest(action));
        }
        members.schedule(action, list, signatures);
        _measure("schedule, 32 of 32", 410_000);
        vm.warp(START + DELAY);
        members.setMembers(_addresses(32), 32, SALT, START);
        _measure("replace 32 members", 1_020_000);
    }

    function _measure(
        string memory name,
        uint256 most
    ) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("members", name, gas);
        assertLe(gas, most, name);
    }
}
