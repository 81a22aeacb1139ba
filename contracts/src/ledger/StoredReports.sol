// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ReportCore} from "../HedgeReport.sol";
import {IHedgeFeed, Reading} from "../interfaces/IHedgeFeed.sol";
import {InstrumentRegistry} from "../registry/InstrumentRegistry.sol";
import {ForwardWord} from "../types/ForwardWord.sol";
import {ParamWord} from "../types/ParamWord.sol";
import {ReportHead} from "../types/ReportHead.sol";
import {SnapshotHeader, SnapshotHeaderLibrary} from "../types/SnapshotHeader.sol";
import {RoundLedger} from "./RoundLedger.sol";

/// @title Reports whose words stand in storage, for contracts that read an instrument at a time
/// @dev A ring of 32 snapshots of fixed size: overwriting costs 5,000 gas a word, and 22,100 the first time round.
abstract contract StoredReports is RoundLedger, InstrumentRegistry, IHedgeFeed {
    struct Snapshot {
        SnapshotHeader header;
        // Forwards after the first, two to a slot: they are a quarter of a report's cost at 16 instruments.
        uint256[32] forwards;
        ParamWord[1024] params;
    }

    /// @notice How many stored reports are kept
    uint256 public constant STORED_RING = 32;

    Snapshot[STORED_RING] private _snapshots;

    error BookNotRegistered(bytes32 book);
    error BookDoesNotFit(bytes32 book);
    error StoredTooSoon(uint256 acceptableAt, uint256 acceptedAt);

    /// @inheritdoc IHedgeFeed
    function reading(
        uint256 instrumentId
    ) external view returns (Reading memory) {
        return _reading(instrumentId, _finalStored(_cutoff()));
    }

    /// @inheritdoc IHedgeFeed
    function readingAt(
        uint256 instrumentId,
        uint256 sequence
    ) external view returns (Reading memory) {
        if (sequence > _finalStored(_cutoff())) revert NoReading(instrumentId, sequence);
        return _reading(instrumentId, sequence);
    }

    /// @inheritdoc IHedgeFeed
    function latestSequence() external view returns (uint256) {
        return _finalStored(_cutoff());
    }

    /// @notice A stored report as it is kept, final or pending: for those who check what was stored.
    /// @param count Instruments to read from `start` on
    function snapshot(
        uint256 sequence,
        uint256 start,
        uint256 count
    ) external view returns (uint64 round, uint256 bookId, uint256 acceptedAt, ParamWord[] memory params) {
        uint256 head = _state.stored();
        if (sequence == 0 || sequence > head || sequence + STORED_RING <= head) {
            revert SequenceUnknown(sequence, head);
        }
        Snapshot storage kept = _snapshots[sequence % STORED_RING];
        SnapshotHeader header = kept.header;
        params = new ParamWord[](count);
        for (uint256 i = 0; i < count; ++i) {
            params[i] = kept.params[start + i];
        }
        return (uint64(header.round()), header.bookId(), header.acceptedAt(), params);
    }

    /// @notice Least seconds between the acceptance of two stored reports
    function storedPace() public view returns (uint256) {
        return _config.challengeWindow() / (STORED_RING - 1) + 1;
    }

    /// @dev Keeps a report whose words the breaker has passed. Its book must be registered, and fit.
    function _store(
        ReportCore calldata core,
        bytes32[] calldata forwards,
        bytes32[] calldata params,
        uint256 sequence,
        uint256 acceptedAt
    ) internal {
        Book memory book = _bookOf(core.book);
        if (book.id == 0) revert BookNotRegistered(core.book);
        if (!_fits(forwards, params, book)) revert BookDoesNotFit(core.book);
        _requireStoredPace(sequence - 1, acceptedAt);

        Snapshot storage kept = _snapshots[sequence % STORED_RING];
        ReportHead head = core.head;
        kept.header = SnapshotHeaderLibrary.pack(
            head.round(),
            head.observedAt(),
            acceptedAt,
            head.validFor(),
            book.id,
            ForwardWord.wrap(forwards[0]).forward()
        );
        for (uint256 i = 1; i < forwards.length; i += 2) {
            uint256 pair = ForwardWord.wrap(forwards[i]).forward();
            if (i + 1 < forwards.length) pair |= uint256(ForwardWord.wrap(forwards[i + 1]).forward()) << 128;
            kept.forwards[i / 2] = pair;
        }
        ParamWord[1024] storage slots = kept.params;
        assembly ("memory-safe") {
            // At most 1,024, by the config.
            let end := add(params.offset, shl(5, params.length))
            for {
                let at := params.offset
                let slot := slots.slot
            } lt(at, end) {
                at := add(at, 0x20)
                slot := add(slot, 1)
            } { sstore(slot, calldataload(at)) }
        }
    }

    /// @dev Round of the latest stored report, 0 where there is none.
    function _lastStoredRound(
        uint256 stored
    ) internal view returns (uint256) {
        return stored == 0 ? 0 : _snapshots[stored % STORED_RING].header.round();
    }

    function _finalStored(
        uint256 cutoff
    ) internal view override returns (uint256) {
        uint256 high = _state.stored();
        uint256 low = _storedFloor;
        if (low + STORED_RING <= high) low = high - STORED_RING + 1;
        uint256 window = _config.challengeWindow();
        // Invariant: `low` is final or the floor, all above `high` are pending.
        while (low < high) {
            uint256 middle = (low + high + 1) / 2;
            if (_snapshots[middle % STORED_RING].header.acceptedAt() + window <= cutoff) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    /// @dev Whether a report has as many instruments as its book, and forwards for just its expiries.
    function _fits(
        bytes32[] calldata forwards,
        bytes32[] calldata params,
        Book memory book
    ) internal pure returns (bool) {
        return params.length == book.instruments && forwards.length == book.expiries
            && _expiriesDigest(forwards) == book.expiriesDigest;
    }

    /// @dev As the pace of all reports, for the smaller ring: what follows the overwritten report is final by then,
    /// and nobody can fill the ring with pending ones.
    function _requireStoredPace(
        uint256 previous,
        uint256 acceptedAt
    ) private view {
        if (previous == 0) return;
        uint256 acceptableAt = _snapshots[previous % STORED_RING].header.acceptedAt() + storedPace();
        if (acceptedAt < acceptableAt) revert StoredTooSoon(acceptableAt, acceptedAt);
    }

    function _reading(
        uint256 instrumentId,
        uint256 sequence
    ) private view returns (Reading memory) {
        if (sequence == 0 || sequence + STORED_RING <= _state.stored()) revert NoReading(instrumentId, sequence);
        Snapshot storage kept = _snapshots[sequence % STORED_RING];
        SnapshotHeader header = kept.header;
        (bool found, uint256 index, uint256 expiryIndex) = position(header.bookId(), instrumentId);
        if (!found) revert NoReading(instrumentId, sequence);
        return Reading({
            param: kept.params[index],
            forward: _forward(kept, header, expiryIndex),
            sequence: uint32(sequence),
            round: uint64(header.round()),
            observedAt: uint64(header.observedAt()),
            validUntil: uint64(header.validUntil()),
            acceptedAt: uint64(header.acceptedAt())
        });
    }

    function _forward(
        Snapshot storage kept,
        SnapshotHeader header,
        uint256 expiryIndex
    ) private view returns (uint96) {
        if (expiryIndex == 0) return header.firstForward();
        uint256 pair = kept.forwards[(expiryIndex - 1) / 2];
        return expiryIndex % 2 == 1 ? uint96(pair) : uint96(pair >> 128);
    }
}
