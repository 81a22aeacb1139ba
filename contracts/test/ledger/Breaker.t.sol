// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Breach, Breaker} from "../../src/ledger/Breaker.sol";
import {FeedStateLibrary} from "../../src/types/FeedState.sol";
import {ForwardWord} from "../../src/types/ForwardWord.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {Test} from "forge-std/Test.sol";

contract BreakerTest is Test {
    uint64 private constant OBSERVED_AT = 1_767_254_400;

    function params(
        bytes32[] calldata words
    ) external pure returns (Breach breach, uint256 index) {
        return Breaker.checkParams(words);
    }

    function forwards(
        bytes32[] calldata words,
        uint256 anchor,
        uint256 maxJump
    ) external pure returns (Breach breach, uint256 index) {
        uint256 first = FeedStateLibrary.toAnchor(ForwardWord.wrap(words[0]));
        return Breaker.checkForwards(words, OBSERVED_AT, first, anchor, maxJump);
    }

    /// @dev The check of all words at once agrees with the one field by field, for any words whatever.
    function testFuzz_fastAgreesWithFieldByField(
        bytes32[] calldata words
    ) public view {
        _assertAgrees(words);
    }

    /// @dev The same for words of which most are within the bounds, with fields at their bounds and one beyond.
    function testFuzz_fastAgreesAtTheBounds(
        uint256 seed,
        uint8 count
    ) public view {
        bytes32[] memory words = new bytes32[](1 + count % 9);
        for (uint256 i = 0; i < words.length; ++i) {
            words[i] = _edgeWord(uint256(keccak256(abi.encode(seed, i))));
        }
        _assertAgrees(words);
    }

    function test_eachBoundExactly() public view {
        WordPacker.Param memory fields = _fields();
        _assertBreach(fields, Breach.NONE);
        (fields.iv) = 10_000;
        _assertBreach(fields, Breach.NONE);
        fields.iv = 9999;
        _assertBreach(fields, Breach.VOL_OUT_OF_BOUNDS);
        fields.iv = 10_000 + (1 << 24) - 1;
        _assertBreach(fields, Breach.NONE);
        fields.iv = 10_000 + (1 << 24);
        _assertBreach(fields, Breach.VOL_OUT_OF_BOUNDS);
        fields.iv = 0;
        _assertBreach(fields, Breach.VOL_OUT_OF_BOUNDS);
        fields.iv = type(uint32).max;
        _assertBreach(fields, Breach.VOL_OUT_OF_BOUNDS);

        fields = _fields();
        fields.bsDelta = -1e6;
        _assertBreach(fields, Breach.NONE);
        fields.bsDelta = -1e6 - 1;
        _assertBreach(fields, Breach.DELTA_OUT_OF_BOUNDS);
        fields.bsDelta = -1e6 + (1 << 21) - 1;
        _assertBreach(fields, Breach.NONE);
        fields.bsDelta = -1e6 + (1 << 21);
        _assertBreach(fields, Breach.DELTA_OUT_OF_BOUNDS);
        fields.bsDelta = type(int24).min;
        _assertBreach(fields, Breach.DELTA_OUT_OF_BOUNDS);

        fields = _fields();
        fields.hedgeDelta = -(1 << 22);
        _assertBreach(fields, Breach.NONE);
        fields.hedgeDelta = -(1 << 22) - 1;
        _assertBreach(fields, Breach.HEDGE_DELTA_OUT_OF_BOUNDS);
        fields.hedgeDelta = (1 << 22) - 1;
        _assertBreach(fields, Breach.NONE);
        fields.hedgeDelta = 1 << 22;
        _assertBreach(fields, Breach.HEDGE_DELTA_OUT_OF_BOUNDS);
        fields.hedgeDelta = type(int24).min;
        _assertBreach(fields, Breach.HEDGE_DELTA_OUT_OF_BOUNDS);

        fields = _fields();
        fields.reserved = 1;
        _assertBreach(fields, Breach.PARAM_RESERVED_BITS);
        fields.reserved = 1 << 23;
        _assertBreach(fields, Breach.PARAM_RESERVED_BITS);
    }

    /// @dev Wherever the bad word stands, in an even and an odd number of words.
    function test_namesTheWord() public view {
        for (uint256 count = 1; count <= 7; ++count) {
            for (uint256 bad = 0; bad < count; ++bad) {
                bytes32[] memory words = new bytes32[](count);
                for (uint256 i = 0; i < count; ++i) {
                    WordPacker.Param memory fields = _fields();
                    if (i == bad) fields.bsDelta = -1e6 - 1;
                    words[i] = WordPacker.param(fields);
                }
                (Breach breach, uint256 index) = this.params(words);
                assertEq(uint8(breach), uint8(Breach.DELTA_OUT_OF_BOUNDS));
                assertEq(index, bad);
            }
        }
    }

    function test_forwards() public view {
        bytes32[] memory words = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            words[i] = WordPacker.forward(uint40(OBSERVED_AT + 1 + i), uint96(1 + i));
        }
        _assertForwards(words, Breach.NONE, 0);
        bytes32 good = words[1];
        words[1] |= bytes32(uint256(1) << 136);
        _assertForwards(words, Breach.FORWARD_RESERVED_BITS, 1);
        words[1] = good | bytes32(uint256(1) << 255);
        _assertForwards(words, Breach.FORWARD_RESERVED_BITS, 1);
        words[1] = WordPacker.forward(uint40(OBSERVED_AT + 2), 0);
        _assertForwards(words, Breach.FORWARD_ZERO, 1);
        words[1] = WordPacker.forward(uint40(OBSERVED_AT + 1), type(uint96).max);
        _assertForwards(words, Breach.EXPIRY_NOT_ASCENDING, 1);
        words[1] = good;
        words[0] = WordPacker.forward(uint40(OBSERVED_AT), type(uint96).max);
        _assertForwards(words, Breach.EXPIRY_PASSED, 0);
        words[0] = WordPacker.forward(0, 1);
        _assertForwards(words, Breach.EXPIRY_PASSED, 0);
        words[0] = WordPacker.forward(type(uint40).max, type(uint96).max);
        _assertForwards(words, Breach.EXPIRY_NOT_ASCENDING, 1);
    }

    /// @dev A jump is one beyond maxJump of the anchor, up or down, and nothing is where there is no anchor.
    function testFuzz_jump(
        uint96 forward,
        uint256 before,
        uint16 maxJump
    ) public view {
        forward = uint96(bound(forward, 1, type(uint96).max));
        bytes32[] memory words = new bytes32[](1);
        words[0] = WordPacker.forward(uint40(OBSERVED_AT + 1), forward);
        uint256 anchor = before % (1 << 52);
        uint256 first = forward >> 60 == 0 ? forward >> 8 : 0;
        uint256 move = first > anchor ? first - anchor : anchor - first;
        bool jumps = anchor != 0 && move * 10_000 > anchor * maxJump + 10_000;
        (Breach breach,) = this.forwards(words, anchor, maxJump);
        assertEq(uint8(breach), uint8(jumps ? Breach.FORWARD_JUMP : Breach.NONE));
    }

    function _assertAgrees(
        bytes32[] memory words
    ) private view {
        (Breach expected, uint256 place) = (Breach.NONE, 0);
        for (uint256 i = 0; i < words.length && expected == Breach.NONE; ++i) {
            (expected, place) = (Breaker.paramBreach(ParamWord.wrap(words[i])), i);
        }
        (Breach breach, uint256 index) = this.params(words);
        assertEq(uint8(breach), uint8(expected));
        assertEq(index, expected == Breach.NONE ? 0 : place);
    }

    function _edgeWord(
        uint256 seed
    ) private pure returns (bytes32) {
        WordPacker.Param memory fields = _fields();
        int256 nudge = int256((seed >> 16) % 3) - 1;
        uint256 which = seed % 16;
        if (which == 0) fields.iv = uint32(uint256(10_000 + nudge));
        if (which == 1) fields.iv = uint32(uint256(10_000 + (1 << 24) + nudge));
        if (which == 2) fields.bsDelta = int24(-1e6 + nudge);
        if (which == 3) fields.bsDelta = int24(-1e6 + (1 << 21) + nudge);
        if (which == 4) fields.hedgeDelta = int24(-(1 << 22) + nudge);
        if (which == 5) fields.hedgeDelta = int24((1 << 22) + nudge);
        if (which == 6) fields.bsDelta = int24(uint24(seed >> 32));
        if (which == 7) fields.hedgeDelta = int24(uint24(seed >> 32));
        // Fields without bounds, full: nothing may carry out of them.
        if (which == 8) (fields.gamma, fields.vega, fields.premium) = (type(uint40).max, type(uint32).max, 0);
        if (which == 9) (fields.maintenanceMargin, fields.initialMargin) = (type(uint24).max, type(uint24).max);
        return WordPacker.param(fields);
    }

    function _assertBreach(
        WordPacker.Param memory fields,
        Breach expected
    ) private view {
        bytes32[] memory words = new bytes32[](1);
        words[0] = WordPacker.param(fields);
        (Breach breach,) = this.params(words);
        assertEq(uint8(breach), uint8(expected));
    }

    function _assertForwards(
        bytes32[] memory words,
        Breach expected,
        uint256 place
    ) private view {
        (Breach breach, uint256 index) = this.forwards(words, 0, 1);
        assertEq(uint8(breach), uint8(expected));
        assertEq(index, place);
    }

    function _fields() private pure returns (WordPacker.Param memory) {
        return WordPacker.Param({
            iv: 650_000,
            bsDelta: -512_345,
            hedgeDelta: -498_765,
            gamma: 1_234_567,
            vega: 12_345_678,
            premium: 4_567_890,
            maintenanceMargin: 150_000,
            initialMargin: 200_000,
            reserved: 0
        });
    }
}
