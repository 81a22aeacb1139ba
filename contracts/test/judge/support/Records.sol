// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @dev Reads big-endian numbers out of a file of fixed-width records.
library Records {
    /// @param width In bytes, 1 to 32
    function unsigned(
        bytes memory file,
        uint256 offset,
        uint256 width
    ) internal pure returns (uint256 value) {
        for (uint256 i = 0; i < width; ++i) {
            value = value << 8 | uint8(file[offset + i]);
        }
    }

    /// @dev Two's complement.
    function signed(
        bytes memory file,
        uint256 offset,
        uint256 width
    ) internal pure returns (int256) {
        uint256 unused = 256 - 8 * width;
        return int256(unsigned(file, offset, width) << unused) >> unused;
    }
}
