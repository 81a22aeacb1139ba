// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Margin} from "./Margin.sol";
import {MarginMath} from "./MarginMath.sol";
import {Orders} from "./Orders.sol";
import {Account, Order, PositionKey, Quote} from "./VaultTypes.sol";

/// @title Opening and closing, by trades between two accounts
/// @notice The caller takes a maker's order; the premium moves from the buyer's balance to the seller's. {open} is for
/// trades in which the seller goes short, and needs a live feed and a reading that has not expired; {close} for trades
/// in which the seller only parts with what it holds, and needs neither.
/// @dev Afterwards a side must be initially margined, with two exceptions that make an account no worse: a side
/// without shorts owes nothing; and a side that only brings a position nearer to zero may do so in any state, in an
/// auction too, if the price is the mark or better for it. Without that last condition an account about to default
/// would buy back its shorts from an accomplice at their mark and margin, and leave the rest to the insurance fund.
abstract contract Trading is Margin, Orders {
    /// @dev One trade as it comes out
    struct Trade {
        address seller;
        address buyer;
        uint256 quantity;
        uint256 premium;
        // Quantities afterwards
        int256 sellerAfter;
        int256 buyerAfter;
    }

    event Traded(
        bytes32 indexed digest,
        address indexed seller,
        address indexed buyer,
        PositionKey key,
        uint256 quantity,
        uint256 premium
    );

    error InstrumentExpired(PositionKey key, uint256 expiry);
    error MarginAbsent(PositionKey key);
    error NotReducing(address maker);
    error ClosingOpensShort(address seller);

    /// @notice Takes a part of an order, or all of it; the seller may go short.
    /// @dev Reverts once the instrument has expired; where the feed is not live or its reading has expired; where the
    /// seller goes short and the reading has no margins; where a side would not be margined.
    /// @param order What the maker signed
    /// @param signature The maker's, 65 bytes, or what its ERC-1271 contract takes
    /// @param quantity 1e-8 of an option
    function open(
        Order calldata order,
        bytes calldata signature,
        uint96 quantity
    ) external nonReentrant {
        PositionKey key = keyOf(order.feed, order.instrument);
        uint40 expiry = _admit(key).expiry();
        if (block.timestamp >= expiry) revert InstrumentExpired(key, expiry);
        Quote memory quote = _freshQuote(key);
        _remember(key, quote);
        Trade memory trade = _execute(order, signature, quantity, key, expiry);

        if (trade.sellerAfter < 0) {
            if (quote.marginAbsent) revert MarginAbsent(key);
            _requireFree(trade.seller);
        } else {
            _checkSeller(trade, quote);
        }
        _checkBuyer(trade, quote);
    }

    /// @notice Takes a part of an order, or all of it, where the seller holds what it sells.
    /// @dev Works whatever state the feed is in, until the settlement price stands. Reverts where the seller would go
    /// short, and where a side would be neither margined nor brought nearer to zero at the mark or better.
    /// @param order What the maker signed
    /// @param signature The maker's, 65 bytes, or what its ERC-1271 contract takes
    /// @param quantity 1e-8 of an option
    function close(
        Order calldata order,
        bytes calldata signature,
        uint96 quantity
    ) external nonReentrant {
        PositionKey key = keyOf(order.feed, order.instrument);
        uint40 expiry = _requireMarket(key).expiry();
        _requireNotFixed(key, expiry);
        Trade memory trade = _execute(order, signature, quantity, key, expiry);

        if (trade.sellerAfter < 0) revert ClosingOpensShort(trade.seller);
        if (!_owesNothing(trade.seller) || !_owesNothing(trade.buyer) || trade.buyerAfter > 0) {
            Quote memory quote = _quote(key);
            _checkSeller(trade, quote);
            _checkBuyer(trade, quote);
        }
    }

    function _execute(
        Order calldata order,
        bytes calldata signature,
        uint256 quantity,
        PositionKey key,
        uint40 expiry
    ) private returns (Trade memory trade) {
        bytes32 digest = _fill(order, signature, quantity);
        (trade.seller, trade.buyer) = order.isBuy ? (msg.sender, order.maker) : (order.maker, msg.sender);
        trade.quantity = quantity;
        // Rounded for the maker, who did not choose the quantity and must not lose a unit at each of many small fills.
        trade.premium = order.isBuy
            ? _amountDown(quantity, order.price, MarginMath.ONE)
            : _amountUp(quantity, order.price, MarginMath.ONE);

        (trade.sellerAfter, trade.buyerAfter) = _transfer(key, expiry, trade.seller, trade.buyer, quantity);
        // Nearer to zero and not across it: a buyer stays at or below, a seller at or above.
        if (order.reduceOnly && (order.isBuy ? trade.buyerAfter > 0 : trade.sellerAfter < 0)) {
            revert NotReducing(order.maker);
        }
        _debit(trade.buyer, trade.premium);
        _credit(trade.seller, trade.premium);
        emit Traded(digest, trade.seller, trade.buyer, key, quantity, trade.premium);
    }

    /// @dev A seller that parts with a long: it gets money, and gives away what margin does not count.
    function _checkSeller(
        Trade memory trade,
        Quote memory quote
    ) private view {
        if (_owesNothing(trade.seller)) return;
        if (trade.premium >= _amountUp(trade.quantity, quote.forward, quote.premium)) return;
        _requireMargined(trade.seller);
    }

    function _checkBuyer(
        Trade memory trade,
        Quote memory quote
    ) private view {
        if (trade.buyerAfter > 0) {
            _requireFree(trade.buyer);
        } else if (
            !_owesNothing(trade.buyer) && trade.premium > _amountDown(trade.quantity, quote.forward, quote.premium)
        ) {
            _requireMargined(trade.buyer);
        }
    }

    function _owesNothing(
        address account
    ) private view returns (bool) {
        Account storage holder = _accounts[account];
        return holder.shorts == 0 && holder.balance >= 0;
    }
}
