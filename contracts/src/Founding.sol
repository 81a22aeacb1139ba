// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsortiumMembers} from "./interfaces/IConsortiumMembers.sol";
import {IReportJudge, Tolerances} from "./interfaces/IReportJudge.sol";
import {Config} from "./ledger/Config.sol";

/// @notice What a consortium is founded with
struct Founding {
    /// Its identity
    bytes32 consortium;
    /// Address of its group key
    address groupKey;
    /// The key's epoch
    uint64 epoch;
    /// The members' contract
    IConsortiumMembers members;
    /// What is accepted
    Config config;
    /// What it may be off by
    Tolerances tolerances;
    /// The laws' contract
    IReportJudge judge;
    /// Wei that a challenge by law needs beside it
    uint256 challengeBond;
    /// Where forfeited bonds go
    address sink;
}
