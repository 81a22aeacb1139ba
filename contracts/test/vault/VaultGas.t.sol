// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Order} from "../../src/vault/VaultTypes.sol";
import {VaultFixture} from "./VaultFixture.sol";

/// @dev What a receipt would say: every call is a transaction of its own, with its 21,000, its calldata, slots that it
/// touches first, and its refunds. The figures are written to `snapshots/vault.json`, and with
/// FORGE_SNAPSHOT_CHECK=true compared to it. The ledger is a mock whose reading costs what its storage costs: with the
/// true one the figures differ by the difference of the two.
///
/// forge-config: default.isolate = true
contract VaultGasTest is VaultFixture {
    uint256 private constant TRANSACTION_CAP = 1 << 24;

    /// @return gas As above
    function _transaction(
        address sender,
        address target,
        bytes memory call,
        string memory name
    ) private returns (uint256 gas) {
        vm.prank(sender);
        (bool success,) = target.call(call);
        assertTrue(success, name);
        gas = vm.snapshotGasLastCall("vault", name);
        // Neither may be missing, or the figures would be those of a call.
        assertGt(gas, 21_000 + 4 * call.length);
    }

    function _openCall(
        address seller,
        uint96 quantity
    ) private returns (bytes memory) {
        Order memory order = _order(seller, false, quantity, PRICE);
        return abi.encodeCall(vault.open, (order, _sign(order), quantity));
    }

    function test_depositAndWithdraw() public {
        token.mint(ann, 1000 * USD);
        token.mint(address(vault), 1);
        bytes memory call = abi.encodeCall(vault.deposit, (500 * USD));
        assertLt(_transaction(ann, address(vault), call, "deposit, first"), 110_000);
        assertLt(_transaction(ann, address(vault), call, "deposit"), 80_000);
        call = abi.encodeCall(vault.withdraw, (500 * USD, ann));
        assertLt(_transaction(ann, address(vault), call, "withdraw, no positions"), 80_000);
    }

    function test_tradesAndSettlement() public {
        _deposit(ann, 100_000 * USD);
        _deposit(ben, 100_000 * USD);
        assertLt(_transaction(ben, address(vault), _openCall(ann, ONE), "open, a new instrument"), 380_000);
        assertLt(_transaction(ben, address(vault), _openCall(ann, ONE), "open, more of the same"), 200_000);
        bytes memory call = abi.encodeCall(vault.withdraw, (500 * USD, ann));
        assertLt(_transaction(ann, address(vault), call, "withdraw, one short"), 110_000);
        Order memory order = _order(ben, false, ONE, PRICE);
        call = abi.encodeCall(vault.close, (order, _sign(order), ONE));
        assertLt(_transaction(ann, address(vault), call, "close, a part"), 150_000);
        vm.warp(EXPIRY);
        uint256 sequence = _reportForward(52_000e8, PREMIUM);
        call = abi.encodeCall(prices.proposePrice, (address(feed), callId, sequence));
        assertLt(_transaction(cat, address(prices), call, "proposePrice"), 90_000);
        vm.warp(EXPIRY + 3 hours);
        call = abi.encodeCall(vault.settle, (ann, callKey));
        assertLt(_transaction(cat, address(vault), call, "settle"), 120_000);
        call = abi.encodeCall(vault.claim, (ben, callKey));
        assertLt(_transaction(cat, address(vault), call, "claim"), 100_000);
    }

    function test_closeAll() public {
        _deposit(ann, 100_000 * USD);
        _deposit(ben, 100_000 * USD);
        _open(ann, ben, ONE, PRICE);
        Order memory order = _order(ben, false, ONE, PRICE);
        bytes memory call = abi.encodeCall(vault.close, (order, _sign(order), ONE));
        assertLt(_transaction(ann, address(vault), call, "close, all of it"), 150_000);
    }

    function test_liquidation() public {
        _shortCall();
        _deposit(cat, 100_000 * USD);
        vm.warp(START + 60);
        _report(0.16e8);
        bytes memory call = abi.encodeCall(vault.startAuction, (ann));
        assertLt(_transaction(cat, address(vault), call, "liquidate: startAuction"), 80_000);
        vm.warp(START + 120);
        call = abi.encodeCall(vault.tick, (ann));
        assertLt(_transaction(cat, address(vault), call, "liquidate: tick"), 80_000);
        call = abi.encodeCall(vault.bid, (ann, 1e6, int256(0)));
        assertLt(_transaction(cat, address(vault), call, "liquidate: bid, one short"), 200_000);
    }

    /// @dev The worst that one account can be: sixteen shorts, half of each feed, taken over in part by an empty
    /// account.
    function test_sixteenShorts() public {
        _deposit(ann, 16 * 7500 * USD);
        _deposit(ben, 16 * 5000 * USD);
        uint64[16] memory ids;
        for (uint256 i = 0; i < 16; ++i) {
            ids[i] = i % 2 == 0
                ? feed.add("BTC", CALL, EXPIRY, uint96(i + 1) * 1e8)
                : otherFeed.add("ETH", CALL, EXPIRY, uint96(i + 1) * 1e8);
        }
        _reportAll(ids, PREMIUM);
        for (uint256 i = 0; i < 16; ++i) {
            Order memory order = _order(ann, false, ONE, PRICE);
            (order.feed, order.instrument) = (i % 2 == 0 ? address(feed) : address(otherFeed), ids[i]);
            bytes memory signature = _sign(order);
            vm.prank(ben);
            vault.open(order, signature, ONE);
        }
        bytes memory call = abi.encodeCall(vault.withdraw, (USD, ann));
        token.mint(ann, USD);
        vm.prank(ann);
        vault.deposit(USD);
        assertLt(_transaction(ann, address(vault), call, "withdraw, sixteen shorts"), 500_000);
        vm.warp(START + 60);
        _reportAll(ids, 0.16e8);
        _deposit(cat, 1e6 * USD);
        call = abi.encodeCall(vault.startAuction, (ann));
        assertLt(_transaction(cat, address(vault), call, "liquidate: startAuction, sixteen shorts"), 500_000);
        call = abi.encodeCall(vault.bid, (ann, 0.1e6, int256(0)));
        assertLt(_transaction(cat, address(vault), call, "liquidate: bid, sixteen shorts"), TRANSACTION_CAP / 4);
    }

    function _reportAll(
        uint64[16] memory ids,
        uint32 premium
    ) private {
        _report(premium);
        _reportOther(premium);
        for (uint256 i = 0; i < 16; ++i) {
            (i % 2 == 0 ? feed : otherFeed)
            .join(ids[i], FORWARD, premium, MAINTENANCE, INITIAL, uint64(block.timestamp));
        }
    }
}
