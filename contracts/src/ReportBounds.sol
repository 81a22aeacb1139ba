// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ForwardWord} from "./types/ForwardWord.sol";
import {ParamWord, ParamWordLibrary} from "./types/ParamWord.sol";

/// @notice What a settlement contract accepts.
/// @dev One storage slot.
struct Config {
    /// Seconds from observation to acceptance, at most
    uint32 maxAge;
    /// Seconds that an observation may lie ahead of the chain's clock
    uint32 maxFutureSkew;
    /// Seconds from observation to the end of validity, at most
    uint32 maxValidity;
    /// Instruments in one report, at most
    uint32 maxInstruments;
    /// 1e-6 of annual volatility, inclusive
    uint32 minVol;
    /// 1e-6 of annual volatility, inclusive
    uint32 maxVol;
    /// 1e-6, inclusive, of the hedge delta's absolute value
    uint24 maxHedgeDelta;
}

/// @title Rejects words out of bounds, naming word and value; clips nothing
library ReportBounds {
    /// 1e-6: a Black-76 delta lies within [-1, 1]
    int24 internal constant ONE = 1e6;

    error ForwardReservedBits(uint256 index);
    error ForwardZero(uint256 index);
    error ExpiryPassed(uint256 index, uint40 expiry, uint64 observedAt);
    error ExpiryNotAscending(uint256 index, uint40 expiry, uint40 previous);
    error ParamReservedBits(uint256 index);
    error VolOutOfBounds(uint256 index, uint32 iv);
    error DeltaOutOfBounds(uint256 index, int24 bsDelta);
    error HedgeDeltaOutOfBounds(uint256 index, int24 hedgeDelta);
    error MarginsInconsistent(uint256 index, uint24 maintenanceMargin, uint24 initialMargin);

    /// @param previous The expiry of the word before, or 0
    /// @return expiry This word's
    function checkForward(
        ForwardWord word,
        uint256 index,
        uint40 previous,
        uint64 observedAt
    ) internal pure returns (uint40 expiry) {
        expiry = word.expiry();
        if (word.reserved() != 0) revert ForwardReservedBits(index);
        if (word.forward() == 0) revert ForwardZero(index);
        if (expiry <= observedAt) revert ExpiryPassed(index, expiry, observedAt);
        if (expiry <= previous) revert ExpiryNotAscending(index, expiry, previous);
    }

    function checkParam(
        ParamWord word,
        uint256 index,
        Config memory config
    ) internal pure {
        if (word.reserved() != 0) revert ParamReservedBits(index);

        uint32 iv = word.iv();
        if (iv < config.minVol || iv > config.maxVol) revert VolOutOfBounds(index, iv);

        int24 bsDelta = word.bsDelta();
        if (bsDelta > ONE || bsDelta < -ONE) revert DeltaOutOfBounds(index, bsDelta);

        int256 hedgeDelta = word.hedgeDelta();
        int256 bound = int256(uint256(config.maxHedgeDelta));
        if (hedgeDelta > bound || hedgeDelta < -bound) revert HedgeDeltaOutOfBounds(index, int24(hedgeDelta));

        // Both computed, or neither: one all-ones field beside a number would read as an enormous or a missing margin.
        uint24 maintenance = word.maintenanceMargin();
        uint24 initial = word.initialMargin();
        if (
            initial < maintenance
                || (initial == ParamWordLibrary.MARGIN_ABSENT && maintenance != ParamWordLibrary.MARGIN_ABSENT)
        ) revert MarginsInconsistent(index, maintenance, initial);
    }
}
