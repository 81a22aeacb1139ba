// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ForwardWord} from "./ForwardWord.sol";
import {ReportHead, ReportHeadLibrary} from "./ReportHead.sol";

/// @notice All that publishing a report reads and writes beside its digest: one hot storage slot.
/// @dev Most significant first:
///
///   bits      field        type     why so wide
///   255..208  round        uint48   a round a second for nine million years
///   207..168  observedAt   uint40   Unix seconds past the year 36,000
///   167..148  lag          uint20   acceptedAt - observedAt + 2^16: the config bounds skew and age below 2^16
///   147..124  validFor     uint24   seconds from observation to the end of validity: 194 days, more than any limit
///   123..92   sequence     uint32   reports accepted: one every three seconds for 400 years
///    91..60   stored       uint32   of which stored on the chain
///    59..52   flags        uint8    {PAUSED}, {FLAGGED}
///    51..0    anchor       uint52   the first expiry's forward in 2^8 * 1e-8 of the quote currency, for the breaker;
/// 0,
///                                   which is compared with nothing, where it is 2^60 * 1e-8 (11 billion) or more
type FeedState is uint256;

using FeedStateLibrary for FeedState global;

/// @title Reads and writes the fields of a {FeedState}
library FeedStateLibrary {
    /// @notice A member has paused the feed
    uint256 internal constant PAUSED = 1;
    /// @notice The breaker has rejected the last signed report
    uint256 internal constant FLAGGED = 2;

    uint256 private constant _FLAGS_SHIFT = 52;
    uint256 private constant _LAG_ZERO = 1 << 16;

    /// @notice The state after a report is accepted now; no flag is set.
    /// @param anchor_ Its first forward, as an anchor
    function pack(
        ReportHead head,
        uint256 sequence_,
        uint256 stored_,
        uint256 anchor_
    ) internal view returns (FeedState) {
        unchecked {
            return FeedState.wrap(
                (ReportHead.unwrap(head) & ReportHeadLibrary.KEPT)
                    | ((block.timestamp + _LAG_ZERO - head.observedAt()) << 148) | (sequence_ << 92) | (stored_ << 60)
                    | anchor_
            );
        }
    }

    function round(
        FeedState state
    ) internal pure returns (uint256) {
        return FeedState.unwrap(state) >> 208;
    }

    function observedAt(
        FeedState state
    ) internal pure returns (uint256) {
        return (FeedState.unwrap(state) >> 168) & type(uint40).max;
    }

    function acceptedAt(
        FeedState state
    ) internal pure returns (uint256) {
        unchecked {
            return observedAt(state) + ((FeedState.unwrap(state) >> 148) & 0xfffff) - _LAG_ZERO;
        }
    }

    function validFor(
        FeedState state
    ) internal pure returns (uint256) {
        return (FeedState.unwrap(state) >> 124) & type(uint24).max;
    }

    function validUntil(
        FeedState state
    ) internal pure returns (uint256) {
        unchecked {
            return observedAt(state) + validFor(state);
        }
    }

    function sequence(
        FeedState state
    ) internal pure returns (uint256) {
        return (FeedState.unwrap(state) >> 92) & type(uint32).max;
    }

    function stored(
        FeedState state
    ) internal pure returns (uint256) {
        return (FeedState.unwrap(state) >> 60) & type(uint32).max;
    }

    function has(
        FeedState state,
        uint256 flag
    ) internal pure returns (bool) {
        return (FeedState.unwrap(state) >> _FLAGS_SHIFT) & flag != 0;
    }

    function with(
        FeedState state,
        uint256 flag
    ) internal pure returns (FeedState) {
        return FeedState.wrap(FeedState.unwrap(state) | (flag << _FLAGS_SHIFT));
    }

    function without(
        FeedState state,
        uint256 flag
    ) internal pure returns (FeedState) {
        return FeedState.wrap(FeedState.unwrap(state) & ~(flag << _FLAGS_SHIFT));
    }

    /// @return What the breaker compares the first forward with, 0 where nothing
    function anchor(
        FeedState state
    ) internal pure returns (uint256) {
        return FeedState.unwrap(state) & ((1 << 52) - 1);
    }

    /// @return A first forward as an anchor
    function toAnchor(
        ForwardWord word
    ) internal pure returns (uint256) {
        uint256 forward = word.forward();
        return forward >> 60 == 0 ? forward >> 8 : 0;
    }

    /// @return The state before the first report: accepted at 0
    function initial() internal pure returns (FeedState) {
        return FeedState.wrap(_LAG_ZERO << 148);
    }

    /// @notice The same state after the latest reports were dropped: others' numbers go on from `sequence_`,
    /// `stored_`. What the dropped ones said counts no longer, neither as an anchor nor as something valid.
    function rewound(
        FeedState state,
        uint256 sequence_,
        uint256 stored_
    ) internal pure returns (FeedState) {
        // Round, observation, lag and flags stay.
        uint256 kept = FeedState.unwrap(state) & ~((((uint256(1) << 88) - 1) << 60) | ((uint256(1) << 52) - 1));
        return FeedState.wrap(kept | (sequence_ << 92) | (stored_ << 60));
    }

    /// @notice The same state after an accepted report was stored.
    function withStored(
        FeedState state,
        uint256 stored_
    ) internal pure returns (FeedState) {
        return FeedState.wrap((FeedState.unwrap(state) & ~(uint256(type(uint32).max) << 60)) | (stored_ << 60));
    }

    /// @notice The same state with a later round, which was rejected.
    function withRound(
        FeedState state,
        uint256 round_
    ) internal pure returns (FeedState) {
        return FeedState.wrap((FeedState.unwrap(state) & (type(uint256).max >> 48)) | (round_ << 208));
    }
}
