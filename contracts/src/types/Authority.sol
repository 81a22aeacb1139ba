// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice Who may speak for the consortium, or whom it owes for having proved that it lied: one slot.
/// @dev Most significant first:
///
///   bits     field     type     meaning
///   255..96  account   address  the group key's; once slashed, the challenger's
///    95..48  epoch     uint48   counts memberships and keys
///    47..8   since     uint40   Unix seconds: when the key came into force; once slashed, when that was
///     7..0   status    uint8    {ACTIVE} or {SLASHED}
///
/// A proof of fraud overwrites the key: it must not sign again, and who is owed the reward has to stand somewhere.
/// Doing both in the slot that verification reads anyway is what lets a proof of equivocation cost less than 45,000
/// gas.
type Authority is uint256;

using AuthorityLibrary for Authority global;

/// @title Reads and writes the fields of an {Authority}
library AuthorityLibrary {
    uint256 internal constant ACTIVE = 1;
    uint256 internal constant SLASHED = 2;

    function account(
        Authority authority
    ) internal pure returns (address) {
        return address(uint160(Authority.unwrap(authority) >> 96));
    }

    function epoch(
        Authority authority
    ) internal pure returns (uint256) {
        return (Authority.unwrap(authority) >> 48) & type(uint48).max;
    }

    function since(
        Authority authority
    ) internal pure returns (uint256) {
        return (Authority.unwrap(authority) >> 8) & type(uint40).max;
    }

    function isSlashed(
        Authority authority
    ) internal pure returns (bool) {
        return Authority.unwrap(authority) & type(uint8).max == SLASHED;
    }

    function pack(
        address account_,
        uint256 epoch_,
        uint256 since_,
        uint256 status
    ) internal pure returns (Authority) {
        return Authority.wrap((uint256(uint160(account_)) << 96) | (epoch_ << 48) | (since_ << 8) | status);
    }
}
