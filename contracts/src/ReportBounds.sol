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
    /// Instruments in one report, at most. EIP-7825's cap of 2^24 gas a transaction is reached by about 710 words,
    /// params and forwards together, in storage that was never written before; overwriting costs a quarter of that
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
    /// @dev The bounds of a param word, taken out of the packed {Config} once for all words
    struct Limits {
        uint256 minVol;
        uint256 maxVol;
        int256 minHedgeDelta;
        int256 maxHedgeDelta;
    }

    // 1e-6: a Black-76 delta lies within [-1, 1]
    int256 private constant _ONE = 1e6;
    int256 private constant _MINUS_ONE = -1e6;

    error ForwardReservedBits(uint256 index);
    error ForwardZero(uint256 index);
    error ExpiryPassed(uint256 index, uint40 expiry, uint64 observedAt);
    error ExpiryNotAscending(uint256 index, uint40 expiry, uint40 previous);
    error ParamReservedBits(uint256 index);
    error VolOutOfBounds(uint256 index, uint32 iv);
    error DeltaOutOfBounds(uint256 index, int24 bsDelta);
    error HedgeDeltaOutOfBounds(uint256 index, int24 hedgeDelta);
    error MarginsInconsistent(uint256 index, uint24 maintenanceMargin, uint24 initialMargin);

    function limitsOf(
        Config memory config
    ) internal pure returns (Limits memory) {
        int256 hedgeDelta = int256(uint256(config.maxHedgeDelta));
        return
            Limits({
                minVol: config.minVol, maxVol: config.maxVol, minHedgeDelta: -hedgeDelta, maxHedgeDelta: hedgeDelta
            });
    }

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
        Limits memory limits
    ) internal pure {
        if (word.reserved() != 0) revert ParamReservedBits(index);

        uint256 iv = word.iv();
        if (iv < limits.minVol || iv > limits.maxVol) revert VolOutOfBounds(index, uint32(iv));

        int256 bsDelta = word.bsDelta();
        if (bsDelta > _ONE || bsDelta < _MINUS_ONE) revert DeltaOutOfBounds(index, int24(bsDelta));

        int256 hedgeDelta = word.hedgeDelta();
        if (hedgeDelta > limits.maxHedgeDelta || hedgeDelta < limits.minHedgeDelta) {
            revert HedgeDeltaOutOfBounds(index, int24(hedgeDelta));
        }

        // Both computed, or neither: one all-ones field beside a number would read as an enormous or a missing margin.
        uint256 maintenance = word.maintenanceMargin();
        uint256 initial = word.initialMargin();
        if (
            initial < maintenance
                || (initial == ParamWordLibrary.MARGIN_ABSENT && maintenance != ParamWordLibrary.MARGIN_ABSENT)
        ) revert MarginsInconsistent(index, uint24(maintenance), uint24(initial));
    }
}
