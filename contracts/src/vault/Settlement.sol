// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentWord} from "../types/InstrumentWord.sol";
import {Feeds} from "./Feeds.sol";
import {MarginMath} from "./MarginMath.sol";
import {SettlementPrices} from "./SettlementPrices.sol";
import {Mark, PositionKey, VaultConfig} from "./VaultTypes.sol";

/// @title What the vault knows of the prices at which expiries settle
/// @notice {SettlementPrices} says how a price comes about.
abstract contract Settlement is Feeds {
    /// @notice Where prices are proposed
    SettlementPrices public immutable SETTLEMENT_PRICES;

    error PriceFixed(PositionKey key);
    error PriceNotFixed(PositionKey key);

    constructor(
        VaultConfig memory config
    ) {
        SETTLEMENT_PRICES = new SettlementPrices(config);
    }

    /// @notice Proposes the last reading that the vault has seen of an expired instrument for its expiry's price: also
    /// where the feed is gone. Anyone may call it.
    /// @dev Reverts as {SettlementPrices-proposePrice} does.
    function proposePriceFromMark(
        PositionKey key
    ) external {
        Mark memory mark = _markOf(key);
        SETTLEMENT_PRICES.proposeSeen(_feedOf(key), _requireMarket(key), mark.forward, mark.observedAt);
    }

    /// @return isFixed Whether the price stands, after which nothing but settling is left to do
    /// @return payoff Of one option, 1e-8 of the quote currency; 0 before
    function _payoff(
        PositionKey key
    ) internal view returns (bool isFixed, uint256 payoff) {
        InstrumentWord word = _requireMarket(key);
        uint256 forward;
        (isFixed, forward) = SETTLEMENT_PRICES.priceOf(_feedOf(key), word);
        if (isFixed) payoff = MarginMath.payoff(word, forward);
    }

    function _requireNotFixed(
        PositionKey key,
        uint256 expiry
    ) internal view {
        if (block.timestamp < expiry) return;
        (bool isFixed,) = _payoff(key);
        if (isFixed) revert PriceFixed(key);
    }

    function _requireFixed(
        PositionKey key
    ) internal view returns (uint256 payoff) {
        bool isFixed;
        (isFixed, payoff) = _payoff(key);
        if (!isFixed) revert PriceNotFixed(key);
    }
}
