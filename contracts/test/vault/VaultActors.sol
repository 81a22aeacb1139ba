// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Order, Position, PositionKey} from "../../src/vault/VaultTypes.sol";
import {VaultFixture} from "./VaultFixture.sol";
import {MockFeed} from "./mocks/MockFeed.sol";

/// @dev Who {VaultHandler} acts as, and with what.
abstract contract VaultActors is VaultFixture {
    address[5] public actors;
    PositionKey[3] public keys;
    uint256 public inflow;
    uint256 public outflow;
    mapping(bytes32 what => uint256) public done;
    bool public bidWorsened;
    bool public cashAppeared;
    bool public pauseTrapped;
    uint64[3] internal _ids;
    uint32[3] internal _premiums = [PREMIUM, PREMIUM, PREMIUM];
    uint96[2] internal _forwards = [FORWARD, FORWARD];

    constructor() {
        setUp();
        for (uint256 i = 0; i < 5; ++i) {
            actors[i] = _actor(string(abi.encodePacked("actor", i)));
            _put(actors[i], 50_000 * USD);
        }
        _ids[0] = feed.add("BTC", CALL, uint40(START) + 1 days, 50_000e8);
        _ids[1] = feed.add("BTC", PUT, uint40(START) + 3 days, 50_000e8);
        _ids[2] = otherFeed.add("ETH", CALL, uint40(START) + 1 days, 50_000e8);
        for (uint256 i = 0; i < 3; ++i) {
            keys[i] = vault.keyOf(address(_feedOf(i)), _ids[i]);
        }
        _publish(0);
        _publish(1);
    }

    function _trade(
        uint256 seller,
        uint256 buyer,
        uint256 which,
        uint256 quantity,
        uint256 price,
        bool opens
    ) internal {
        which %= 3;
        (address from, address to) = (_pick(seller), _pick(buyer));
        if (opens && price % 2 == 0) {
            _put(from, 20_000 * USD);
            _publish(which / 2);
        }
        if (!opens) from = _holder(seller, which, 1);
        if (!opens && price % 2 == 0) to = _holder(buyer, which, -1);
        if (from == to) return;
        uint96 size = uint96(bound(quantity, 1, 3e8));
        if (!opens && int256(uint256(size)) > _quantity(from, keys[which])) {
            // All that it has, or one too many: a close that would open a short must fail.
            int256 held = _quantity(from, keys[which]);
            size = held > 0 ? uint96(uint256(held)) : size;
        }
        // From nothing to three times the mark
        uint256 mark = uint256(_forwards[which / 2]) * _premiums[which] / 1e8;
        Order memory order = _order(from, false, size, bound(price, 0, 3 * mark));
        (order.feed, order.instrument) = (address(_feedOf(which)), _ids[which]);
        bytes memory signature = _sign(order);
        vm.prank(to);
        if (opens) {
            try vault.open(order, signature, size) {
                ++done["open"];
            } catch {
                ++done["open refused"];
            }
        } else {
            try vault.close(order, signature, size) {
                ++done["close"];
            } catch {
                ++done["close refused"];
            }
        }
    }

    /// @dev Reports without what has expired, as a ledger takes them.
    function _publish(
        uint256 which
    ) internal {
        if (which == 1) {
            if (block.timestamp > START + 1 days) return;
            otherFeed.report(_ids[2], _forwards[1], _premiums[2], MAINTENANCE, INITIAL, uint64(block.timestamp));
            return;
        }
        if (block.timestamp > START + 3 days) return;
        feed.report(_ids[1], _forwards[0], _premiums[1], MAINTENANCE, INITIAL, uint64(block.timestamp));
        if (block.timestamp > START + 1 days) return;
        feed.join(_ids[0], _forwards[0], _premiums[0], MAINTENANCE, INITIAL, uint64(block.timestamp));
    }

    function _put(
        address account,
        uint256 amount
    ) internal {
        _deposit(account, amount);
        inflow += amount;
    }

    /// @dev Premium and forward at which the account's first short needs more than all it has.
    function _squeeze(
        address account
    ) internal {
        Position[] memory list = vault.positionsOf(account);
        int256 balance = _balance(account);
        for (uint256 which = 0; which < 3; ++which) {
            for (uint256 i = 0; i < list.length; ++i) {
                if (!(list[i].key == keys[which]) || list[i].quantity >= 0 || balance < 0) continue;
                uint256 needed = uint256(balance) * 1e18 / (uint256(uint96(-list[i].quantity)) * FORWARD);
                if (needed > 2e8) continue;
                (_premiums[which], _forwards[which / 2]) = (uint32(needed), FORWARD);
                vm.warp(block.timestamp + 1);
                _feedOf(which).setLive(true);
                _publish(which / 2);
                return;
            }
        }
    }

    /// @dev One that is long (1) or short (-1) of an instrument, any where none is.
    function _holder(
        uint256 who,
        uint256 which,
        int256 side
    ) internal view returns (address) {
        for (uint256 i = 0; i < 5; ++i) {
            address account = _pick(who % 5 + i);
            if (_quantity(account, keys[which]) * side > 0) return account;
        }
        return _pick(who);
    }

    /// @dev One that is in an auction, zero where there is none.
    function _auctioned(
        uint256 who
    ) internal view returns (address) {
        for (uint256 i = 0; i < 5; ++i) {
            if (_inAuction(_pick(who % 5 + i))) return _pick(who % 5 + i);
        }
        return address(0);
    }

    function _feedOf(
        uint256 which
    ) internal view returns (MockFeed) {
        return which == 2 ? otherFeed : feed;
    }

    function _pick(
        uint256 who
    ) internal view returns (address) {
        return actors[who % 5];
    }

    function _shortfall(
        address account
    ) internal view returns (int256) {
        (int256 balance,, uint256 maintenance) = vault.marginOf(account);
        return int256(maintenance) - balance;
    }
}
