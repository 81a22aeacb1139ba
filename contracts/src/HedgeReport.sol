// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

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

/// @title EIP-712 struct hash of a {HedgeReport}
library HedgeReportLibrary {
    bytes32 internal constant TYPE_HASH = keccak256(
        "HedgeReport(bytes32 consortium,uint64 epoch,uint64 round,uint64 observedAt,uint64 validUntil,"
        "bytes32 book,bytes32 model,bytes32 inputs,bytes32[] forwards,bytes32[] params)"
    );

    /// @dev `abi.encodePacked` of an array of words pads nothing: this is EIP-712's encoding of `bytes32[]`. The arrays
    /// are of plain words because the compiler copies those at once, and user-defined types one by one.
    function structHash(
        HedgeReport calldata report
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TYPE_HASH,
                report.consortium,
                report.epoch,
                report.round,
                report.observedAt,
                report.validUntil,
                report.book,
                report.model,
                report.inputs,
                keccak256(abi.encodePacked(report.forwards)),
                keccak256(abi.encodePacked(report.params))
            )
        );
    }
}
