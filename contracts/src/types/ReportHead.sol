// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice The numbers of a report in one word: calldata's zero bytes cost, too.
/// @dev Most significant first; what {FeedState} keeps stands where it stands there:
///
///   bits      field        type     why so wide
///   255..208  round        uint48   as in {FeedState}
///   207..168  observedAt   uint40   Unix seconds
///   167..148  zero
///   147..124  validFor     uint24   seconds from observation to the end of validity
///   123..76   epoch        uint48   wider ones are refused when a key is put in force
///    75..8    zero
///     7..0    expiries     uint8    how many of the words that follow are forwards; 64 at most
type ReportHead is uint256;

using ReportHeadLibrary for ReportHead global;

/// @title Reads the fields of a {ReportHead}
library ReportHeadLibrary {
    /// @notice The fields that {FeedState} keeps, in place
    uint256 internal constant KEPT = (((uint256(1) << 88) - 1) << 168) | (uint256(type(uint24).max) << 124);

    function round(
        ReportHead head
    ) internal pure returns (uint256) {
        return ReportHead.unwrap(head) >> 208;
    }

    function observedAt(
        ReportHead head
    ) internal pure returns (uint256) {
        return (ReportHead.unwrap(head) >> 168) & type(uint40).max;
    }

    function validFor(
        ReportHead head
    ) internal pure returns (uint256) {
        return (ReportHead.unwrap(head) >> 124) & type(uint24).max;
    }

    function validUntil(
        ReportHead head
    ) internal pure returns (uint256) {
        unchecked {
            // 40 and 24 bits
            return observedAt(head) + validFor(head);
        }
    }

    function epoch(
        ReportHead head
    ) internal pure returns (uint256) {
        return (ReportHead.unwrap(head) >> 76) & type(uint48).max;
    }

    function expiries(
        ReportHead head
    ) internal pure returns (uint256) {
        return ReportHead.unwrap(head) & type(uint8).max;
    }

    /// @return The bits between the fields, zero in every valid head
    function reserved(
        ReportHead head
    ) internal pure returns (uint256) {
        return ReportHead.unwrap(head) & ((uint256(0xfffff) << 148) | (((uint256(1) << 68) - 1) << 8));
    }
}
