// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AuctionMath} from "./AuctionMath.sol";
import {Margin} from "./Margin.sol";
import {Account, Position, Quote, VaultConfig} from "./VaultTypes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Liquidation by Dutch auction, after the model of Lyra's and Derive's
/// @notice An account that can be proved to lack its maintenance margin ({Margin}) is put up by anyone: its cash and
/// all of its positions that can be valued now, or the share of them that brings it back to its initial margin, so
/// that nobody loses more than it takes. The price for it falls from its mark to zero; then, or at once where the mark
/// is below zero, the insurance fund adds a subsidy that rises from zero to what makes the taker's part
/// maintenance-margined. The subsidy is bounded by the fund, so that a bid costs nobody else anything.
///
/// The clock advances by at most `tickGap` from one sighting ({startAuction}, {tick}, {bid}) to the next, and a
/// sighting needs fresh readings: a feed that is paused or late stops the clock of those whom it concerns. Otherwise
/// whoever can pause a feed would start an auction, pause, come back when the price is zero, and be first.
///
/// An account in an auction can receive and can reduce positions, but not withdraw and not open. What cannot be valued
/// stays with it, and so does the price that was paid.
abstract contract Auction is Margin {
    // 1e-6: a tenth
    uint256 private constant _MAX_FEE_RATE = 1e5;

    uint256 private immutable _SOLVENT_TIME;
    uint256 private immutable _INSOLVENT_TIME;
    uint256 private immutable _TICK_GAP;
    uint256 private immutable _FEE_RATE;

    event AuctionStarted(address indexed account, address indexed starter, bool solvent);
    event AuctionTicked(address indexed account, uint256 elapsed);
    event AuctionEnded(address indexed account);
    event AuctionBid(
        address indexed account,
        address indexed bidder,
        uint256 share,
        uint256 cash,
        uint256 paid,
        uint256 fee,
        uint256 subsidy
    );

    error AuctionTimesInvalid();
    error FeeRateTooHigh(uint256 feeRate);
    error AuctionRunning(address account);
    error NoAuction(address account);
    error NotLiquidatable(address account, int256 balance, uint256 maintenance);
    error NothingToSell(address account);
    error SettleFirst(address account);
    error ShareOutOfRange(uint256 share);
    error OwnAuction();
    error CashBelowLimit(int256 cash, int256 limit);

    constructor(
        VaultConfig memory config
    ) {
        if (
            config.solventTime == 0 || config.insolventTime == 0 || config.tickGap == 0
                || config.tickGap > config.solventTime || config.tickGap > config.insolventTime
        ) revert AuctionTimesInvalid();
        if (config.feeRate > _MAX_FEE_RATE) revert FeeRateTooHigh(config.feeRate);
        _SOLVENT_TIME = config.solventTime;
        _INSOLVENT_TIME = config.insolventTime;
        _TICK_GAP = config.tickGap;
        _FEE_RATE = config.feeRate;
    }

    /// @notice Puts an account up. Anyone may call it.
    /// @dev Reverts where the account is up already, where it cannot be proved to lack maintenance margin, and where
    /// nothing it has can be valued now.
    function startAuction(
        address account
    ) external nonReentrant {
        Account storage holder = _accounts[account];
        if (holder.tickedAt != 0) revert AuctionRunning(account);
        AuctionMath.Assessment memory found = _assessMissing(account);
        bool solvent = AuctionMath.value(found) >= 0;
        holder.tickedAt = uint40(block.timestamp);
        holder.elapsed = solvent ? 0 : uint32(_SOLVENT_TIME + 1);
        emit AuctionStarted(account, msg.sender, solvent);
    }

    /// @notice Lets an auction's clock run on. Anyone may call it; a {bid} does the same.
    /// @dev Reverts as {bid} does while the account cannot be proved to lack maintenance margin.
    function tick(
        address account
    ) external nonReentrant {
        _advance(account);
        emit AuctionTicked(account, _accounts[account].elapsed);
    }

    /// @notice Takes a share of an account over into the caller's: its positions, its cash, the price to pay, the
    /// subsidy.
    /// @dev Reverts where no auction runs or the account is margined by now; while a short of it waits to be settled;
    /// where the cash would be less than `minCash`; where the caller is in an auction itself, could not pay, would
    /// have too many positions or would not be initially margined.
    /// @param account Whose
    /// @param share 1e-6, at most a million; what is left may be less
    /// @param minCash Token units, below zero where the caller would pay: what must come with the whole of the account
    /// @return taken 1e-6: the share taken
    function bid(
        address account,
        uint256 share,
        int256 minCash
    ) external nonReentrant returns (uint256 taken) {
        if (share == 0 || share > AuctionMath.WHOLE) revert ShareOutOfRange(share);
        if (account == msg.sender) revert OwnAuction();
        AuctionMath.Assessment memory found = _advance(account);
        if (found.due) revert SettleFirst(account);
        AuctionMath.Terms memory terms = _terms(found, _accounts[account].elapsed);
        if (terms.cash < minCash) revert CashBelowLimit(terms.cash, minCash);

        taken = Math.min(share, terms.maxShare);
        _moveCash(account, taken, found, terms);
        _movePositions(account, taken, found.sold);
        if (taken == terms.maxShare) _end(account);
        _requireFree(msg.sender);
    }

    /// @notice Ends the auction of an account that has its maintenance margin again. Anyone may call it.
    /// @dev Shorts without a fresh reading count twice, as for a withdrawal: a pause is no way out.
    function endAuction(
        address account
    ) external nonReentrant {
        Account storage holder = _accounts[account];
        if (holder.tickedAt == 0) revert NoAuction(account);
        uint256 requirement = _requirement(account, false);
        if (holder.balance < int256(requirement)) revert Undermargined(account, holder.balance, requirement);
        _end(account);
    }

    /// @notice What a bid of this moment would get.
    /// @dev Reverts as {bid} does for the account's sake.
    function auctionTerms(
        address account
    ) external view returns (AuctionMath.Terms memory) {
        if (_accounts[account].tickedAt == 0) revert NoAuction(account);
        AuctionMath.Assessment memory found = _assessMissing(account);
        return _terms(found, _clock(account, found));
    }

    function _advance(
        address account
    ) private returns (AuctionMath.Assessment memory found) {
        Account storage holder = _accounts[account];
        if (holder.tickedAt == 0) revert NoAuction(account);
        found = _assessMissing(account);
        holder.elapsed = uint32(_clock(account, found));
        holder.tickedAt = uint40(block.timestamp);
    }

    function _end(
        address account
    ) private {
        (_accounts[account].tickedAt, _accounts[account].elapsed) = (0, 0);
        emit AuctionEnded(account);
    }

    /// @dev The account parts with its share of the cash, rounded down, and gets its share of the price, rounded up.
    function _moveCash(
        address account,
        uint256 taken,
        AuctionMath.Assessment memory found,
        AuctionMath.Terms memory terms
    ) private {
        uint256 cash = AuctionMath.shareDown(AuctionMath.cash(found), taken);
        uint256 paid = AuctionMath.shareUp(terms.price, taken);
        uint256 fee = AuctionMath.shareDown(paid, _FEE_RATE);
        uint256 subsidy = AuctionMath.shareDown(terms.subsidy, taken);
        emit AuctionBid(account, msg.sender, taken, cash, paid, fee, subsidy);

        _debit(account, cash);
        _insurance = _insurance + fee - subsidy;
        _credit(msg.sender, cash + subsidy);
        _debit(msg.sender, paid);
        _credit(account, paid - fee);
    }

    /// @dev From the last to the first, because an emptied place is filled with the last. Shorts are rounded up, longs
    /// down: against the bidder. A short that grows is stamped, so that nobody is liquidated for a take-over on the
    /// report that it was made by.
    function _movePositions(
        address account,
        uint256 taken,
        uint256 sold
    ) private {
        for (uint256 i = _accounts[account].positions; i > 0; --i) {
            if (sold & (1 << (i - 1)) == 0) continue;
            Position memory position = _at(account, i - 1);
            uint256 size = _size(position);
            if (position.quantity < 0) {
                uint256 quantity = AuctionMath.shareUp(size, taken);
                _transfer(position.key, position.expiry, msg.sender, account, quantity);
            } else {
                uint256 quantity = AuctionMath.shareDown(size, taken);
                if (quantity > 0) _transfer(position.key, position.expiry, account, msg.sender, quantity);
            }
        }
    }

    /// @dev As {_assess}; reverts where the account does not provably lack maintenance margin, or has nothing to sell.
    function _assessMissing(
        address account
    ) private view returns (AuctionMath.Assessment memory found) {
        found = _assess(account);
        if (found.balance >= int256(found.maintenance)) {
            revert NotLiquidatable(account, found.balance, found.maintenance);
        }
        if (found.sold == 0) revert NothingToSell(account);
    }

    /// @dev What can be proved of an account: shorts by readings that are fresh and younger than they are, longs by
    /// fresh readings, and shorts whose price stands by that.
    function _assess(
        address account
    ) private view returns (AuctionMath.Assessment memory found) {
        found.balance = _accounts[account].balance;
        uint256 count = _accounts[account].positions;
        for (uint256 i = 0; i < count; ++i) {
            Position memory position = _at(account, i);
            (bool isFixed, uint256 due) = _dueOf(position);
            if (!isFixed) {
                _value(found, position, i);
            } else if (position.quantity < 0) {
                found.due = true;
                found.owed += due;
                found.maintenance += due;
                found.initial += due;
            }
        }
    }

    function _value(
        AuctionMath.Assessment memory found,
        Position memory position,
        uint256 index
    ) private view {
        Quote memory quote = _quote(position.key);
        if (!quote.fresh) return;
        uint256 size = _size(position);
        if (position.quantity > 0) {
            found.longs += _amountDown(size, quote.forward, quote.premium);
        } else {
            if (quote.observedAt <= position.changedAt) return;
            found.owed += _coverOf(size, quote, 0);
            found.maintenance += _coverOf(size, quote, quote.maintenance);
            found.initial += _coverOf(size, quote, quote.initial);
        }
        found.sold |= 1 << index;
    }

    /// @return Seconds. An auction that nobody has seen for longer than its price takes to fall starts anew: it may be
    /// that the account was margined meanwhile and nobody ended it. An account whose mark has fallen below zero has no
    /// price to fall any further; one whose mark has not gets no subsidy
    function _clock(
        address account,
        AuctionMath.Assessment memory found
    ) private view returns (uint256) {
        Account storage holder = _accounts[account];
        uint256 solventTime = _SOLVENT_TIME;
        uint256 passed = block.timestamp - holder.tickedAt;
        uint256 elapsed = passed > solventTime ? 0 : holder.elapsed + Math.min(passed, _TICK_GAP);
        if (AuctionMath.value(found) < 0) {
            return Math.min(Math.max(elapsed, solventTime + 1), solventTime + _INSOLVENT_TIME);
        }
        // Beyond solventTime it was insolvent when it was seen last: its price falls from the mark, as any other's.
        return holder.elapsed > solventTime ? 0 : Math.min(elapsed, solventTime);
    }

    function _terms(
        AuctionMath.Assessment memory found,
        uint256 elapsed
    ) private view returns (AuctionMath.Terms memory) {
        return AuctionMath.terms(
            found,
            AuctionMath.Clock({elapsed: elapsed, solventTime: _SOLVENT_TIME, insolventTime: _INSOLVENT_TIME}),
            _FEE_RATE,
            _insurance
        );
    }
}
