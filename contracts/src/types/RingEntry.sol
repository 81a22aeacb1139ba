// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice One accepted report in the ring: most of its digest, and when it was accepted.
/// @dev acceptedAt uint40 in the high bits, the digest's low 216 bits below: one slot a report. Two reports that agree
/// in 216 bits take 2^108 hashes to find, and both would have to be signed by the group key: whoever can have two
/// reports signed for one round is slashed for it without any collision.
type RingEntry is uint256;

using RingEntryLibrary for RingEntry global;

/// @title Reads and writes the fields of a {RingEntry}
library RingEntryLibrary {
    uint256 private constant _DIGEST = type(uint216).max;

    function pack(
        bytes32 digest,
        uint256 acceptedAt_
    ) internal pure returns (RingEntry) {
        return RingEntry.wrap((acceptedAt_ << 216) | (uint256(digest) & _DIGEST));
    }

    function acceptedAt(
        RingEntry entry
    ) internal pure returns (uint256) {
        return RingEntry.unwrap(entry) >> 216;
    }

    function isOf(
        RingEntry entry,
        bytes32 digest
    ) internal pure returns (bool) {
        return RingEntry.unwrap(entry) & _DIGEST == uint256(digest) & _DIGEST;
    }
}
