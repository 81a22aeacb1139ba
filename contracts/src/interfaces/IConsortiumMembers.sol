// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title What a feed asks of its members' contract
interface IConsortiumMembers {
    /// @notice Seconds from an action's scheduling until it can be carried out
    function actionDelay() external view returns (uint256);
}
