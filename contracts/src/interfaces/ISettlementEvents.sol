// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Breach} from "../ledger/Breaker.sol";
import {FeedState} from "../types/FeedState.sol";
import {ReportHead} from "../types/ReportHead.sol";

/// @title What the ledger says when it takes a report, and why it does not
interface ISettlementEvents {
    /// @param state The state with it, {FeedState}: round, times and numbers
    event ReportAccepted(bytes32 indexed digest, FeedState state);
    event ReportStored(bytes32 indexed digest, uint256 stored);
    event ReportRejected(uint256 indexed round, bytes32 indexed digest, Breach breach, uint256 index);
    event Paused();
    event Unpaused();

    error NotMembers(address account);
    error FeedPaused();
    error FeedNotPaused();
    error ReportNotAccepted(bytes32 digest, uint256 sequence);
    error HeadReservedBits(ReportHead head);
    error RoundNotNewer(uint256 round, uint256 latest);
    error ObservedInFuture(uint256 observedAt, uint256 timestamp);
    error ReportTooOld(uint256 observedAt, uint256 timestamp);
    error ReportExpired(uint256 validUntil, uint256 timestamp);
    error ValidityOutOfBounds(uint256 validFor, uint256 maximum);
    error ObservedBeforePrevious(uint256 observedAt, uint256 previous);
    error InstrumentCountOutOfBounds(uint256 instruments, uint256 maximum);
    error ExpiryCountOutOfBounds(uint256 expiries, uint256 maximum);
    error DelayShorterThanWindow(uint256 delay, uint256 window);
}
