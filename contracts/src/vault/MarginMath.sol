// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentWord, InstrumentWordLibrary} from "../types/InstrumentWord.sol";

/// @title Amounts of collateral from quantities, prices and rates
/// @notice A quantity (1e-8) times a price (1e-8) times a rate (1e-8) is in 1e-24 of the quote currency, and a token
/// of `d` decimals counts 1e-d of it: so every amount is one product divided by `scale` = 10^(24 - d), rounded once.
/// An option's mark has the forward as its price and the premium as its rate; money at a price has the rate {ONE}.
/// @dev Quantities stay below 2^96, prices below 2^128 with rate {ONE} (2^27) or forwards below 2^96 with rates below
/// 2^33: no product reaches 2^252, and nothing is unchecked.
library MarginMath {
    /// @notice 1e-8: the rate of a price that is paid as it stands
    uint256 internal constant ONE = 1e8;
    /// @notice 1e-6 of the forward: a whole forward, what a margin counts that the consortium did not compute
    uint256 internal constant WHOLE_FORWARD = 1e6;
    /// @notice 1e-6 of the forward: no short opens on less. Far options read margins and premiums of zero, and honest
    /// reports may differ by some 1e-3 of the forward: without a floor, a short of any size could open on nothing and
    /// lack more than the insurance fund holds one report later.
    uint256 internal constant LEAST_INITIAL = 20_000;

    uint256 private constant _TOTAL_DECIMALS = 24;
    // From 1e-6 to 1e-8 of the forward
    uint256 private constant _MARGIN_TO_RATE = 100;

    /// @param decimals Of the token, at most 18
    function scaleOf(
        uint256 decimals
    ) internal pure returns (uint256) {
        return 10 ** (_TOTAL_DECIMALS - decimals);
    }

    /// @notice Token units of a quantity at a price and a rate, rounded down.
    /// @param quantity 1e-8 of an option
    /// @param price 1e-8 of the quote currency
    /// @param rate 1e-8
    function amountDown(
        uint256 quantity,
        uint256 price,
        uint256 rate,
        uint256 scale
    ) internal pure returns (uint256) {
        return quantity * price * rate / scale;
    }

    /// @notice As {amountDown}, rounded up.
    function amountUp(
        uint256 quantity,
        uint256 price,
        uint256 rate,
        uint256 scale
    ) internal pure returns (uint256) {
        return divideUp(quantity * price * rate, scale);
    }

    /// @notice The rate that covers a short: its mark and a margin together, so that they are rounded once.
    /// @param premium 1e-8 of the forward
    /// @param margin 1e-6 of the forward
    /// @return 1e-8 of the forward
    function coverRate(
        uint256 premium,
        uint256 margin
    ) internal pure returns (uint256) {
        return premium + margin * _MARGIN_TO_RATE;
    }

    /// @notice What one option pays at expiry, 1e-8 of the quote currency.
    /// @param forward The settlement price
    function payoff(
        InstrumentWord word,
        uint256 forward
    ) internal pure returns (uint256) {
        uint256 strike = word.strike();
        if (word.kind() == InstrumentWordLibrary.CALL) return forward > strike ? forward - strike : 0;
        return strike > forward ? strike - forward : 0;
    }

    /// @param numerator At most 2^256 - `denominator`
    /// @param denominator Above zero
    function divideUp(
        uint256 numerator,
        uint256 denominator
    ) internal pure returns (uint256) {
        return (numerator + denominator - 1) / denominator;
    }
}
