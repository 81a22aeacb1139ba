// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MarginVault} from "../../src/vault/MarginVault.sol";
import {SettlementPrices} from "../../src/vault/SettlementPrices.sol";
import {Order, Position, PositionKey, VaultConfig} from "../../src/vault/VaultTypes.sol";
import {MockFeed} from "./mocks/MockFeed.sol";
import {MockToken} from "./mocks/MockTokens.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Test} from "forge-std/Test.sol";

/// @dev A vault of two ledgers and a token of 6 decimals. One call of strike 50,000 on a forward of 50,000 is worth a
/// tenth of it: 5,000; maintenance margin 10 %, initial 15 %: a short of one needs 12,500 to open and 10,000 to stay.
abstract contract VaultFixture is Test {
    uint64 internal constant START = 1_767_254_400;
    uint40 internal constant EXPIRY = uint40(START) + 30 days;
    uint96 internal constant FORWARD = 50_000e8;
    uint32 internal constant PREMIUM = 0.1e8;
    uint24 internal constant MAINTENANCE = 0.1e6;
    uint24 internal constant INITIAL = 0.15e6;
    uint24 internal constant ABSENT = type(uint24).max;
    uint96 internal constant ONE = 1e8;
    uint256 internal constant USD = 1e6;
    uint256 internal constant PRICE = 5000e8;
    int256 internal constant ANY_CASH = type(int256).min;
    uint8 internal constant CALL = 1;
    uint8 internal constant PUT = 2;

    MarginVault internal vault;
    SettlementPrices internal prices;
    MockToken internal token;
    MockFeed internal feed;
    MockFeed internal otherFeed;
    uint64 internal callId;
    uint64 internal putId;
    uint64 internal otherId;
    PositionKey internal callKey;
    PositionKey internal putKey;
    PositionKey internal otherKey;

    address internal ann;
    address internal ben;
    address internal cat;
    mapping(address => uint256) internal keyOf;
    uint256 private _salt;

    function setUp() public virtual {
        vm.warp(START);
        token = new MockToken(6);
        feed = new MockFeed();
        otherFeed = new MockFeed();
        vault = _newVault(address(token), _feeds(), _config());
        prices = vault.SETTLEMENT_PRICES();
        callId = feed.add("BTC", CALL, EXPIRY, 50_000e8);
        putId = feed.add("BTC", PUT, EXPIRY, 50_000e8);
        otherId = otherFeed.add("ETH", CALL, EXPIRY, 50_000e8);
        callKey = vault.keyOf(address(feed), callId);
        putKey = vault.keyOf(address(feed), putId);
        otherKey = vault.keyOf(address(otherFeed), otherId);
        (ann, ben, cat) = (_actor("ann"), _actor("ben"), _actor("cat"));
        _report(PREMIUM);
        _reportOther(PREMIUM);
    }

    function _config() internal pure returns (VaultConfig memory) {
        return VaultConfig({
            settlementLag: 1 hours,
            settlementDelay: 3 hours,
            proposalPeriod: 1 hours,
            fallbackDelay: 7 days,
            solventTime: 20 minutes,
            insolventTime: 20 minutes,
            tickGap: 2 minutes,
            feeRate: 0.01e6
        });
    }

    function _feeds() internal view returns (address[] memory list) {
        list = new address[](2);
        (list[0], list[1]) = (address(feed), address(otherFeed));
    }

    function _newVault(
        address token_,
        address[] memory feeds,
        VaultConfig memory config
    ) internal returns (MarginVault) {
        return new MarginVault(IERC20Metadata(token_), feeds, config);
    }

    function _actor(
        string memory name
    ) internal returns (address account) {
        uint256 key;
        (account, key) = makeAddrAndKey(name);
        keyOf[account] = key;
        vm.prank(account);
        token.approve(address(vault), type(uint256).max);
    }

    function _deposit(
        address account,
        uint256 amount
    ) internal {
        token.mint(account, amount);
        vm.prank(account);
        vault.deposit(amount);
    }

    /// @dev A report of now about both options of the first feed, the put at the call's premium.
    function _report(
        uint32 premium
    ) internal returns (uint256 sequence) {
        return _reportForward(FORWARD, premium);
    }

    function _reportForward(
        uint96 forward,
        uint32 premium
    ) internal returns (uint256 sequence) {
        uint64 observedAt = uint64(block.timestamp);
        sequence = feed.report(callId, forward, premium, MAINTENANCE, INITIAL, observedAt);
        feed.join(putId, forward, premium, MAINTENANCE, INITIAL, observedAt);
    }

    function _reportOther(
        uint32 premium
    ) internal {
        otherFeed.report(otherId, FORWARD, premium, MAINTENANCE, INITIAL, uint64(block.timestamp));
    }

    function _order(
        address maker,
        bool isBuy,
        uint96 quantity,
        uint256 price
    ) internal returns (Order memory) {
        return Order({
            maker: maker,
            taker: address(0),
            feed: address(feed),
            instrument: callId,
            isBuy: isBuy,
            reduceOnly: false,
            quantity: quantity,
            price: uint128(price),
            salt: ++_salt,
            deadline: uint64(block.timestamp)
        });
    }

    function _sign(
        Order memory order
    ) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf[order.maker], vault.orderDigest(order));
        return abi.encodePacked(r, s, v);
    }

    /// @dev `seller` sells calls to `buyer`, who takes its order.
    function _open(
        address seller,
        address buyer,
        uint96 quantity,
        uint256 price
    ) internal {
        Order memory order = _order(seller, false, quantity, price);
        bytes memory signature = _sign(order);
        vm.prank(buyer);
        vault.open(order, signature, quantity);
    }

    function _close(
        address seller,
        address buyer,
        uint96 quantity,
        uint256 price
    ) internal {
        Order memory order = _order(seller, false, quantity, price);
        bytes memory signature = _sign(order);
        vm.prank(buyer);
        vault.close(order, signature, quantity);
    }

    function _openOther(
        address seller,
        address buyer,
        uint96 quantity
    ) internal {
        Order memory order = _order(seller, false, quantity, PRICE);
        (order.feed, order.instrument) = (address(otherFeed), otherId);
        bytes memory signature = _sign(order);
        vm.prank(buyer);
        vault.open(order, signature, quantity);
    }

    /// @dev Ann short of one call against Ben, at the mark, with just the initial margin: 12,500.
    function _shortCall() internal {
        _deposit(ann, 7500 * USD);
        _deposit(ben, 5000 * USD);
        _open(ann, ben, ONE, PRICE);
    }

    function _withdraw(
        address account,
        uint256 amount
    ) internal {
        vm.prank(account);
        vault.withdraw(amount, account);
    }

    function _balance(
        address account
    ) internal view returns (int256) {
        return vault.accountOf(account).balance;
    }

    function _quantity(
        address account,
        PositionKey key
    ) internal view returns (int256) {
        Position[] memory list = vault.positionsOf(account);
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].key == key) return list[i].quantity;
        }
        return 0;
    }

    function _inAuction(
        address account
    ) internal view returns (bool) {
        return vault.accountOf(account).tickedAt != 0;
    }
}
