// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ReportHead} from "./types/ReportHead.sol";

/// @notice What the consortium signs: the result of one round.
struct HedgeReport {
    /// The consortium's identity, for ever the same
    bytes32 consortium;
    /// One membership and group key
    uint64 epoch;
    /// Grows from report to report; numbers of aborted rounds are left out
    uint64 round;
    /// Unix seconds: the market data's time
    uint64 observedAt;
    /// Unix seconds: nobody should rely on the report after it
    uint64 validUntil;
    /// keccak256 of the concatenated instrument words
    bytes32 book;
    /// Commitment to the secret-shared model
    bytes32 model;
    /// Merkle root of the committee's commitments to its private inputs
    bytes32 inputs;
    /// One {ForwardWord} per expiry, ascending
    bytes32[] forwards;
    /// One {ParamWord} per instrument, in the book's order
    bytes32[] params;
}

/// @notice What stands before the words of a report as it is brought to the chain; the contract knows its consortium
/// itself
struct ReportCore {
    ReportHead head;
    bytes32 book;
    bytes32 model;
    bytes32 inputs;
}

/// @notice A report without its words, which its digest needs the hashes of only, and a signature over it
/// @dev `r` and `vs` as in EIP-2098. Epoch and round stand in the head.
struct SignedHeader {
    ReportCore core;
    /// keccak256 of the concatenated words
    bytes32 forwardsHash;
    bytes32 paramsHash;
    bytes32 r;
    bytes32 vs;
}

/// @title EIP-712 struct hash of a {HedgeReport}, however it is laid out
library HedgeReportLibrary {
    bytes32 internal constant TYPE_HASH = keccak256(
        "HedgeReport(bytes32 consortium,uint64 epoch,uint64 round,uint64 observedAt,uint64 validUntil,"
        "bytes32 book,bytes32 model,bytes32 inputs,bytes32[] forwards,bytes32[] params)"
    );

    /// @dev EIP-712 encodes `bytes32[]` as the hash of its words, laid end to end as they lie in the calldata. The
    /// eight fixed fields lie there in the order of their encoding, too: whoever relies on a `uint64` of them reads it
    /// through the compiler, which refuses a wider one.
    function structHash(
        HedgeReport calldata report
    ) internal pure returns (bytes32 result) {
        bytes32 typeHash = TYPE_HASH;
        bytes32 forwardsHash = hashWords(report.forwards);
        bytes32 paramsHash = hashWords(report.params);
        assembly ("memory-safe") {
            let scratch := mload(0x40)
            mstore(scratch, typeHash)
            calldatacopy(add(scratch, 0x20), report, 0x100)
            mstore(add(scratch, 0x120), forwardsHash)
            mstore(add(scratch, 0x140), paramsHash)
            result := keccak256(scratch, 0x160)
        }
    }

    /// @notice The same hash of a report brought to the chain in short.
    function structHash(
        ReportCore calldata core,
        bytes32 consortium,
        bytes32[] calldata forwards,
        bytes32[] calldata params
    ) internal pure returns (bytes32) {
        return structHash(core, consortium, hashWords(forwards), hashWords(params));
    }

    /// @notice The same hash from the words' hashes.
    function structHash(
        ReportCore calldata core,
        bytes32 consortium,
        bytes32 forwardsHash,
        bytes32 paramsHash
    ) internal pure returns (bytes32 result) {
        bytes32 typeHash = TYPE_HASH;
        ReportHead head = core.head;
        uint256 epoch = head.epoch();
        uint256 round = head.round();
        uint256 observedAt = head.observedAt();
        uint256 validUntil = head.validUntil();
        assembly ("memory-safe") {
            // Beyond the free memory pointer, which stays where it is.
            let scratch := mload(0x40)
            mstore(scratch, typeHash)
            mstore(add(scratch, 0x20), consortium)
            mstore(add(scratch, 0x40), epoch)
            mstore(add(scratch, 0x60), round)
            mstore(add(scratch, 0x80), observedAt)
            mstore(add(scratch, 0xa0), validUntil)
            // book, model and inputs lie behind the head
            calldatacopy(add(scratch, 0xc0), add(core, 0x20), 0x60)
            mstore(add(scratch, 0x120), forwardsHash)
            mstore(add(scratch, 0x140), paramsHash)
            result := keccak256(scratch, 0x160)
        }
    }

    /// @notice keccak256 of words laid end to end
    function hashWords(
        bytes32[] calldata words
    ) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let scratch := mload(0x40)
            let size := shl(5, words.length)
            calldatacopy(scratch, words.offset, size)
            result := keccak256(scratch, size)
        }
    }
}
