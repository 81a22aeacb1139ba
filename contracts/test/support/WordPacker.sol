// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentWord} from "../../src/types/InstrumentWord.sol";

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

    function instrument(
        bytes12 underlying,
        uint8 kind,
        uint40 expiry,
        uint96 strike
    ) internal pure returns (InstrumentWord) {
        return InstrumentWord.wrap(bytes32(abi.encodePacked(underlying, kind, expiry, strike, uint16(0))));
    }

    function book(
        InstrumentWord[] memory words
    ) internal pure returns (bytes32) {
        bytes memory joined;
        for (uint256 i = 0; i < words.length; ++i) {
            joined = abi.encodePacked(joined, InstrumentWord.unwrap(words[i]));
        }
        return keccak256(joined);
    }
}
