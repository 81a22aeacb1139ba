// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice One option of a book in one word.
/// @dev Most significant first:
///
///   bits      field        type      unit
///   255..160  underlying   bytes12   ASCII, zero padded on the right
///   159..152  kind         uint8     1 call, 2 put
///   151..112  expiry       uint40    Unix seconds
///   111..16   strike       uint96    1e-8 of the quote currency
///    15..0    zero
type InstrumentWord is bytes32;

using InstrumentWordLibrary for InstrumentWord global;

/// @title Reads the fields of an {InstrumentWord}, and hashes a book of them
library InstrumentWordLibrary {
    uint8 internal constant CALL = 1;
    uint8 internal constant PUT = 2;

    function underlying(
        InstrumentWord word
    ) internal pure returns (bytes12) {
        return bytes12(InstrumentWord.unwrap(word));
    }

    /// @return {CALL} or {PUT} in every valid word
    function kind(
        InstrumentWord word
    ) internal pure returns (uint8) {
        return uint8(uint256(InstrumentWord.unwrap(word)) >> 152);
    }

    function expiry(
        InstrumentWord word
    ) internal pure returns (uint40) {
        return uint40(uint256(InstrumentWord.unwrap(word)) >> 112);
    }

    function strike(
        InstrumentWord word
    ) internal pure returns (uint96) {
        return uint96(uint256(InstrumentWord.unwrap(word)) >> 16);
    }

    /// @return The low bits, zero in every valid word
    function reserved(
        InstrumentWord word
    ) internal pure returns (uint16) {
        return uint16(uint256(InstrumentWord.unwrap(word)));
    }

    /// @notice The `book` field of a report about these instruments, whose params stand in the same order
    function bookHash(
        InstrumentWord[] memory words
    ) internal pure returns (bytes32) {
        bytes32[] memory unwrapped = new bytes32[](words.length);
        for (uint256 i = 0; i < words.length; ++i) {
            unwrapped[i] = InstrumentWord.unwrap(words[i]);
        }
        return keccak256(abi.encodePacked(unwrapped));
    }
}
