// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What is kept of a stored report beside its words, with its first forward: one slot.
/// @dev Most significant first:
///
///   bits      field        type     why so wide
///   255..208  round        uint48   as in {FeedState}
///   207..168  observedAt   uint40
///   167..148  lag          uint20   acceptedAt - observedAt + 2^16: the config bounds skew and age below 2^16
///   147..124  validFor     uint24   as in {FeedState}
///   123..96   bookId       uint28   250 million books; the registry refuses more
///    95..0    forward      uint96   of the first expiry, 1e-8 of the quote currency
type SnapshotHeader is uint256;

using SnapshotHeaderLibrary for SnapshotHeader global;

/// @title Reads and writes the fields of a {SnapshotHeader}
library SnapshotHeaderLibrary {
    uint256 private constant _LAG_ZERO = 1 << 16;

    function round(
        SnapshotHeader header
    ) internal pure returns (uint256) {
        return SnapshotHeader.unwrap(header) >> 208;
    }

    function observedAt(
        SnapshotHeader header
    ) internal pure returns (uint256) {
        return (SnapshotHeader.unwrap(header) >> 168) & type(uint40).max;
    }

    function acceptedAt(
        SnapshotHeader header
    ) internal pure returns (uint256) {
        return observedAt(header) + ((SnapshotHeader.unwrap(header) >> 148) & 0xfffff) - _LAG_ZERO;
    }

    function validUntil(
        SnapshotHeader header
    ) internal pure returns (uint256) {
        return observedAt(header) + ((SnapshotHeader.unwrap(header) >> 124) & type(uint24).max);
    }

    function bookId(
        SnapshotHeader header
    ) internal pure returns (uint256) {
        return (SnapshotHeader.unwrap(header) >> 96) & 0xfffffff;
    }

    function firstForward(
        SnapshotHeader header
    ) internal pure returns (uint96) {
        return uint96(SnapshotHeader.unwrap(header));
    }

    /// @dev Every argument is within its field, and acceptedAt within 2^16 seconds of observedAt.
    function pack(
        uint256 round_,
        uint256 observedAt_,
        uint256 acceptedAt_,
        uint256 validFor,
        uint256 bookId_,
        uint256 forward
    ) internal pure returns (SnapshotHeader) {
        uint256 lag = acceptedAt_ + _LAG_ZERO - observedAt_;
        return SnapshotHeader.wrap(
            (round_ << 208) | (observedAt_ << 168) | (lag << 148) | (validFor << 124) | (bookId_ << 96) | forward
        );
    }
}
