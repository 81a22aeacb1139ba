// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IHedgeFeed, Reading} from "../../src/interfaces/IHedgeFeed.sol";
import {ForwardWord} from "../../src/types/ForwardWord.sol";
import {InstrumentWord, InstrumentWordLibrary} from "../../src/types/InstrumentWord.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";

/// @dev What {IHedgeFeed} promises, without signatures and proofs: whoever publishes is believed. Reports become final
/// after a window, and only the last `KEPT` are kept, so that consumers meet what they meet at the ledger.
contract MockFeed is IHedgeFeed {
    struct Stored {
        uint256 bookId;
        uint64 round;
        uint64 observedAt;
        uint64 validUntil;
        uint64 acceptedAt;
        bytes32[] forwards;
        bytes32[] params;
    }

    uint256 public immutable KEPT;
    uint256 public immutable WINDOW;

    bool public isLive = true;

    InstrumentWord[] private _instruments;
    mapping(InstrumentWord => uint256) private _ids;
    uint256[][] private _books;
    mapping(bytes32 => uint256) private _bookIds;
    Stored[] private _reports;

    error NoInstrument(uint256 id);

    constructor(
        uint256 kept,
        uint256 window
    ) {
        KEPT = kept;
        WINDOW = window;
    }

    function setLive(
        bool live
    ) external {
        isLive = live;
    }

    function publish(
        uint256 bookId,
        uint64 round,
        uint64 observedAt,
        uint64 validUntil,
        bytes32[] calldata forwards,
        bytes32[] calldata params
    ) external returns (uint256 sequence) {
        require(params.length == _books[bookId - 1].length, "one param per instrument");
        _reports.push(Stored(bookId, round, observedAt, validUntil, uint64(block.timestamp), forwards, params));
        return _reports.length;
    }

    function register(
        InstrumentWord[] calldata words
    ) external returns (uint256[] memory ids) {
        ids = new uint256[](words.length);
        for (uint256 i = 0; i < words.length; ++i) {
            if (_ids[words[i]] == 0) {
                _instruments.push(words[i]);
                _ids[words[i]] = _instruments.length;
                emit InstrumentRegistered(_instruments.length, words[i]);
            }
            ids[i] = _ids[words[i]];
        }
    }

    function registerBook(
        uint256[] calldata ids
    ) external returns (uint256 bookId) {
        InstrumentWord[] memory words = new InstrumentWord[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            words[i] = instrument(ids[i]);
        }
        bytes32 book = InstrumentWordLibrary.bookHash(words);
        if (_bookIds[book] == 0) {
            _books.push(ids);
            _bookIds[book] = _books.length;
            emit BookRegistered(_books.length, book, ids.length);
        }
        return _bookIds[book];
    }

    function reading(
        uint256 instrumentId
    ) external view returns (Reading memory) {
        return readingAt(instrumentId, latestSequence());
    }

    function idOf(
        InstrumentWord word
    ) external view returns (uint256) {
        return _ids[word];
    }

    function bookIdOf(
        bytes32 book
    ) external view returns (uint256) {
        return _bookIds[book];
    }

    function readingAt(
        uint256 instrumentId,
        uint256 sequence
    ) public view returns (Reading memory) {
        uint256 latest = latestSequence();
        if (sequence == 0 || sequence > latest || sequence + KEPT <= latest) {
            revert NoReading(instrumentId, sequence);
        }
        Stored storage report = _reports[sequence - 1];
        (bool found, uint256 index, uint256 expiryIndex) = position(report.bookId, instrumentId);
        if (!found) revert NoReading(instrumentId, sequence);
        return Reading({
            param: ParamWord.wrap(report.params[index]),
            forward: ForwardWord.wrap(report.forwards[expiryIndex]).forward(),
            sequence: uint32(sequence),
            round: report.round,
            observedAt: report.observedAt,
            validUntil: report.validUntil,
            acceptedAt: report.acceptedAt
        });
    }

    function latestSequence() public view returns (uint256 sequence) {
        sequence = _reports.length;
        while (sequence > 0 && block.timestamp < _reports[sequence - 1].acceptedAt + WINDOW) {
            --sequence;
        }
    }

    function instrument(
        uint256 id
    ) public view returns (InstrumentWord) {
        if (id == 0 || id > _instruments.length) revert NoInstrument(id);
        return _instruments[id - 1];
    }

    /// @dev Expiries count in the order in which the book names them first.
    function position(
        uint256 bookId,
        uint256 id
    ) public view returns (bool found, uint256 index, uint256 expiryIndex) {
        uint256[] storage ids = _books[bookId - 1];
        uint40 previous = 0;
        for (; index < ids.length; ++index) {
            uint40 expiry = instrument(ids[index]).expiry();
            if (index > 0 && expiry != previous) ++expiryIndex;
            if (ids[index] == id) return (true, index, expiryIndex);
            previous = expiry;
        }
        return (false, 0, 0);
    }
}
