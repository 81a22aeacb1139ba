// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Reading} from "../interfaces/IHedgeFeed.sol";
import {ParamWordLibrary} from "../types/ParamWord.sol";

/// @notice What of an instrument a feed adapter answers with
/// @dev The number is part of every adapter's address: new ones are added at the end, none is ever renamed or moved.
enum Field {
    /// Annual volatility, 6 decimals
    IV,
    /// Black-76 delta, 6 decimals, signed
    BS_DELTA,
    /// Minimum-variance delta, 6 decimals, signed
    HEDGE_DELTA,
    /// forward * gamma: change of delta per relative move of the forward, 6 decimals
    GAMMA,
    /// vega / forward per 1.00 of volatility, 8 decimals
    VEGA,
    /// Undiscounted premium / forward, 8 decimals
    PREMIUM,
    /// Undiscounted premium in the quote currency, 8 decimals, rounded down
    PRICE,
    /// Fraction of the forward, 6 decimals
    MAINTENANCE_MARGIN,
    /// Fraction of the forward, 6 decimals
    INITIAL_MARGIN,
    /// Forward of the instrument's expiry in the quote currency, 8 decimals
    FORWARD
}

using FieldLibrary for Field global;

/// @title Takes a {Field} out of a {Reading}
library FieldLibrary {
    uint256 private constant _PREMIUM_UNIT = 1e8;

    /// @notice How many decimals the answers have
    function decimals(
        Field field
    ) internal pure returns (uint8) {
        if (field == Field.VEGA || field == Field.PREMIUM || field == Field.PRICE || field == Field.FORWARD) return 8;
        return 6;
    }

    /// @notice As the fields of {ParamWord} are called
    function name(
        Field field
    ) internal pure returns (string memory) {
        if (field == Field.IV) return "iv";
        if (field == Field.BS_DELTA) return "bsDelta";
        if (field == Field.HEDGE_DELTA) return "hedgeDelta";
        if (field == Field.GAMMA) return "gamma";
        if (field == Field.VEGA) return "vega";
        if (field == Field.PREMIUM) return "premium";
        if (field == Field.PRICE) return "price";
        if (field == Field.MAINTENANCE_MARGIN) return "maintenanceMargin";
        if (field == Field.INITIAL_MARGIN) return "initialMargin";
        return "forward";
    }

    /// @return present Whether the consortium computed it: a margin may be absent
    /// @return answer In units of 10^-{decimals}; 0 where it is absent
    function read(
        Field field,
        Reading memory reading
    ) internal pure returns (bool present, int256 answer) {
        present = true;
        if (field == Field.PRICE) {
            // 32 bits times 96 bits.
            answer = int256(uint256(reading.param.premium()) * reading.forward / _PREMIUM_UNIT);
        } else if (field == Field.IV) {
            answer = int256(uint256(reading.param.iv()));
        } else if (field == Field.HEDGE_DELTA) {
            answer = reading.param.hedgeDelta();
        } else if (field == Field.BS_DELTA) {
            answer = reading.param.bsDelta();
        } else if (field == Field.GAMMA) {
            answer = int256(uint256(reading.param.gamma()));
        } else if (field == Field.VEGA) {
            answer = int256(uint256(reading.param.vega()));
        } else if (field == Field.PREMIUM) {
            answer = int256(uint256(reading.param.premium()));
        } else if (field == Field.FORWARD) {
            answer = int256(uint256(reading.forward));
        } else {
            uint24 margin =
                field == Field.INITIAL_MARGIN ? reading.param.initialMargin() : reading.param.maintenanceMargin();
            present = margin != ParamWordLibrary.MARGIN_ABSENT;
            answer = present ? int256(uint256(margin)) : int256(0);
        }
    }
}
