// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice One expiry of the book and the forward that the consortium used for it, in one word.
/// @dev Most significant first:
///
///   bits      field     type     unit
///   255..136  zero
///   135..96   expiry    uint40   Unix seconds
///    95..0    forward   uint96   1e-8 of the quote currency
type ForwardWord is bytes32;

using ForwardWordLibrary for ForwardWord global;

/// @title Reads the fields of a {ForwardWord}
library ForwardWordLibrary {
    function expiry(
        ForwardWord word
    ) internal pure returns (uint40) {
        return uint40(uint256(ForwardWord.unwrap(word)) >> 96);
    }

    function forward(
        ForwardWord word
    ) internal pure returns (uint96) {
        return uint96(uint256(ForwardWord.unwrap(word)));
    }

    /// @return The high bits, zero in every valid word
    function reserved(
        ForwardWord word
    ) internal pure returns (uint120) {
        return uint120(uint256(ForwardWord.unwrap(word)) >> 136);
    }
}
