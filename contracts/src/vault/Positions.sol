// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Collateral} from "./Collateral.sol";
import {Account, Position, PositionKey} from "./VaultTypes.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Who holds what
/// @notice A position moves from one account to another and comes from nowhere else, so that over all accounts the
/// quantities of an instrument add up to zero.
/// @dev An account's positions are a list of at most 16 slots, key and quantity in one, searched from the front:
/// margin reads all of them anyway, and a second slot for each would cost as much again.
abstract contract Positions is Collateral {
    using SafeCast for int256;
    using SafeCast for uint256;

    /// @notice Of one instrument, over all accounts
    /// @dev One storage slot.
    struct Interest {
        /// 1e-8: all long quantities together, as much as all short ones; it stands still once the price is fixed
        uint96 open;
        /// 1e-8: of it, what shorts have settled
        uint96 settled;
    }

    /// @notice No account has more positions
    uint256 public constant POSITIONS_LIMIT = 16;

    mapping(PositionKey key => Interest) internal _interest;
    // Written through references to its elements, which Slither does not follow.
    // slither-disable-next-line uninitialized-state
    mapping(address account => Position[POSITIONS_LIMIT]) internal _positions;

    error TooManyPositions(address account);
    error PositionMissing(address account, PositionKey key);

    /// @notice All positions of an account
    function positionsOf(
        address account
    ) external view returns (Position[] memory list) {
        list = new Position[](_accounts[account].positions);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = _at(account, i);
        }
    }

    /// @notice Quantities of an instrument over all accounts, 1e-8
    function interestOf(
        PositionKey key
    ) external view returns (Interest memory) {
        return _interest[key];
    }

    /// @dev Moves a quantity, and keeps the open interest.
    /// @param expiry Of the instrument
    /// @return sellerAfter The seller's quantity afterwards
    /// @return buyerAfter The buyer's quantity afterwards
    function _transfer(
        PositionKey key,
        uint40 expiry,
        address seller,
        address buyer,
        uint256 quantity
    ) internal returns (int256 sellerAfter, int256 buyerAfter) {
        int256 signed = quantity.toInt256();
        sellerAfter = _change(seller, key, expiry, -signed);
        buyerAfter = _change(buyer, key, expiry, signed);
        int256 grown =
            _long(buyerAfter) - _long(buyerAfter - signed) + _long(sellerAfter) - _long(sellerAfter + signed);
        if (grown != 0) {
            Interest storage interest = _interest[key];
            interest.open = uint256(int256(uint256(interest.open)) + grown).toUint96();
        }
    }

    /// @dev The last entry takes the removed one's place.
    function _remove(
        address account,
        uint256 index
    ) internal {
        Account storage holder = _accounts[account];
        Position[POSITIONS_LIMIT] storage list = _positions[account];
        uint256 last = uint256(holder.positions) - 1;
        if (list[index].quantity < 0) --holder.shorts;
        if (index != last) list[index] = list[last];
        delete list[last];
        holder.positions = uint8(last);
    }

    function _at(
        address account,
        uint256 index
    ) internal view returns (Position memory) {
        return _positions[account][index];
    }

    /// @return index Where the position stands; the number of positions where there is none
    function _find(
        address account,
        PositionKey key
    ) internal view returns (uint256 index) {
        uint256 count = _accounts[account].positions;
        Position[POSITIONS_LIMIT] storage list = _positions[account];
        while (index < count && !(list[index].key == key)) ++index;
    }

    /// @dev As {_find}, and reverts where there is none.
    function _locate(
        address account,
        PositionKey key
    ) internal view returns (uint256 index) {
        index = _find(account, key);
        if (index == _accounts[account].positions) revert PositionMissing(account, key);
    }

    /// @dev Stamps a short that grows, and no other change: else an account that is about to be liquidated would close
    /// a hundred-millionth of an option whenever a report was about to become final. A short grows only where the
    /// account is initially margined on the latest final report, so that a stamp puts liquidation off once, not for
    /// ever.
    function _change(
        address account,
        PositionKey key,
        uint40 expiry,
        int256 delta
    ) private returns (int256 quantity) {
        Account storage holder = _accounts[account];
        Position[POSITIONS_LIMIT] storage list = _positions[account];
        uint256 index = _find(account, key);
        if (index == holder.positions) {
            if (index == POSITIONS_LIMIT) revert TooManyPositions(account);
            holder.positions = uint8(index + 1);
            if (delta < 0) ++holder.shorts;
            list[index] = Position({
                key: key, quantity: delta.toInt96(), changedAt: delta < 0 ? uint40(block.timestamp) : 0, expiry: expiry
            });
            return delta;
        }

        int256 before = list[index].quantity;
        quantity = before + delta;
        if (quantity == 0) {
            _remove(account, index);
            return 0;
        }
        list[index].quantity = quantity.toInt96();
        if (quantity < 0 && delta < 0) list[index].changedAt = uint40(block.timestamp);
        if (before >= 0 && quantity < 0) ++holder.shorts;
        if (before < 0 && quantity > 0) --holder.shorts;
    }

    function _long(
        int256 quantity
    ) private pure returns (int256) {
        return quantity > 0 ? quantity : int256(0);
    }
}
