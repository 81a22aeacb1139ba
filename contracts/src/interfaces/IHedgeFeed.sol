// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ParamWord} from "../types/ParamWord.sol";
import {IInstrumentRegistry} from "./IInstrumentRegistry.sol";

/// @notice One instrument in one final report
struct Reading {
    /// The instrument's parameters
    ParamWord param;
    /// 1e-8 of the quote currency: the forward of its expiry
    uint96 forward;
    /// Contiguous number of the stored report, from 1 on; final ones are never renumbered
    uint32 sequence;
    /// The consortium's number of the round
    uint64 round;
    /// Unix seconds: the market data's time
    uint64 observedAt;
    /// Unix seconds: nobody should rely on it afterwards
    uint64 validUntil;
    /// Unix seconds: when the chain took it
    uint64 acceptedAt;
}

/// @title What contracts read from a consortium's ledger: final, stored reports only
/// @notice A report is final once its challenge window has passed without a proof against it. Readings of final
/// reports never change and never go away silently: they leave by age alone.
interface IHedgeFeed is IInstrumentRegistry {
    error NoReading(uint256 instrumentId, uint256 sequence);

    /// @notice The latest final reading of an instrument.
    /// @dev Reverts with `NoReading` before the first final stored report, or where the latest one's book lacks the
    /// instrument. It may have expired: compare `validUntil`, and ask {isLive}.
    function reading(
        uint256 instrumentId
    ) external view returns (Reading memory);

    /// @notice The reading of an instrument in stored report `sequence`.
    /// @dev Reverts with `NoReading` where that report is not final, is no longer kept, or lacks the instrument.
    function readingAt(
        uint256 instrumentId,
        uint256 sequence
    ) external view returns (Reading memory);

    /// @return The number of the latest final stored report, 0 before the first
    function latestSequence() external view returns (uint256);

    /// @return Whether reports are taken now: not paused, not stopped by a proof of fraud, not flagged by the breaker
    function isLive() external view returns (bool);
}
