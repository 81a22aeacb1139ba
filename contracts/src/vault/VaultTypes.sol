// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice One instrument of one feed.
/// @dev Bits 71..64: the feed's place in the vault's list, which never changes; bits 63..0: the instrument's id there.
/// So small that a position, key included, fits into one storage slot.
type PositionKey is uint72;

using PositionKeyLibrary for PositionKey global;
using {_equals as ==} for PositionKey global;

/// @notice What an account has
/// @dev One storage slot.
struct Account {
    /// Token units. Below zero only where a settled short owed more than there was: a debt to the insurance fund
    int128 balance;
    /// How many entries of the account's list of positions are in use
    uint8 positions;
    /// How many of them are short
    uint8 shorts;
    /// Unix seconds: the auction's clock ran last then; 0 outside an auction
    uint40 tickedAt;
    /// Seconds that the auction's clock has run
    uint32 elapsed;
}

/// @notice An account's holding of one instrument
/// @dev One storage slot.
struct Position {
    PositionKey key;
    /// 1e-8 of an option on one unit of the underlying; positive long, negative short
    int96 quantity;
    /// Unix seconds: the short was last increased then
    uint40 changedAt;
    /// Unix seconds: of the instrument, kept here because margin needs it of every position
    uint40 expiry;
}

/// @notice The last final reading of an instrument that the vault has seen, for when the feed has none
/// @dev One storage slot.
struct Mark {
    /// 1e-8 of the quote currency
    uint96 forward;
    /// 1e-8 of the forward
    uint32 premium;
    /// 1e-6 of the forward
    uint24 maintenance;
    /// 1e-6 of the forward
    uint24 initial;
    /// Unix seconds
    uint40 observedAt;
}

/// @notice What an instrument is judged by now
struct Quote {
    /// 1e-8 of the quote currency
    uint256 forward;
    /// 1e-8 of the forward
    uint256 premium;
    /// 1e-6 of the forward
    uint256 maintenance;
    /// 1e-6 of the forward
    uint256 initial;
    /// Unix seconds
    uint256 observedAt;
    /// The feed is live and the reading has not expired
    bool fresh;
    /// The consortium computed no margin: no short may be opened
    bool marginAbsent;
}

/// @notice What a maker signs: to buy or sell up to a quantity at a price
struct Order {
    address maker;
    /// Who may take it; zero: anyone
    address taker;
    address feed;
    uint64 instrument;
    bool isBuy;
    /// May only bring the maker's position nearer to zero
    bool reduceOnly;
    /// 1e-8 of an option, in all fills together
    uint96 quantity;
    /// 1e-8 of the quote currency, for one option
    uint128 price;
    /// Tells two orders of the same terms apart
    uint256 salt;
    /// Unix seconds, inclusive
    uint64 deadline;
}

/// @notice Times and rates, fixed when the vault is made
struct VaultConfig {
    /// Seconds before expiry in which the settlement report should have been observed
    uint32 settlementLag;
    /// Seconds after expiry before a price can stand: longer than a feed takes to accept a report and make it final,
    /// with time left to propose it
    uint32 settlementDelay;
    /// Seconds that a first proposal waits for a later report
    uint32 proposalPeriod;
    /// Seconds after expiry before a report older than `settlementLag` can stand
    uint32 fallbackDelay;
    /// Seconds in which an auction's price falls from mark to zero
    uint32 solventTime;
    /// Seconds after that in which the subsidy rises
    uint32 insolventTime;
    /// Seconds that an auction's clock advances between two sightings, at most
    uint32 tickGap;
    /// 1e-6 of what a bidder pays: into the insurance fund
    uint24 feeRate;
}

/// @title Reads the fields of a {PositionKey}
library PositionKeyLibrary {
    function feedIndex(
        PositionKey key
    ) internal pure returns (uint256) {
        return PositionKey.unwrap(key) >> 64;
    }

    function instrument(
        PositionKey key
    ) internal pure returns (uint64) {
        return uint64(PositionKey.unwrap(key));
    }
}

/// @dev Two keys name the same instrument of the same feed.
function _equals(
    PositionKey a,
    PositionKey b
) pure returns (bool) {
    return PositionKey.unwrap(a) == PositionKey.unwrap(b);
}
