// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Config} from "../ledger/Config.sol";
import {Tolerances} from "./IReportJudge.sol";

/// @title What a feed's members decide about it: callable by their contract alone
interface IGovernedFeed {
    /// @notice Stops the feed.
    function pause() external;

    /// @notice Ends a pause.
    function unpause() external;

    /// @notice Puts a group key in force; pending reports are dropped.
    function rotateGroupKey(
        address newGroupKey,
        uint64 newEpoch,
        uint256 overlap
    ) external;

    /// @notice Sets what is accepted and what it may be off by; pending reports are dropped.
    function setParameters(
        Config calldata newConfig,
        Tolerances calldata newTolerances
    ) external;
}
