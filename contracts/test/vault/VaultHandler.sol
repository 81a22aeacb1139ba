// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MarginVault} from "../../src/vault/MarginVault.sol";
import {Order, Position, PositionKey} from "../../src/vault/VaultTypes.sol";
import {VaultFixture} from "./VaultFixture.sol";
import {MockFeed} from "./mocks/MockFeed.sol";

/// @dev Five accounts that do anything to each other, two feeds that move, pause and break, and a clock. Calls that
/// may fail for a reason of the market are tried and counted; calls that must not fail are made outright.
contract VaultHandler is VaultFixture {
    address[5] public actors;
    PositionKey[3] public keys;
    uint256 public inflow;
    uint256 public outflow;
    mapping(bytes32 what => uint256) public done;
    bool public bidWorsened;
    bool public cashAppeared;
    bool public pauseTrapped;
    uint64[3] private _ids;
    uint32[3] private _premiums = [PREMIUM, PREMIUM, PREMIUM];
    uint96[2] private _forwards = [FORWARD, FORWARD];

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

    function theVault() external view returns (MarginVault) {
        return vault;
    }

    function deposit(
        uint256 who,
        uint256 amount
    ) external {
        _put(_pick(who), bound(amount, 1, 30_000 * USD));
        ++done["deposit"];
    }

    function fund(
        uint256 amount
    ) external {
        amount = bound(amount, 1, 1000 * USD);
        token.mint(actors[0], amount);
        vm.prank(actors[0]);
        vault.fundInsurance(amount);
        inflow += amount;
    }

    /// @dev All that is free must go out at once, in whatever state the feeds are.
    function withdrawAllThatIsFree(
        uint256 who
    ) external {
        address account = _pick(who);
        (int256 balance, uint256 initial,) = vault.marginOf(account);
        int256 free = balance - int256(initial);
        if (free <= 0 || _inAuction(account)) return;
        vm.prank(account);
        try vault.withdraw(uint256(free), account) {
            outflow += uint256(free);
            ++done["withdraw"];
        } catch {
            pauseTrapped = true;
        }
    }

    /// @dev An account that is not short of a feed's instruments sees no difference when the feed breaks.
    function breakAFeedThatIsNotHeld(
        uint256 who,
        uint256 which
    ) external {
        address account = _pick(who);
        MockFeed broken = which % 2 == 0 ? feed : otherFeed;
        Position[] memory list = vault.positionsOf(account);
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].key.feedIndex() == which % 2) return;
        }
        (int256 balance, uint256 initial, uint256 maintenance) = vault.marginOf(account);
        bool before = broken.broken();
        broken.setBroken(true);
        (int256 balance_, uint256 initial_, uint256 maintenance_) = vault.marginOf(account);
        if (balance != balance_ || initial != initial_ || maintenance != maintenance_) pauseTrapped = true;
        if (balance > int256(initial) && !_inAuction(account)) {
            _withdraw(account, 1);
            ++outflow;
        }
        broken.setBroken(before);
        ++done["unheld"];
    }

    function open(
        uint256 seller,
        uint256 buyer,
        uint256 which,
        uint256 quantity,
        uint256 price
    ) external {
        _trade(seller, buyer, which, quantity, price, true);
    }

    function close(
        uint256 seller,
        uint256 buyer,
        uint256 which,
        uint256 quantity,
        uint256 price
    ) external {
        _trade(seller, buyer, which, quantity, price, false);
    }

    function report(
        uint256 which,
        uint256 premium,
        uint256 forward
    ) external {
        which %= 3;
        _premiums[which] = uint32(bound(premium, 0.01e8, 0.8e8));
        _forwards[which / 2] = uint96(bound(forward, 30_000e8, 80_000e8));
        _publish(which / 2);
    }

    function pause(
        uint256 which,
        uint256 seed
    ) external {
        (which % 2 == 0 ? feed : otherFeed).setLive(seed % 3 != 0);
    }

    function wait(
        uint256 time,
        bool refresh
    ) external {
        // Mostly a short while, now and then a good part of an expiry's time.
        vm.warp(block.timestamp + (time % 4 == 0 ? bound(time, 1, 16 hours) : bound(time, 1, 30 minutes)));
        if (refresh) {
            _publish(0);
            _publish(1);
        }
    }

    /// @dev Where it squeezes, the market has turned against the account's first short, and a report says so.
    function startAuction(
        uint256 who,
        bool squeezes
    ) external {
        address account = _pick(who);
        if (squeezes) _squeeze(account);
        try vault.startAuction(account) {
            ++done["start"];
        } catch {
            ++done["start refused"];
        }
    }

    function bid(
        uint256 who,
        uint256 bidder,
        uint256 share,
        uint256 time
    ) external {
        address account = _auctioned(who);
        address taker = _pick(bidder);
        if (account == address(0) || account == taker) return;
        vm.warp(block.timestamp + bound(time, 0, 10 minutes));
        if (time % 2 == 0) {
            _put(taker, 40_000 * USD);
            _publish(0);
            _publish(1);
        }
        int256 sum = total();
        int256 shortfall = _shortfall(account);
        vm.prank(taker);
        try vault.bid(account, bound(share, 1, 1e6), ANY_CASH) {
            if (total() != sum) cashAppeared = true;
            if (_shortfall(account) > shortfall + 4) bidWorsened = true;
            ++done["bid"];
        } catch {
            ++done["bid refused"];
        }
    }

    function endAuction(
        uint256 who
    ) external {
        address account = _auctioned(who);
        if (account == address(0)) return;
        try vault.endAuction(account) {
            ++done["end"];
        } catch {
            ++done["end refused"];
        }
    }

    function propose(
        uint256 which,
        uint256 back
    ) public {
        which %= 3;
        MockFeed chosen = _feedOf(which);
        uint256 latest = chosen.latestSequence();
        try prices.proposePrice(address(chosen), _ids[which], latest - back % latest) {
            ++done["propose"];
        } catch {
            try vault.proposePriceFromMark(keys[which]) {
                ++done["propose mark"];
            } catch {
                ++done["propose refused"];
            }
        }
    }

    /// @dev Now and then time jumps over an expiry, and over what it takes for a price of the wanted age to stand.
    function expire(
        uint256 which,
        uint256 back,
        uint256 seed
    ) external {
        if (seed % 8 > 1) return;
        which %= 3;
        uint256 expiry = which == 1 ? START + 3 days : START + 1 days;
        if (block.timestamp < expiry - 10) vm.warp(expiry - 10);
        _publish(which / 2);
        if (block.timestamp < expiry) vm.warp(expiry);
        propose(which, back % 3);
        vm.warp(block.timestamp + (seed % 8 == 0 ? 4 hours : 8 days));
    }

    /// @dev Once the price stands, every position settles or claims, whatever its account is.
    function finish(
        uint256 who,
        uint256 which
    ) external {
        which %= 3;
        if (!stands(which)) return;
        address account = _holder(who, which, who % 2 == 0 ? int256(1) : int256(-1));
        int256 quantity = _quantity(account, keys[which]);
        if (quantity == 0) return;
        if (quantity < 0) {
            vault.settle(account, keys[which]);
            ++done["settle"];
        } else {
            vault.claim(account, keys[which]);
            ++done["claim"];
        }
    }

    function stands(
        uint256 which
    ) public view returns (bool standing) {
        MockFeed chosen = _feedOf(which);
        (standing,) = prices.priceOf(address(chosen), chosen.instrument(_ids[which]));
    }

    function quantityOf(
        uint256 who,
        uint256 which
    ) external view returns (int256) {
        return _quantity(actors[who], keys[which]);
    }

    function _trade(
        uint256 seller,
        uint256 buyer,
        uint256 which,
        uint256 quantity,
        uint256 price,
        bool opens
    ) private {
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
    ) private {
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
    ) private {
        _deposit(account, amount);
        inflow += amount;
    }

    /// @dev Premium and forward at which the account's first short needs more than all it has.
    function _squeeze(
        address account
    ) private {
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
    ) private view returns (address) {
        for (uint256 i = 0; i < 5; ++i) {
            address account = _pick(who % 5 + i);
            if (_quantity(account, keys[which]) * side > 0) return account;
        }
        return _pick(who);
    }

    /// @dev One that is in an auction, zero where there is none.
    function _auctioned(
        uint256 who
    ) private view returns (address) {
        for (uint256 i = 0; i < 5; ++i) {
            if (_inAuction(_pick(who % 5 + i))) return _pick(who % 5 + i);
        }
        return address(0);
    }

    function _feedOf(
        uint256 which
    ) private view returns (MockFeed) {
        return which == 2 ? otherFeed : feed;
    }

    function _pick(
        uint256 who
    ) private view returns (address) {
        return actors[who % 5];
    }

    function _shortfall(
        address account
    ) private view returns (int256) {
        (int256 balance,, uint256 maintenance) = vault.marginOf(account);
        return int256(maintenance) - balance;
    }

    /// @dev Everybody's money: what the vault must have in tokens
    function total() public view returns (int256 sum) {
        for (uint256 i = 0; i < 5; ++i) {
            int256 balance = _balance(actors[i]);
            if (balance > 0) sum += balance;
        }
        sum += int256(vault.insurance());
        for (uint256 i = 0; i < 3; ++i) {
            sum += int256(uint256(vault.poolOf(keys[i]).collected)) - int256(uint256(vault.poolOf(keys[i]).paid));
        }
    }
}
