// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What a settlement contract accepts, and when it counts.
/// @dev One storage slot. The limits of each field are in {ConfigLibrary}.
struct Config {
    /// Seconds from observation to acceptance, at most
    uint16 maxAge;
    /// Seconds that an observation may lie ahead of the chain's clock
    uint16 maxFutureSkew;
    /// Seconds from observation to the end of validity, at most
    uint24 maxValidity;
    /// Seconds from acceptance until a report is final: below maxValidity, or no report would be valid when it is
    /// final
    uint24 challengeWindow;
    /// Instruments in one report, at most
    uint16 maxInstruments;
    /// 1e-4: how far the first expiry's forward may move from one accepted report to the next
    uint16 maxJump;
    /// Seconds after which the last accepted report no longer says where the forward should be
    uint16 jumpHorizon;
}

/// @title Limits of a {Config}
library ConfigLibrary {
    /// @notice No configuration allows more instruments than this
    uint256 internal constant INSTRUMENTS_LIMIT = 1024;
    /// @notice Nor a longer challenge window, in seconds: a bond's unbonding delay must be longer
    uint256 internal constant WINDOW_LIMIT = 7 days;
    /// @notice Nor a greater age or skew: {SnapshotHeader} keeps their difference in 20 bits
    uint256 internal constant SKEW_LIMIT = 1 hours;

    error ConfigInvalid();

    function check(
        Config memory config
    ) internal pure {
        if (
            config.maxAge == 0 || config.maxFutureSkew > SKEW_LIMIT || config.maxValidity == 0
                || config.challengeWindow >= config.maxValidity || config.challengeWindow == 0
                || config.challengeWindow > WINDOW_LIMIT || config.maxInstruments == 0
                || config.maxInstruments > INSTRUMENTS_LIMIT || config.maxJump == 0 || config.jumpHorizon == 0
        ) revert ConfigInvalid();
    }
}
