// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Who proved that a consortium lied
interface ISlashable {
    /// @notice The last epoch whose key was proved to have lied, 0 where none was
    function lastSlashedEpoch() external view returns (uint64);

    /// @notice Who proved that an epoch's key lied, zero where nobody did
    function challengerOf(
        uint64 slashedEpoch
    ) external view returns (address);
}
