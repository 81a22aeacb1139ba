// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice Hedging parameters of one instrument in one word.
/// @dev Most significant first:
///
///   bits      field               type     unit
///   255..224  iv                  uint32   1e-6 of annual volatility
///   223..200  bsDelta             int24    1e-6, Black-76 delta
///   199..176  hedgeDelta          int24    1e-6, minimum-variance delta
///   175..136  gamma               uint40   1e-6, forward * gamma: change of delta per relative move of the forward
///   135..104  vega                uint32   1e-8, vega / forward per 1.00 of volatility
///   103..72   premium             uint32   1e-8, undiscounted premium / forward
///    71..48   maintenanceMargin   uint24   1e-6 of the forward; all ones: not computed
///    47..24   initialMargin       uint24   1e-6 of the forward; all ones: not computed
///    23..0    zero
///
/// `mpc_party/protocol/words.py` is the same definition in Python; `test/vectors/words.json` holds the two together.
type ParamWord is bytes32;

using ParamWordLibrary for ParamWord global;

/// @title Reads the fields of a {ParamWord}
library ParamWordLibrary {
    /// @notice A margin that the consortium did not compute
    uint24 internal constant MARGIN_ABSENT = type(uint24).max;

    function iv(
        ParamWord word
    ) internal pure returns (uint32) {
        return uint32(uint256(ParamWord.unwrap(word)) >> 224);
    }

    function bsDelta(
        ParamWord word
    ) internal pure returns (int24) {
        return int24(uint24(uint256(ParamWord.unwrap(word)) >> 200));
    }

    function hedgeDelta(
        ParamWord word
    ) internal pure returns (int24) {
        return int24(uint24(uint256(ParamWord.unwrap(word)) >> 176));
    }

    function gamma(
        ParamWord word
    ) internal pure returns (uint40) {
        return uint40(uint256(ParamWord.unwrap(word)) >> 136);
    }

    function vega(
        ParamWord word
    ) internal pure returns (uint32) {
        return uint32(uint256(ParamWord.unwrap(word)) >> 104);
    }

    function premium(
        ParamWord word
    ) internal pure returns (uint32) {
        return uint32(uint256(ParamWord.unwrap(word)) >> 72);
    }

    /// @return The margin, or {MARGIN_ABSENT}
    function maintenanceMargin(
        ParamWord word
    ) internal pure returns (uint24) {
        return uint24(uint256(ParamWord.unwrap(word)) >> 48);
    }

    /// @return The margin, or {MARGIN_ABSENT}
    function initialMargin(
        ParamWord word
    ) internal pure returns (uint24) {
        return uint24(uint256(ParamWord.unwrap(word)) >> 24);
    }

    /// @return The low bits, zero in every valid word
    function reserved(
        ParamWord word
    ) internal pure returns (uint24) {
        return uint24(uint256(ParamWord.unwrap(word)));
    }
}
