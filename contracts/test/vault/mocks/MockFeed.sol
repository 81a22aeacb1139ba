// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IHedgeFeed, Reading} from "../../../src/interfaces/IHedgeFeed.sol";
import {InstrumentWord} from "../../../src/types/InstrumentWord.sol";
import {ParamWord} from "../../../src/types/ParamWord.sol";
import {WordPacker} from "../../support/WordPacker.sol";

/// @dev A ledger whose reports are final at once and say what a test wants; each is about one or more instruments.
contract MockFeed is IHedgeFeed {
    InstrumentWord[] private _words;
    uint256 public latestSequence;
    bool public live = true;
    /// Every read fails, as of a feed whose code or chain is gone
    bool public broken;
    mapping(uint256 sequence => mapping(uint256 id => Reading)) private _readings;

    error NoInstrument(uint256 id);
    error Broken();

    function add(
        bytes12 underlying,
        uint8 kind,
        uint40 expiry,
        uint96 strike
    ) external returns (uint64 id) {
        _words.push(InstrumentWord.wrap(bytes32(abi.encodePacked(underlying, kind, expiry, strike, uint16(0)))));
        return uint64(_words.length);
    }

    /// @dev The next report, of which this is the first instrument.
    function report(
        uint256 id,
        uint96 forward,
        uint32 premium,
        uint24 maintenance,
        uint24 initial,
        uint64 observedAt
    ) external returns (uint256) {
        ++latestSequence;
        join(id, forward, premium, maintenance, initial, observedAt);
        return latestSequence;
    }

    /// @dev Another instrument of the latest report.
    function join(
        uint256 id,
        uint96 forward,
        uint32 premium,
        uint24 maintenance,
        uint24 initial,
        uint64 observedAt
    ) public {
        _readings[latestSequence][id] = Reading({
            param: ParamWord.wrap(
                WordPacker.param(WordPacker.Param(650_000, 0, 0, 0, 0, premium, maintenance, initial, 0))
            ),
            forward: forward,
            sequence: uint32(latestSequence),
            round: uint64(latestSequence),
            observedAt: observedAt,
            validUntil: observedAt + 1 hours,
            acceptedAt: observedAt
        });
    }

    /// @dev The next report, of a book without any instrument that a test asks for.
    function reportNothing() external {
        ++latestSequence;
    }

    function setLive(
        bool value
    ) external {
        live = value;
    }

    function setBroken(
        bool value
    ) external {
        broken = value;
    }

    function reading(
        uint256 id
    ) external view returns (Reading memory) {
        return readingAt(id, latestSequence);
    }

    function isLive() external view returns (bool) {
        if (broken) revert Broken();
        return live;
    }

    function instrument(
        uint256 id
    ) external view returns (InstrumentWord) {
        if (broken) revert Broken();
        if (id == 0 || id > _words.length) revert NoInstrument(id);
        return _words[id - 1];
    }

    function readingAt(
        uint256 id,
        uint256 sequence
    ) public view returns (Reading memory result) {
        if (broken) revert Broken();
        result = _readings[sequence][id];
        if (result.sequence == 0) revert NoReading(id, sequence);
    }

    // The vault asks for none of these.

    function register(
        InstrumentWord[] calldata
    ) external pure returns (uint256[] memory) {
        revert Broken();
    }

    function registerBook(
        uint256[] calldata
    ) external pure returns (uint256) {
        revert Broken();
    }

    function idOf(
        InstrumentWord
    ) external pure returns (uint256) {
        revert Broken();
    }

    function bookIdOf(
        bytes32
    ) external pure returns (uint256) {
        revert Broken();
    }

    function position(
        uint256,
        uint256
    ) external pure returns (bool, uint256, uint256) {
        revert Broken();
    }
}
