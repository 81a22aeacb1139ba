// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ForwardWord} from "../types/ForwardWord.sol";
import {ParamWord} from "../types/ParamWord.sol";

/// @notice Why the breaker rejects a signed report
enum Breach {
    NONE,
    /// Reserved bits of a forward word are set
    FORWARD_RESERVED_BITS,
    /// A forward is zero
    FORWARD_ZERO,
    /// An expiry does not lie after the observation
    EXPIRY_PASSED,
    /// Expiries do not ascend
    EXPIRY_NOT_ASCENDING,
    /// The first forward has moved further than `maxJump` within `jumpHorizon`
    FORWARD_JUMP,
    /// Reserved bits of a param word are set
    PARAM_RESERVED_BITS,
    /// A vol outside of [{Breaker-MIN_VOL}, MIN_VOL + 2^24)
    VOL_OUT_OF_BOUNDS,
    /// A Black-76 delta outside of [-1, -1 + 2^21 * 1e-6)
    DELTA_OUT_OF_BOUNDS,
    /// A hedge delta outside of [-2^22, 2^22) * 1e-6
    HEDGE_DELTA_OUT_OF_BOUNDS
}

/// @title Rejects signed reports whose words cannot be meant: a fuse, and coarse as fuses are
/// @notice Finds words out of bounds, and says which and why; clips nothing. What is wrong within these bounds is for
/// the laws ({IReportJudge}) to find. The bounds' widths are powers of two so that one addition and one OR check a
/// whole word.
library Breaker {
    /// @notice 1e-6 of annual volatility: the least
    uint256 internal constant MIN_VOL = 10_000;

    uint256 private constant _JUMP_UNIT = 1e4;
    // Added to a word, makes each bounded field a number that is below its width just where the field is within its
    // bounds: iv less MIN_VOL, bsDelta plus 1e6, hedgeDelta plus 2^22, all else as it is. A field that is out of
    // bounds may carry into the next one, which then looks out of bounds, too: the word is anyway.
    uint256 private constant _SHIFT_UP = (uint256(1_000_000) << 200) + (uint256(1 << 22) << 176);
    uint256 private constant _SHIFT_DOWN = MIN_VOL << 224;
    // Where bits beyond the widths are, and the reserved ones. The carries of negative deltas are taken out again
    // below.
    uint256 private constant _BEYOND = (uint256(0xff) << 248) | (uint256(7) << 221) | (uint256(1) << 199) | 0xffffff;
    // Flips the signs: a negative delta would carry into the next field by being made positive.
    uint256 private constant _SIGNS = (uint256(1) << 223) | (uint256(1) << 199);

    /// @param first The first forward, as an anchor
    /// @param anchor The first forward of the last accepted report, as an anchor; 0 where none counts any more
    /// @param maxJump 1e-4
    /// @return breach What is wrong with the forward words, and which; NONE and 0 where nothing is
    function checkForwards(
        bytes32[] calldata words,
        uint256 observedAt,
        uint256 first,
        uint256 anchor,
        uint256 maxJump
    ) internal pure returns (Breach breach, uint256 index) {
        unchecked {
            uint256 previous = observedAt;
            for (uint256 i = 0; i < words.length; ++i) {
                bytes32 raw;
                assembly ("memory-safe") {
                    raw := calldataload(add(words.offset, shl(5, i)))
                }
                ForwardWord word = ForwardWord.wrap(raw);
                // A valid word is its expiry and its forward, so that it lies above the one before with all bits of a
                // forward and below 2^136; and its forward is not zero.
                if (
                    uint256(raw) <= (previous << 96) + type(uint96).max || uint256(raw) >> 136 != 0
                        || word.forward() == 0
                ) {
                    return (_forwardBreach(word, i), i);
                }
                previous = uint256(raw) >> 96;
            }
            uint256 move = first > anchor ? first - anchor : anchor - first;
            // 52 and 16 bits. An anchor may be a unit off what it stands for.
            if (anchor != 0 && move * _JUMP_UNIT > anchor * maxJump + _JUMP_UNIT) return (Breach.FORWARD_JUMP, 0);
        }
    }

    /// @return breach What is wrong with the first param word that breaks a bound, and which; NONE and 0 where none
    /// does
    function checkParams(
        bytes32[] calldata words
    ) internal pure returns (Breach breach, uint256 index) {
        if (_withinBounds(words)) return (Breach.NONE, 0);
        for (uint256 i = 0; i < words.length; ++i) {
            breach = paramBreach(ParamWord.wrap(words[i]));
            if (breach != Breach.NONE) return (breach, i);
        }
        // The two checks agree, by test; did they not, a report must not pass by it.
        return (Breach.PARAM_RESERVED_BITS, words.length);
    }

    /// @notice The bounds of one word, field by field.
    function paramBreach(
        ParamWord word
    ) internal pure returns (Breach) {
        if (word.reserved() != 0) return Breach.PARAM_RESERVED_BITS;
        if (word.iv() < MIN_VOL || word.iv() >= MIN_VOL + (1 << 24)) return Breach.VOL_OUT_OF_BOUNDS;
        if (word.bsDelta() < -1e6 || word.bsDelta() >= -1e6 + (1 << 21)) return Breach.DELTA_OUT_OF_BOUNDS;
        if (word.hedgeDelta() < -(1 << 22) || word.hedgeDelta() >= (1 << 22)) return Breach.HEDGE_DELTA_OUT_OF_BOUNDS;
        return Breach.NONE;
    }

    /// @dev For a word that is known to be bad.
    function _forwardBreach(
        ForwardWord word,
        uint256 index
    ) private pure returns (Breach) {
        if (word.reserved() != 0) return Breach.FORWARD_RESERVED_BITS;
        if (word.forward() == 0) return Breach.FORWARD_ZERO;
        return index == 0 ? Breach.EXPIRY_PASSED : Breach.EXPIRY_NOT_ASCENDING;
    }

    /// @dev Some 60 gas a word instead of 500. `test/ledger/Breaker.t.sol` holds it against {paramBreach}.
    function _withinBounds(
        bytes32[] calldata words
    ) private pure returns (bool within) {
        uint256 signs = _SIGNS;
        // A delta with its sign flipped is the delta plus 2^23.
        uint256 shift;
        unchecked {
            shift = _SHIFT_UP - _SHIFT_DOWN - _SIGNS;
        }
        uint256 beyond = _BEYOND;
        assembly ("memory-safe") {
            let at := words.offset
            let end := add(at, shl(5, words.length))
            let bad := 0
            // The odd one first, then two at a time.
            if and(words.length, 1) {
                bad := add(xor(calldataload(at), signs), shift)
                at := add(at, 0x20)
            }
            for {} lt(at, end) { at := add(at, 0x40) } {
                bad := or(bad, add(xor(calldataload(at), signs), shift))
                bad := or(bad, add(xor(calldataload(add(at, 0x20)), signs), shift))
            }
            within := iszero(and(bad, beyond))
        }
    }
}
