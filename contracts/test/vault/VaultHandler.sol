// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MarginVault} from "../../src/vault/MarginVault.sol";
import {Position} from "../../src/vault/VaultTypes.sol";
import {VaultActors} from "./VaultActors.sol";
import {MockFeed} from "./mocks/MockFeed.sol";

/// @dev Five accounts that do anything to each other, two feeds that move, pause and break, and a clock. Calls that
/// may fail for a reason of the market are tried and counted; calls that must not fail are made outright.
contract VaultHandler is VaultActors {
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
