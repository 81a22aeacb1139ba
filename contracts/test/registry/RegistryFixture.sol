// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentRegistry} from "../../src/registry/InstrumentRegistry.sol";
import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {Test} from "forge-std/Test.sol";

/// @dev The registry by itself, with a window into what it keeps of a book.
contract Registry is InstrumentRegistry {
    function bookOf(
        bytes32 book
    ) external view returns (Book memory) {
        return _bookOf(book);
    }

    function expiriesDigest(
        bytes32[] calldata forwards
    ) external pure returns (uint200) {
        return _expiriesDigest(forwards);
    }
}

abstract contract RegistryFixture is Test {
    uint40 internal constant EXPIRY = 1_800_000_000;

    Registry internal registry;

    function setUp() public virtual {
        registry = new Registry();
    }

    function _call(
        uint40 expiry,
        uint256 strike
    ) internal pure returns (InstrumentWord) {
        return WordPacker.instrument("BTC", 1, expiry, uint96(strike));
    }

    function _registerOne(
        InstrumentWord word
    ) internal returns (uint256) {
        return registry.register(_only(word))[0];
    }

    function _only(
        InstrumentWord word
    ) internal pure returns (InstrumentWord[] memory words) {
        words = new InstrumentWord[](1);
        words[0] = word;
    }

    /// @dev Registers `count` calls of one expiry, strikes from 1 on.
    function _registerCalls(
        uint256 count
    ) internal returns (uint256[] memory ids, InstrumentWord[] memory words) {
        words = new InstrumentWord[](count);
        for (uint256 i = 0; i < count; ++i) {
            words[i] = _call(EXPIRY, i + 1);
        }
        ids = registry.register(words);
    }
}
