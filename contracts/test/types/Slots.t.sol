// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {Config} from "../../src/ledger/Config.sol";
import {Authority, AuthorityLibrary} from "../../src/types/Authority.sol";
import {FeedState, FeedStateLibrary} from "../../src/types/FeedState.sol";
import {ForwardWord} from "../../src/types/ForwardWord.sol";
import {PackedConfig, PackedConfigLibrary} from "../../src/types/PackedConfig.sol";
import {ReportHead} from "../../src/types/ReportHead.sol";
import {RingEntry, RingEntryLibrary} from "../../src/types/RingEntry.sol";
import {SnapshotHeader, SnapshotHeaderLibrary} from "../../src/types/SnapshotHeader.sol";
import {TolerancesWord, TolerancesWordLibrary} from "../../src/types/TolerancesWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {Test} from "forge-std/Test.sol";

/// @dev What is packed into a slot comes out of it again, whatever stands beside it.
contract SlotsTest is Test {
    function testFuzz_headAndState(
        uint48 round,
        uint40 observedAt,
        uint24 validFor,
        uint48 epoch,
        uint8 expiries
    ) public {
        observedAt = uint40(bound(observedAt, 1 << 17, type(uint40).max - (1 << 17)));
        ReportHead head = ReportHead.wrap(
            uint256(round) * 2 ** 208 + uint256(observedAt) * 2 ** 168 + uint256(validFor) * 2 ** 124 + uint256(epoch)
                * 2 ** 76 + expiries
        );
        assertEq(head.round(), round);
        assertEq(head.observedAt(), observedAt);
        assertEq(head.validFor(), validFor);
        assertEq(head.validUntil(), uint256(observedAt) + validFor);
        assertEq(head.epoch(), epoch);
        assertEq(head.expiries(), expiries);
        assertEq(head.reserved(), 0);

        // As old as may be, and as far ahead.
        for (uint256 i = 0; i < 2; ++i) {
            vm.warp(i == 0 ? observedAt + type(uint16).max : observedAt - 1 hours);
            FeedState state = FeedStateLibrary.pack(head, 7, 5, 12_345);
            assertEq(state.round(), round);
            assertEq(state.observedAt(), observedAt);
            assertEq(state.acceptedAt(), block.timestamp);
            assertEq(state.validUntil(), uint256(observedAt) + validFor);
            assertEq(state.sequence(), 7);
            assertEq(state.stored(), 5);
            assertEq(state.anchor(), 12_345);
            assertFalse(state.has(FeedStateLibrary.PAUSED) || state.has(FeedStateLibrary.FLAGGED));
        }
    }

    /// @dev Each change leaves all else as it was.
    function testFuzz_stateChanges(
        uint256 raw,
        uint32 sequence,
        uint32 stored,
        uint48 round
    ) public pure {
        FeedState state = FeedState.wrap(raw);
        FeedState paused = state.with(FeedStateLibrary.PAUSED);
        assertTrue(paused.has(FeedStateLibrary.PAUSED));
        assertEq(paused.has(FeedStateLibrary.FLAGGED), state.has(FeedStateLibrary.FLAGGED));
        assertEq(
            FeedState.unwrap(paused.without(FeedStateLibrary.PAUSED)),
            FeedState.unwrap(state.without(FeedStateLibrary.PAUSED))
        );
        assertEq(FeedState.unwrap(paused) & ~(uint256(1) << 52), raw & ~(uint256(1) << 52));

        FeedState rewound = state.rewound(sequence, stored);
        assertEq(rewound.sequence(), sequence);
        assertEq(rewound.stored(), stored);
        assertEq(rewound.anchor(), 0);
        assertEq(rewound.validUntil(), rewound.observedAt());
        assertEq(FeedState.unwrap(rewound) >> 148, raw >> 148);
        assertEq((FeedState.unwrap(rewound) >> 52) & 0xff, (raw >> 52) & 0xff);

        FeedState later = state.withRound(round);
        assertEq(later.round(), round);
        assertEq(FeedState.unwrap(later) << 48, raw << 48);

        FeedState more = state.withStored(stored);
        assertEq(more.stored(), stored);
        assertEq(FeedState.unwrap(more) | (uint256(type(uint32).max) << 60), raw | (uint256(type(uint32).max) << 60));
    }

    function testFuzz_anchor(
        uint96 forward
    ) public pure {
        uint256 anchor = FeedStateLibrary.toAnchor(ForwardWord.wrap(WordPacker.forward(1, forward)));
        assertLt(anchor, 1 << 52);
        if (forward >= 1 << 60) assertEq(anchor, 0);
        else assertEq(anchor, forward / 256);
    }

    function test_initialState() public pure {
        FeedState state = FeedStateLibrary.initial();
        assertEq(state.acceptedAt(), 0);
        assertEq(state.sequence() + state.stored() + state.round() + state.anchor() + state.validUntil(), 0);
    }

    function testFuzz_ringEntry(
        bytes32 digest,
        bytes32 other,
        uint40 acceptedAt
    ) public pure {
        RingEntry entry = RingEntryLibrary.pack(digest, acceptedAt);
        assertEq(entry.acceptedAt(), acceptedAt);
        assertTrue(entry.isOf(digest));
        assertEq(entry.isOf(other), uint256(other) % 2 ** 216 == uint256(digest) % 2 ** 216);
        assertFalse(entry.isOf(digest ^ bytes32(uint256(1))));
        assertFalse(entry.isOf(digest ^ bytes32(uint256(1) << 215)));
    }

    function testFuzz_snapshotHeader(
        uint48 round,
        uint40 observedAt,
        int32 lag,
        uint24 validFor,
        uint32 bookId,
        uint96 forward
    ) public pure {
        observedAt = uint40(bound(observedAt, 1 << 17, type(uint40).max - (1 << 17)));
        lag = int32(bound(lag, -3600, 65_535));
        bookId %= 1 << 28;
        uint256 acceptedAt = uint256(int256(uint256(observedAt)) + lag);
        SnapshotHeader header = SnapshotHeaderLibrary.pack(round, observedAt, acceptedAt, validFor, bookId, forward);
        assertEq(header.round(), round);
        assertEq(header.observedAt(), observedAt);
        assertEq(header.acceptedAt(), acceptedAt);
        assertEq(header.validUntil(), uint256(observedAt) + validFor);
        assertEq(header.bookId(), bookId);
        assertEq(header.firstForward(), forward);
    }

    function testFuzz_authority(
        address account,
        uint48 epoch,
        uint40 since,
        bool slashed
    ) public pure {
        Authority authority =
            AuthorityLibrary.pack(account, epoch, since, slashed ? AuthorityLibrary.SLASHED : AuthorityLibrary.ACTIVE);
        assertEq(authority.account(), account);
        assertEq(authority.epoch(), epoch);
        assertEq(authority.since(), since);
        assertEq(authority.isSlashed(), slashed);
    }

    function testFuzz_config(
        Config memory config
    ) public pure {
        PackedConfig packed = PackedConfigLibrary.pack(config);
        assertEq(keccak256(abi.encode(packed.unpack())), keccak256(abi.encode(config)));
    }

    function testFuzz_tolerances(
        Tolerances memory tolerances
    ) public pure {
        TolerancesWord word = TolerancesWordLibrary.pack(tolerances);
        assertEq(keccak256(abi.encode(word.unpack())), keccak256(abi.encode(tolerances)));
    }
}
