// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Orders} from "../../src/vault/Orders.sol";
import {Trading} from "../../src/vault/Trading.sol";
import {Order} from "../../src/vault/VaultTypes.sol";
import {VaultFixture} from "./VaultFixture.sol";
import {ContractMaker} from "./mocks/MockTokens.sol";

contract OrdersTest is VaultFixture {
    function setUp() public override {
        super.setUp();
        _deposit(ann, 100_000 * USD);
        _deposit(ben, 100_000 * USD);
        _deposit(cat, 100_000 * USD);
    }

    function _take(
        address taker,
        Order memory order,
        uint96 quantity
    ) private {
        bytes memory signature = _sign(order);
        vm.prank(taker);
        vault.open(order, signature, quantity);
    }

    function _takeExpecting(
        address taker,
        Order memory order,
        uint96 quantity,
        bytes memory refusal
    ) private {
        bytes memory signature = _sign(order);
        vm.prank(taker);
        vm.expectRevert(refusal);
        vault.open(order, signature, quantity);
    }

    /// @dev The digest, from EIP-712's text and apart from the vault's code.
    function test_digest() public {
        Order memory order = _order(ann, true, ONE, PRICE);
        order.taker = cat;
        order.reduceOnly = true;
        bytes32 typeHash = keccak256(
            bytes.concat(
                "Order(address maker,address taker,address feed,uint64 instrument,bool isBuy,",
                "bool reduceOnly,uint96 quantity,uint128 price,uint256 salt,uint64 deadline)"
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(
                typeHash, ann, cat, address(feed), callId, true, true, ONE, uint128(PRICE), order.salt, order.deadline
            )
        );
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Margin Vault"),
                keccak256("1"),
                block.chainid,
                address(vault)
            )
        );
        assertEq(vault.domainSeparator(), domain);
        assertEq(vault.orderDigest(order), keccak256(abi.encodePacked(hex"1901", domain, structHash)));
    }

    /// @dev Words with bits above their type's: no digest that the maker signed.
    function test_dirtyCalldataIsRefused() public {
        Order memory order = _order(ann, true, ONE, PRICE);
        bytes memory call = abi.encodeCall(vault.open, (order, _sign(order), ONE));
        for (uint256 word = 0; word < 10; ++word) {
            if (word == 8) continue; // the salt has no spare bits
            bytes memory dirty = bytes.concat(call);
            dirty[4 + 32 * word] = 0x01;
            vm.prank(ben);
            (bool success,) = address(vault).call(dirty);
            assertFalse(success);
        }
        vm.prank(ben);
        (bool clean,) = address(vault).call(call);
        assertTrue(clean);
    }

    function test_partialFills() public {
        Order memory order = _order(ann, true, ONE, PRICE);
        bytes32 digest = vault.orderDigest(order);
        _take(ben, order, 0.3e8);
        _take(cat, order, 0.2e8);
        assertEq(vault.filledOf(digest), 0.5e8);
        assertEq(_quantity(ann, callKey), 0.5e8);
        _takeExpecting(
            ben, order, 0.5e8 + 1, abi.encodeWithSelector(Orders.OrderOverfilled.selector, digest, 0.5e8, 0.5e8 + 1)
        );
        _take(ben, order, 0.5e8);
        _takeExpecting(ben, order, 1, abi.encodeWithSelector(Orders.OrderOverfilled.selector, digest, 0, 1));
    }

    function test_refusals() public {
        Order memory order = _order(ann, true, ONE, PRICE);
        _takeExpecting(ben, order, 0, abi.encodeWithSelector(Orders.QuantityZero.selector));
        _takeExpecting(ann, order, ONE, abi.encodeWithSelector(Orders.OwnOrder.selector));
        order.taker = cat;
        _takeExpecting(ben, order, ONE, abi.encodeWithSelector(Orders.TakerNotAllowed.selector, ben));
        _take(cat, order, ONE);
        order = _order(ann, true, ONE, PRICE);
        vm.warp(block.timestamp + 1);
        _takeExpecting(ben, order, ONE, abi.encodeWithSelector(Orders.OrderExpired.selector, START));
    }

    function test_anotherSignerOrChangedTermsAreRefused() public {
        Order memory order = _order(ann, true, ONE, PRICE);
        bytes memory signature = _sign(order);
        bytes memory refusal = abi.encodeWithSelector(Orders.SignatureInvalid.selector, ann);
        for (uint256 i = 0; i < 7; ++i) {
            Order memory changed = abi.decode(abi.encode(order), (Order));
            if (i == 0) changed.isBuy = false;
            if (i == 1) changed.price = 1;
            if (i == 2) changed.quantity = 2 * ONE;
            if (i == 3) changed.instrument = putId;
            if (i == 4) changed.deadline += 1;
            if (i == 5) changed.salt += 1;
            if (i == 6) changed.reduceOnly = true;
            vm.prank(ben);
            vm.expectRevert(refusal);
            vault.open(changed, signature, 1);
        }
        order.maker = cat;
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(Orders.SignatureInvalid.selector, cat));
        vault.open(order, signature, 1);
    }

    function test_cancel() public {
        Order memory order = _order(ann, true, ONE, PRICE);
        bytes32 digest = vault.orderDigest(order);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotMaker.selector, address(this)));
        vault.cancel(order);
        _take(ben, order, 1);
        vm.expectEmit();
        emit Orders.OrderCancelled(digest, ann);
        vm.prank(ann);
        vault.cancel(order);
        _takeExpecting(ben, order, 1, abi.encodeWithSelector(Orders.OrderIsCancelled.selector, digest));
        assertEq(vault.filledOf(digest), type(uint256).max);
    }

    function test_contractMaker() public {
        ContractMaker maker = new ContractMaker();
        token.mint(address(maker), 10_000 * USD);
        Order memory order = _order(address(maker), true, ONE, PRICE);
        maker.approve(vault, token, 10_000 * USD, vault.orderDigest(order));
        vm.prank(ben);
        vault.open(order, "anything", ONE);
        assertEq(_quantity(address(maker), callKey), int256(uint256(ONE)));
        order.salt += 1;
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(Orders.SignatureInvalid.selector, address(maker)));
        vault.open(order, "anything", ONE);
    }

    function test_reduceOnly() public {
        Order memory order = _order(ann, true, ONE, PRICE);
        order.reduceOnly = true;
        bytes memory refusal = abi.encodeWithSelector(Trading.NotReducing.selector, ann);
        _takeExpecting(ben, order, ONE, refusal);
        _open(ann, ben, 0.4e8, PRICE);
        _takeExpecting(ben, order, 0.4e8 + 1, refusal);
        _take(ben, order, 0.4e8);
        assertEq(_quantity(ann, callKey), 0);

        order = _order(ann, false, ONE, PRICE);
        order.reduceOnly = true;
        _takeExpecting(ben, order, ONE, refusal);
        _open(ben, ann, 0.4e8, PRICE);
        _takeExpecting(ben, order, 0.4e8 + 1, refusal);
        _take(ben, order, 0.4e8);
        assertEq(_quantity(ann, callKey), 0);
    }

    /// @dev A taker who takes in crumbs pays the rounding.
    function test_roundingIsForTheMaker() public {
        int256 before = _balance(ann);
        Order memory order = _order(ann, true, ONE, 1e8);
        for (uint256 i = 0; i < 5; ++i) {
            _take(ben, order, 99);
        }
        assertEq(_balance(ann), before);
        order = _order(ann, false, ONE, 1e8);
        for (uint256 i = 0; i < 5; ++i) {
            _take(ben, order, 99);
        }
        assertEq(_balance(ann), before + 5);
    }
}
