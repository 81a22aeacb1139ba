// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MarginMath} from "./MarginMath.sol";
import {Positions} from "./Positions.sol";
import {Settlement} from "./Settlement.sol";
import {Position, Quote} from "./VaultTypes.sol";

/// @title What an account must have
/// @notice A short owes its mark and a margin beside it: the initial margin to open and to withdraw, the maintenance
/// margin to be left alone. A long is paid for in full and credited nothing, because a margin of one option says
/// nothing of two: a spread is margined as its short alone.
///
/// Two judgements, each on the safe side of its question.
///
/// *What must stay?* (opening, withdrawing, ending an auction). A short whose reading is fresh counts as that says.
/// One whose feed is paused, stopped, late or silent about it counts twice its mark and initial margin in the last
/// reading there is. So a pause locks up at most as much again and never all that is free.
///
/// *What can be proved to be missing?* (starting an auction, bidding; {Auction}). Only shorts whose reading is fresh
/// and was observed after the short last grew count; all others count nothing, for nothing less can be owed. So nobody
/// is liquidated on an old report, and a small short of a silent instrument shields no other.
///
/// What a paused feed and a stale mark can be used for. While a feed is paused, shorts of its instruments are not
/// liquidated, and new ones are not opened. A desk that has members pause the feed, or sees a pause coming, can take
/// out what it has above twice mark and margin, no more: the holders of what it sold are covered until an option is
/// worth more than twice what it was, and twice its initial margin beside. Nor can it pay an accomplice instead: a
/// trade that leaves it short of cover must give it the mark or better ({Trading}), so that the accomplice gets at
/// most what the market has moved since the mark, and from this account alone. An auction's clock stands still while
/// the feed is paused ({Auction}), so that no pause makes a cheap bid. What is left of a default stays with the
/// insurance fund and the holders of that instrument.
///
/// A withdrawal does not ask whether the reading was observed after the position changed: whoever may open at a
/// reading could as well have withdrawn first and opened then.
abstract contract Margin is Positions, Settlement {
    // A short without a fresh reading counts as often
    uint256 private constant _STALE_FACTOR = 2;

    error InAuction(address account);
    error Undermargined(address account, int256 balance, uint256 requirement);

    /// @notice What must stay in an account, in token units.
    /// @return balance What it has
    /// @return initial What it must keep to open or to withdraw
    /// @return maintenance What ends an auction
    function marginOf(
        address account
    ) external view returns (int256 balance, uint256 initial, uint256 maintenance) {
        return (_accounts[account].balance, _requirement(account, true), _requirement(account, false));
    }

    function _requireFree(
        address account
    ) internal view override {
        _requireNotInAuction(account);
        _requireMargined(account);
    }

    function _requireNotInAuction(
        address account
    ) internal view {
        if (_accounts[account].tickedAt != 0) revert InAuction(account);
    }

    /// @dev An account in debt is not margined, whatever it holds.
    function _requireMargined(
        address account
    ) internal view {
        int256 balance = _accounts[account].balance;
        uint256 requirement = _requirement(account, true);
        if (balance < int256(requirement)) revert Undermargined(account, balance, requirement);
    }

    /// @dev At most 16 terms below 2^253 / 10^6 each.
    /// @param initial Whether initial margins count, or maintenance margins where readings are fresh
    function _requirement(
        address account,
        bool initial
    ) internal view returns (uint256 total) {
        if (_accounts[account].shorts == 0) return 0;
        uint256 count = _accounts[account].positions;
        for (uint256 i = 0; i < count; ++i) {
            Position memory position = _at(account, i);
            if (position.quantity < 0) total += _cover(position, initial);
        }
    }

    /// @dev What a short has come to owe, once its price stands.
    function _dueOf(
        Position memory position
    ) internal view returns (bool isFixed, uint256 amount) {
        if (block.timestamp < position.expiry) return (false, 0);
        uint256 payoff;
        (isFixed, payoff) = _payoff(position.key);
        if (isFixed) amount = _amountUp(_size(position), payoff, MarginMath.ONE);
    }

    /// @dev A short's mark and a margin.
    /// @param size 1e-8 of an option
    /// @param margin 1e-6 of the forward
    function _coverOf(
        uint256 size,
        Quote memory quote,
        uint256 margin
    ) internal view returns (uint256) {
        return _amountUp(size, quote.forward, MarginMath.coverRate(quote.premium, margin));
    }

    function _size(
        Position memory position
    ) internal pure returns (uint256) {
        int256 quantity = position.quantity;
        return uint256(quantity < 0 ? -quantity : quantity);
    }

    function _cover(
        Position memory position,
        bool initial
    ) private view returns (uint256) {
        (bool isFixed, uint256 amount) = _dueOf(position);
        if (isFixed) return amount;
        Quote memory quote = _quote(position.key);
        uint256 margin = initial || !quote.fresh ? quote.initial : quote.maintenance;
        amount = _coverOf(_size(position), quote, margin);
        return quote.fresh ? amount : _STALE_FACTOR * amount;
    }
}
