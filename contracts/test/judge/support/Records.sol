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
        require(offset + width <= file.length, "beyond the end of the file");
        assembly ("memory-safe") {
            value := shr(sub(256, mul(8, width)), mload(add(add(file, 0x20), offset)))
        }
    }

    function signed(
        bytes memory file,
        uint256 offset,
        uint256 width
    ) internal pure returns (int256 value) {
        uint256 raw = unsigned(file, offset, width);
        assembly ("memory-safe") {
            value := signextend(sub(width, 1), raw)
        }
    }
}
