// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MarginMath} from "./MarginMath.sol";

/// @title What an account in an auction is worth, and what a bid for it gets
/// @notice With cash B, shorts' mark L, longs' mark V and maintenance margin M, all in token units: the account's mark
/// is B + V - L. The price falls from it to zero in the solvent phase. In the insolvent phase, which an account is in
/// whose mark is below zero, the subsidy rises from zero to M - (B + V - L), with which the taker has just its
/// maintenance margin and the longs beside.
library AuctionMath {
    /// @dev What can be proved of an account, token units
    struct Assessment {
        /// Below zero: a debt
        int256 balance;
        /// The shorts' mark
        uint256 owed;
        /// That and their maintenance margins
        uint256 maintenance;
        /// The shorts' mark and their initial margins
        uint256 initial;
        /// The longs' mark
        uint256 longs;
        /// Bit i: the account's position i is for sale
        uint256 sold;
        /// A short waits to be settled
        bool due;
    }

    /// @dev Seconds
    struct Clock {
        uint256 elapsed;
        uint256 solventTime;
        uint256 insolventTime;
    }

    /// @dev For the whole account, token units
    struct Terms {
        /// What the taker pays
        uint256 price;
        /// What the insurance fund adds
        uint256 subsidy;
        /// Cash that comes with the account, with the subsidy and less the price
        int256 cash;
        /// 1e-6: the share that brings the account back to its initial margin
        uint256 maxShare;
    }

    /// @notice 1e-6: all of it
    uint256 internal constant WHOLE = 1e6;

    function terms(
        Assessment memory found,
        Clock memory clock,
        uint256 feeRate,
        uint256 fund
    ) internal pure returns (Terms memory result) {
        int256 mark = value(found);
        if (clock.elapsed < clock.solventTime) {
            uint256 left = clock.solventTime - clock.elapsed;
            if (mark > 0) result.price = MarginMath.divideUp(uint256(mark) * left, clock.solventTime);
        } else {
            int256 missing = int256(found.maintenance - found.owed) - mark;
            uint256 waited = clock.elapsed - clock.solventTime;
            if (missing > 0) result.subsidy = uint256(missing) * waited / clock.insolventTime;
            if (result.subsidy > fund) result.subsidy = fund;
        }
        result.cash = int256(cash(found) + result.subsidy) - int256(result.price);
        result.maxShare = _maxShare(found, result.price - result.price * feeRate / WHOLE);
    }

    /// @notice The account's mark; a debt is not for sale
    function value(
        Assessment memory found
    ) internal pure returns (int256) {
        return int256(cash(found) + found.longs) - int256(found.owed);
    }

    function cash(
        Assessment memory found
    ) internal pure returns (uint256) {
        return found.balance > 0 ? uint256(found.balance) : 0;
    }

    function shareDown(
        uint256 amount,
        uint256 share
    ) internal pure returns (uint256) {
        return amount * share / WHOLE;
    }

    function shareUp(
        uint256 amount,
        uint256 share
    ) internal pure returns (uint256) {
        return MarginMath.divideUp(amount * share, WHOLE);
    }

    /// @dev With a share f sold at price p after fees, (1 - f) B + f p remains against (1 - f) R, R being the initial
    /// requirement: margined again from f = (R - B) / (R - B + p) on. R exceeds B in every auction.
    function _maxShare(
        Assessment memory found,
        uint256 net
    ) private pure returns (uint256) {
        uint256 missing = uint256(int256(found.initial) - found.balance);
        return MarginMath.divideUp(missing * WHOLE, missing + net);
    }
}
