// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Tolerances} from "../interfaces/IReportJudge.sol";

/// @notice {Tolerances} in 160 bits, its fields from the least significant bits on: compared and kept as one number.
type TolerancesWord is uint160;

using TolerancesWordLibrary for TolerancesWord global;

/// @title Packs and unpacks a {TolerancesWord}
library TolerancesWordLibrary {
    function pack(
        Tolerances memory tolerances
    ) internal pure returns (TolerancesWord) {
        return TolerancesWord.wrap(
            uint160(tolerances.delta) | (uint160(tolerances.gamma) << 24) | (uint160(tolerances.vega) << 48)
                | (uint160(tolerances.premium) << 72) | (uint160(tolerances.vol) << 96)
                | (uint160(tolerances.hedgeReach) << 120) | (uint160(tolerances.hedgeSlack) << 136)
        );
    }

    function unpack(
        TolerancesWord word
    ) internal pure returns (Tolerances memory) {
        uint160 raw = TolerancesWord.unwrap(word);
        return Tolerances({
            delta: uint24(raw),
            gamma: uint24(raw >> 24),
            vega: uint24(raw >> 48),
            premium: uint24(raw >> 72),
            vol: uint24(raw >> 96),
            hedgeReach: uint16(raw >> 120),
            hedgeSlack: uint24(raw >> 136)
        });
    }
}
