// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentWord} from "../types/InstrumentWord.sol";

/// @title Instruments by number, and the books that list them
/// @notice Open to anyone: an instrument's id and a book's id say for ever what they were first registered for.
interface IInstrumentRegistry {
    event InstrumentRegistered(uint256 indexed id, InstrumentWord word);
    event BookRegistered(uint256 indexed bookId, bytes32 indexed book, uint256 instruments);

    /// @notice Gives ids to instruments that have none, from 1 on, and the known ids of those that have.
    /// @dev Reverts on a word that is no instrument.
    function register(
        InstrumentWord[] calldata words
    ) external returns (uint256[] memory ids);

    /// @notice Registers the book of these instruments, in this order, so that reports about it can be stored, read by
    /// instrument and challenged. Gives its id, the known one where it is registered already.
    function registerBook(
        uint256[] calldata ids
    ) external returns (uint256 bookId);

    /// @return The instrument; reverts where there is none of that id
    function instrument(
        uint256 id
    ) external view returns (InstrumentWord);

    /// @return Its id, 0 where it is not registered
    function idOf(
        InstrumentWord word
    ) external view returns (uint256);

    /// @return The id of the book whose instrument words hash to `book`, 0 where it is not registered
    function bookIdOf(
        bytes32 book
    ) external view returns (uint256);

    /// @notice Where an instrument stands in a book.
    /// @return found Whether the book has it
    /// @return index Of its param word in a report about that book
    /// @return expiryIndex Of its forward word
    function position(
        uint256 bookId,
        uint256 id
    ) external view returns (bool found, uint256 index, uint256 expiryIndex);
}
