// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {FeedState, FeedStateLibrary} from "../types/FeedState.sol";
import {PackedConfig, PackedConfigLibrary} from "../types/PackedConfig.sol";
import {RingEntry, RingEntryLibrary} from "../types/RingEntry.sol";
import {Config, ConfigLibrary} from "./Config.sol";

/// @title Which reports were accepted, and which of them are final
/// @notice An accepted report is pending until the challenge window has passed, and then final without anybody's
/// doing: finality is read off the time of acceptance. Members' decisions and proofs of fraud drop what is pending;
/// the numbers of dropped reports are given out again, so that the numbers of final ones have no holes.
/// @dev The ring holds the digests of the last 256 reports. Reports are accepted at such a pace that the one that is
/// overwritten always has a final successor.
abstract contract RoundLedger {
    /// @notice What is known of the feed, for programs
    struct Status {
        uint64 round;
        uint64 observedAt;
        uint64 acceptedAt;
        uint64 validUntil;
        uint32 sequence;
        uint32 stored;
        bool paused;
        bool flagged;
    }

    /// @notice How many reports are kept
    uint256 public constant RING = 256;

    FeedState internal _state;
    PackedConfig internal _config;
    // Final whatever the window says: what was final when the window, or who may report, last changed.
    uint32 private _finalFloor;
    uint32 internal _storedFloor;
    RingEntry[RING] private _ring;

    event PendingDropped(uint256 sequence, uint256 stored);
    event ConfigSet(Config config);

    error ReportTooSoon(uint256 acceptableAt, uint256 timestamp);
    error SequenceUnknown(uint256 sequence, uint256 latest);

    constructor(
        Config memory initial
    ) {
        _state = FeedStateLibrary.initial();
        _setConfig(initial);
    }

    /// @notice Round of the latest signed report that was accepted or rejected by the breaker, 0 before the first
    function latestRound() external view returns (uint64) {
        return uint64(_state.round());
    }

    /// @notice Where the feed stands: of the latest accepted report, which may be pending; see {finalSequence}
    function status() external view returns (Status memory) {
        FeedState state = _state;
        return Status({
            round: uint64(state.round()),
            observedAt: uint64(state.observedAt()),
            acceptedAt: uint64(state.acceptedAt()),
            validUntil: uint64(state.validUntil()),
            sequence: uint32(state.sequence()),
            stored: uint32(state.stored()),
            paused: state.has(FeedStateLibrary.PAUSED),
            flagged: state.has(FeedStateLibrary.FLAGGED)
        });
    }

    /// @notice What is accepted, and when it counts
    function config() external view returns (Config memory) {
        return _config.unpack();
    }

    /// @notice Least seconds between two accepted reports, so that the ring always holds a final one
    function pace() external view returns (uint256) {
        return _pace(_config.challengeWindow());
    }

    /// @notice Number of the latest final report, stored or not; 0 before the first
    function finalSequence() external view returns (uint256) {
        return _finalSequence(_cutoff());
    }

    /// @notice An accepted report: the low 216 bits of its digest, when it was accepted, and whether it is final
    function accepted(
        uint256 sequence
    ) external view returns (uint256 digest216, uint256 acceptedAt, bool isFinal) {
        uint256 head = _state.sequence();
        if (sequence == 0 || sequence > head || sequence + RING <= head) revert SequenceUnknown(sequence, head);
        RingEntry entry = _ring[sequence % RING];
        return
            (RingEntry.unwrap(entry) & type(uint216).max, entry.acceptedAt(), _isFinal(sequence, entry.acceptedAt()));
    }

    function _keep(
        uint256 sequence,
        bytes32 digest
    ) internal {
        RingEntry entry = RingEntryLibrary.pack(digest, block.timestamp);
        assembly ("memory-safe") {
            // As `_ring[sequence % RING]`, without the check that a remainder is below its divisor.
            sstore(add(_ring.slot, and(sequence, 255)), entry)
        }
    }

    /// @dev Forgets what is not final at `cutoff`, for ever.
    function _dropPending(
        uint256 cutoff
    ) internal {
        uint256 sequence = _finalSequence(cutoff);
        uint256 stored = _finalStored(cutoff);
        FeedState state = _state;
        (_finalFloor, _storedFloor) = (uint32(sequence), uint32(stored));
        if (sequence == state.sequence() && stored == state.stored()) return;
        _state = state.rewound(sequence, stored);
        emit PendingDropped(sequence, stored);
    }

    function _setConfig(
        Config memory newConfig
    ) internal {
        ConfigLibrary.check(newConfig);
        _config = PackedConfigLibrary.pack(newConfig);
        emit ConfigSet(newConfig);
    }

    /// @dev Until when time counts towards finality, Unix seconds: now, or when the key was taken out of force.
    function _cutoff() internal view virtual returns (uint256);

    /// @dev Latest final stored report.
    function _finalStored(
        uint256 cutoff
    ) internal view virtual returns (uint256);

    /// @dev Whether `digest` is that of accepted report `sequence`, and when it was accepted.
    function _acceptance(
        bytes32 digest,
        uint256 sequence
    ) internal view returns (bool isAccepted, uint256 acceptedAt) {
        uint256 head = _state.sequence();
        if (sequence == 0 || sequence > head || sequence + RING <= head) return (false, 0);
        RingEntry entry = _ring[sequence % RING];
        return (entry.isOf(digest), entry.acceptedAt());
    }

    function _isFinal(
        uint256 sequence,
        uint256 acceptedAt
    ) internal view returns (bool) {
        return sequence <= _finalFloor || acceptedAt + _config.challengeWindow() <= _cutoff();
    }

    function _pace(
        uint256 window
    ) internal pure returns (uint256) {
        unchecked {
            return window / (RING - 1) + 1;
        }
    }

    /// @dev Times of acceptance never fall along the ring, so that the last final one is found by halving.
    function _finalSequence(
        uint256 cutoff
    ) private view returns (uint256) {
        uint256 high = _state.sequence();
        uint256 low = _finalFloor;
        if (low + RING <= high) low = high - RING + 1;
        uint256 window = _config.challengeWindow();
        // Invariant: `low` is final or the floor, all above `high` are pending.
        while (low < high) {
            uint256 middle = (low + high + 1) / 2;
            if (_ring[middle % RING].acceptedAt() + window <= cutoff) low = middle;
            else high = middle - 1;
        }
        return low;
    }
}
