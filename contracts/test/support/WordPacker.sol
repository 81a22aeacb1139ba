// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @dev Packs words by the compiler's own rule, independently of the shifts that read them.
library WordPacker {
    struct Param {
        uint32 iv;
        int24 bsDelta;
        int24 hedgeDelta;
        uint40 gamma;
        uint32 vega;
        uint32 premium;
        uint24 maintenanceMargin;
        uint24 initialMargin;
        uint24 reserved;
    }

    function param(
        Param memory fields
    ) internal pure returns (bytes32) {
        return (bytes32(
                abi.encodePacked(
                    fields.iv,
                    fields.bsDelta,
                    fields.hedgeDelta,
                    fields.gamma,
                    fields.vega,
                    fields.premium,
                    fields.maintenanceMargin,
                    fields.initialMargin,
                    fields.reserved
                )
            ));
    }

    function forward(
        uint40 expiry,
        uint96 value
    ) internal pure returns (bytes32) {
        return bytes32(abi.encodePacked(uint120(0), expiry, value));
    }
}
