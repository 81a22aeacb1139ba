// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../HedgeReport.sol";
import {IHedgeFeedProof} from "../interfaces/IHedgeFeedProof.sol";
import {ForwardWord} from "../types/ForwardWord.sol";
import {ParamWord} from "../types/ParamWord.sol";

/// @title A worked example: reads an instrument from a report that the caller hands in
/// @notice For words that the feed does not keep, or keeps no longer. The caller brings the whole report as calldata,
/// and nothing in it is believed before the feed has proved it.
/// @dev A proof says what a report said, not that it is the latest: the caller picks which one to bring. So this suits
/// what belongs to one moment, such as settling at an expiry; for anything that wants the present, ask {IHedgeFeed},
/// or bound `observedAt` from both sides.
library ProvenReading {
    error NotProven(uint256 sequence);
    error BookNotRegistered(bytes32 book);
    error NotInBook(uint256 instrumentId, bytes32 book);
    error ForwardOfAnotherExpiry(uint40 found, uint40 expiry);
    error ObservedOutside(uint64 observedAt, uint64 earliest, uint64 latest);

    /// @notice An instrument's parameters and its expiry's forward (1e-8 of the quote currency) in a proven report.
    /// @dev Reverts with this library's errors, and with a panic where the report has fewer words than the book.
    /// @param feed The consortium's ledger: the caller's own choice, never the submitter's
    /// @param report The whole report
    /// @param sequence Its number at the feed
    /// @param instrumentId The instrument's number there
    /// @param earliest Unix seconds: the market data must not be older
    /// @param latest Unix seconds: nor younger
    function read(
        IHedgeFeedProof feed,
        HedgeReport calldata report,
        uint256 sequence,
        uint256 instrumentId,
        uint64 earliest,
        uint64 latest
    ) internal view returns (ParamWord param, uint96 forward) {
        (, bool isFinal) = feed.proves(report, sequence);
        if (!isFinal) revert NotProven(sequence);
        if (report.observedAt < earliest || report.observedAt > latest) {
            revert ObservedOutside(report.observedAt, earliest, latest);
        }
        uint256 bookId = feed.bookIdOf(report.book);
        if (bookId == 0) revert BookNotRegistered(report.book);
        (bool found, uint256 index, uint256 expiryIndex) = feed.position(bookId, instrumentId);
        if (!found) revert NotInBook(instrumentId, report.book);
        // A digest says nothing of the words under it: that they fit the book is checked here.
        ForwardWord word = ForwardWord.wrap(report.forwards[expiryIndex]);
        uint40 expiry = feed.instrument(instrumentId).expiry();
        if (word.expiry() != expiry) revert ForwardOfAnotherExpiry(word.expiry(), expiry);
        return (ParamWord.wrap(report.params[index]), word.forward());
    }
}
