// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {RegistryFixture} from "./RegistryFixture.sol";

/// @dev Whole transactions, as in `Gas.t.sol`. A book is dear in proportion to the slots that its instruments' numbers
/// lie in: eight to a slot where they were registered together, one to a slot at worst.
/// forge-config: default.isolate = true
contract RegistryGasTest is RegistryFixture {
    // EIP-7825: no transaction takes more.
    uint256 private constant TRANSACTION_CAP = 1 << 24;

    function test_sixtyFour() public {
        (uint256[] memory ids, InstrumentWord[] memory words) = _registerCalls(64);
        _measure("register 64 instruments", 3_100_000);
        registry.registerBook(ids);
        _measure("book of 64, registered together", 530_000);
        registry.register(words);
        _measure("register 64 known instruments", 200_000);
        registry.registerBook(ids);
        _measure("book of 64, known", 195_000);
    }

    /// @dev Others may have registered a book's instruments with what they like between them, so that each lies in a
    /// slot of its own: then a book of more than some 620 does not fit into a transaction.
    function test_sixtyFourFarApart() public {
        registry.registerBook(_farApart(64));
        _measure("book of 64, far apart", 1_760_000);
    }

    function test_theLargest() public {
        (uint256[] memory ids,) = _registerCalls(1024);
        registry.registerBook(ids);
        _measure("book of 1,024, registered together", TRANSACTION_CAP);
    }

    function _farApart(
        uint256 count
    ) private returns (uint256[] memory ids) {
        _registerCalls(8 * count);
        ids = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            ids[i] = 8 * i + 1;
        }
    }

    function _measure(
        string memory name,
        uint256 most
    ) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("registry", name, gas);
        assertLe(gas, most, name);
    }
}
