// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IInstrumentRegistry} from "../interfaces/IInstrumentRegistry.sol";
import {InstrumentWord, InstrumentWordLibrary} from "../types/InstrumentWord.sol";

/// @title Instruments by number, and the books that list them
/// @notice Open to anyone and without an owner: an id says for ever what it was first registered for.
abstract contract InstrumentRegistry is IInstrumentRegistry {
    /// @dev One slot. The digest of the expiries is cut to what is left of it: whoever registers a book gains nothing
    /// from two lists of expiries with one digest, because a report about it is signed with the forwards' expiries in
    /// it.
    struct Book {
        uint32 id;
        uint16 instruments;
        uint8 expiries;
        uint200 expiriesDigest;
    }

    /// @notice No book lists more instruments
    uint256 public constant BOOK_LIMIT = 1024;
    /// @notice No book lists more expiries
    uint256 public constant EXPIRIES_LIMIT = 64;
    // A stored report's header keeps 28 bits of a book's id.
    uint256 private constant _BOOKS_LIMIT = (1 << 28) - 1;

    // A place in a book is 32 bits, eight to a slot: bit 31 says that it is one, then 16 bits of index, 8 of expiry
    // index.
    uint256 private constant _PLACE = 1 << 31;
    uint256 private constant _PLACES_PER_SLOT = 8;

    uint256 private _instrumentCount;
    uint256 private _bookCount;
    mapping(uint256 id => InstrumentWord) private _words;
    mapping(InstrumentWord word => uint256 id) private _ids;
    mapping(bytes32 book => Book) private _books;
    mapping(uint256 bookId => mapping(uint256 group => uint256 places)) private _places;

    error NotAnInstrument(uint256 index, InstrumentWord word);
    error UnknownInstrument(uint256 id);
    error BookSizeOutOfRange(uint256 instruments, uint256 maximum);
    error InstrumentTwice(uint256 index, uint256 id);
    error OtherUnderlying(uint256 index, uint256 id);
    error ExpiriesNotAscending(uint256 index, uint256 id);
    error TooManyExpiries(uint256 maximum);
    error TooManyBooks(uint256 maximum);

    /// @inheritdoc IInstrumentRegistry
    function register(
        InstrumentWord[] calldata words
    ) external returns (uint256[] memory ids) {
        ids = new uint256[](words.length);
        uint256 count = _instrumentCount;
        for (uint256 i = 0; i < words.length; ++i) {
            InstrumentWord word = words[i];
            uint256 id = _ids[word];
            if (id == 0) {
                if (!_isInstrument(word)) revert NotAnInstrument(i, word);
                id = ++count;
                _ids[word] = id;
                _words[id] = word;
                emit InstrumentRegistered(id, word);
            }
            ids[i] = id;
        }
        _instrumentCount = count;
    }

    /// @inheritdoc IInstrumentRegistry
    /// @dev One underlying, expiries ascending, no instrument twice: as members check it before they compute.
    function registerBook(
        uint256[] calldata ids
    ) external returns (uint256 bookId) {
        uint256 count = ids.length;
        if (count == 0 || count > BOOK_LIMIT) revert BookSizeOutOfRange(count, BOOK_LIMIT);
        bytes32[] memory words = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            words[i] = InstrumentWord.unwrap(instrument(ids[i]));
        }
        bytes32 book = keccak256(abi.encodePacked(words));
        bookId = _books[book].id;
        if (bookId != 0) return bookId;

        bookId = ++_bookCount;
        if (bookId > _BOOKS_LIMIT) revert TooManyBooks(_BOOKS_LIMIT);
        (uint256 expiries, uint200 digest) = _place(bookId, ids, words);
        _books[book] =
            Book({id: uint32(bookId), instruments: uint16(count), expiries: uint8(expiries), expiriesDigest: digest});
        emit BookRegistered(bookId, book, count);
    }

    /// @inheritdoc IInstrumentRegistry
    function idOf(
        InstrumentWord word
    ) external view returns (uint256) {
        return _ids[word];
    }

    /// @inheritdoc IInstrumentRegistry
    function bookIdOf(
        bytes32 book
    ) external view returns (uint256) {
        return _books[book].id;
    }

    /// @inheritdoc IInstrumentRegistry
    function instrument(
        uint256 id
    ) public view returns (InstrumentWord word) {
        word = _words[id];
        if (InstrumentWord.unwrap(word) == bytes32(0)) revert UnknownInstrument(id);
    }

    /// @inheritdoc IInstrumentRegistry
    function position(
        uint256 bookId,
        uint256 id
    ) public view returns (bool found, uint256 index, uint256 expiryIndex) {
        uint256 place = (_places[bookId][id / _PLACES_PER_SLOT] >> (32 * (id % _PLACES_PER_SLOT))) & type(uint32).max;
        return (place & _PLACE != 0, (place >> 8) & type(uint16).max, place & type(uint8).max);
    }

    function _bookOf(
        bytes32 book
    ) internal view returns (Book memory) {
        return _books[book];
    }

    /// @dev What {Book} keeps of a book's expiries, from a report's forward words.
    function _expiriesDigest(
        bytes32[] calldata forwards
    ) internal pure returns (uint200 digest) {
        assembly ("memory-safe") {
            // An expiry a word, beyond the free memory pointer.
            let scratch := mload(0x40)
            let size := shl(5, forwards.length)
            for { let i := 0 } lt(i, size) { i := add(i, 0x20) } {
                mstore(add(scratch, i), and(shr(96, calldataload(add(forwards.offset, i))), 0xffffffffff))
            }
            digest := shr(56, shl(56, keccak256(scratch, size)))
        }
    }

    function _place(
        uint256 bookId,
        uint256[] calldata ids,
        bytes32[] memory words
    ) private returns (uint256 expiries, uint200 digest) {
        uint256[] memory seen = new uint256[](EXPIRIES_LIMIT);
        bytes12 underlying = InstrumentWord.wrap(words[0]).underlying();
        for (uint256 i = 0; i < ids.length; ++i) {
            InstrumentWord word = InstrumentWord.wrap(words[i]);
            uint256 expiry = word.expiry();
            if (word.underlying() != underlying) revert OtherUnderlying(i, ids[i]);
            if (expiries == 0 || expiry != seen[expiries - 1]) {
                if (expiries != 0 && expiry < seen[expiries - 1]) revert ExpiriesNotAscending(i, ids[i]);
                if (expiries == EXPIRIES_LIMIT) revert TooManyExpiries(EXPIRIES_LIMIT);
                seen[expiries++] = expiry;
            }
            if (!_put(bookId, ids[i], (i << 8) | (expiries - 1))) revert InstrumentTwice(i, ids[i]);
        }
        assembly ("memory-safe") {
            // Cut to the expiries that there are.
            mstore(seen, expiries)
        }
        digest = uint200(uint256(keccak256(abi.encodePacked(seen))));
    }

    /// @return Whether the place was free
    function _put(
        uint256 bookId,
        uint256 id,
        uint256 place
    ) private returns (bool) {
        uint256 group = id / _PLACES_PER_SLOT;
        uint256 shift = 32 * (id % _PLACES_PER_SLOT);
        uint256 places = _places[bookId][group];
        if ((places >> shift) & _PLACE != 0) return false;
        _places[bookId][group] = places | ((_PLACE | place) << shift);
        return true;
    }

    function _isInstrument(
        InstrumentWord word
    ) private pure returns (bool) {
        uint8 kind = word.kind();
        return word.underlying() != bytes12(0) && word.expiry() != 0 && word.strike() != 0 && word.reserved() == 0
            && (kind == InstrumentWordLibrary.CALL || kind == InstrumentWordLibrary.PUT);
    }
}
