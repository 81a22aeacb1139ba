// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Config} from "../ledger/Config.sol";

/// @notice A {Config} in one word, its fields from the least significant bits on, as the compiler packs the struct.
type PackedConfig is uint256;

using PackedConfigLibrary for PackedConfig global;

/// @title Packs and reads a {PackedConfig}: reading a field costs a shift, unpacking the struct 500 gas
library PackedConfigLibrary {
    function pack(
        Config memory config
    ) internal pure returns (PackedConfig) {
        return PackedConfig.wrap(
            uint256(config.maxAge) | (uint256(config.maxFutureSkew) << 16) | (uint256(config.maxValidity) << 32)
                | (uint256(config.challengeWindow) << 56) | (uint256(config.maxInstruments) << 80)
                | (uint256(config.maxJump) << 96) | (uint256(config.jumpHorizon) << 112)
        );
    }

    function unpack(
        PackedConfig config
    ) internal pure returns (Config memory) {
        return Config({
            maxAge: uint16(maxAge(config)),
            maxFutureSkew: uint16(maxFutureSkew(config)),
            maxValidity: uint24(maxValidity(config)),
            challengeWindow: uint24(challengeWindow(config)),
            maxInstruments: uint16(maxInstruments(config)),
            maxJump: uint16(maxJump(config)),
            jumpHorizon: uint16(jumpHorizon(config))
        });
    }

    function maxAge(
        PackedConfig config
    ) internal pure returns (uint256) {
        return PackedConfig.unwrap(config) & type(uint16).max;
    }

    function maxFutureSkew(
        PackedConfig config
    ) internal pure returns (uint256) {
        return (PackedConfig.unwrap(config) >> 16) & type(uint16).max;
    }

    function maxValidity(
        PackedConfig config
    ) internal pure returns (uint256) {
        return (PackedConfig.unwrap(config) >> 32) & type(uint24).max;
    }

    function challengeWindow(
        PackedConfig config
    ) internal pure returns (uint256) {
        return (PackedConfig.unwrap(config) >> 56) & type(uint24).max;
    }

    function maxInstruments(
        PackedConfig config
    ) internal pure returns (uint256) {
        return (PackedConfig.unwrap(config) >> 80) & type(uint16).max;
    }

    function maxJump(
        PackedConfig config
    ) internal pure returns (uint256) {
        return (PackedConfig.unwrap(config) >> 96) & type(uint16).max;
    }

    function jumpHorizon(
        PackedConfig config
    ) internal pure returns (uint256) {
        return (PackedConfig.unwrap(config) >> 112) & type(uint16).max;
    }
}
