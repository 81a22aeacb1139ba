// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Margin} from "./Margin.sol";
import {MarginMath} from "./MarginMath.sol";
import {Account, Position, PositionKey} from "./VaultTypes.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Cash settlement of expired instruments
/// @notice Once the price stands, each short pays what it owes, or all it has, into the instrument's pool, and longs
/// claim from the pool in proportion to what they hold. Anyone may settle and claim for anyone. When the last short
/// has settled, the insurance fund makes up what is missing, as far as it goes; what is missing then is borne by the
/// longs of this instrument and no other.
/// @dev A long may claim before that and will get its part of what has come in so far, and the rest later: nobody can
/// hold up others' money with many small shorts. A short that cannot pay leaves its account in debt to the insurance
/// fund, because the account may have longs that pay, and settling in the worse order must not make anyone richer.
abstract contract Expiry is Margin {
    using SafeCast for int256;
    using SafeCast for uint256;

    /// @notice What one instrument's shorts have paid, token units
    /// @dev One storage slot.
    struct Pool {
        /// By shorts and the insurance fund
        uint128 collected;
        /// To longs
        uint128 paid;
    }

    mapping(PositionKey key => Pool) private _pools;
    // Token units, of those that have claimed a part
    mapping(address account => mapping(PositionKey key => uint256)) private _claimed;

    event Settled(address indexed account, PositionKey indexed key, uint256 owed, uint256 paid);
    event PoolClosed(PositionKey indexed key, uint256 owed, uint256 collected);
    event Claimed(address indexed account, PositionKey indexed key, uint256 amount);

    error NotShort(address account, PositionKey key);
    error NotLong(address account, PositionKey key);

    /// @notice Settles a short. Anyone may call it, and nothing the account does or lacks can make it fail.
    /// @dev Reverts only where the price does not stand yet, or the account is not short of the instrument.
    /// @return paid Token units: into the pool
    function settle(
        address account,
        PositionKey key
    ) external nonReentrant returns (uint256 paid) {
        uint256 payoff = _requireFixed(key);
        uint256 index = _locate(account, key);
        Position memory position = _at(account, index);
        if (position.quantity >= 0) revert NotShort(account, key);

        uint256 size = _size(position);
        uint256 owed = _amountUp(size, payoff, MarginMath.ONE);
        _remove(account, index);
        Account storage holder = _accounts[account];
        int256 balance = holder.balance;
        if (balance > 0) paid = uint256(balance) < owed ? uint256(balance) : owed;
        holder.balance = (balance - owed.toInt256()).toInt128();

        Interest storage interest = _interest[key];
        Pool storage pool = _pools[key];
        pool.collected += paid.toUint128();
        interest.settled += uint96(size);
        emit Settled(account, key, owed, paid);
        if (interest.settled == interest.open) _closePool(key, pool, interest.open, payoff);
    }

    /// @notice Pays an account what its long is due so far. Anyone may call it.
    /// @dev Reverts where the price does not stand yet, or the account is not long of the instrument. The position
    /// goes when all shorts have settled, and at once where it pays nothing.
    /// @return amount Token units: into the account's balance
    function claim(
        address account,
        PositionKey key
    ) external nonReentrant returns (uint256 amount) {
        uint256 payoff = _requireFixed(key);
        uint256 index = _locate(account, key);
        Position memory position = _at(account, index);
        if (position.quantity <= 0) revert NotLong(account, key);

        Interest memory interest = _interest[key];
        Pool storage pool = _pools[key];
        uint256 before = _claimed[account][key];
        // Rounded down, so that all claims together stay within what was collected.
        amount = uint256(pool.collected) * _size(position) / interest.open - before;
        pool.paid += uint128(amount);
        if (payoff == 0 || interest.settled == interest.open) {
            _remove(account, index);
            if (before != 0) delete _claimed[account][key];
        } else {
            _claimed[account][key] = before + amount;
        }
        emit Claimed(account, key, amount);
        _credit(account, amount);
    }

    /// @notice What an instrument's shorts have paid, and what its longs have got
    function poolOf(
        PositionKey key
    ) external view returns (Pool memory) {
        return _pools[key];
    }

    /// @dev Shorts are rounded up each, so that a pool of solvent shorts has a few units more than it owes. They are
    /// the longs': what a pool has collected never falls, for a part of it may have been claimed already.
    function _closePool(
        PositionKey key,
        Pool storage pool,
        uint256 size,
        uint256 payoff
    ) private {
        uint256 owed = _amountDown(size, payoff, MarginMath.ONE);
        uint256 collected = pool.collected;
        if (collected < owed) {
            uint256 fund = _insurance;
            uint256 added = owed - collected < fund ? owed - collected : fund;
            _insurance = fund - added;
            collected += added;
            pool.collected = collected.toUint128();
        }
        emit PoolClosed(key, owed, collected);
    }
}
