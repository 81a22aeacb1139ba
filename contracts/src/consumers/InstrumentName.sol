// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentWord, InstrumentWordLibrary} from "../types/InstrumentWord.sol";
import {DateTimeLib} from "solady/utils/DateTimeLib.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @title Writes an instrument as a desk would: "BTC 28-MAR-2027 90000 C"
library InstrumentName {
    string private constant _MONTHS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
    uint256 private constant _STRIKE_UNIT = 1e8;
    uint256 private constant _STRIKE_DIGITS = 8;
    /// @dev The hour at which the listed market's options expire, 08:00 UTC; any other is written out.
    uint256 private constant _USUAL_HOUR = 8;

    /// @notice Underlying, expiry in UTC, strike in the quote currency, call or put.
    /// @dev Different instruments have different names: the time of day is left out at 08:00:00 only, because anyone
    /// may register an option that expires one second later than the listed one.
    function write(
        InstrumentWord word
    ) internal pure returns (string memory) {
        return string.concat(
            LibString.fromSmallString(bytes32(word.underlying())),
            " ",
            _expiry(word.expiry()),
            " ",
            _strike(word.strike()),
            word.kind() == InstrumentWordLibrary.CALL ? " C" : " P"
        );
    }

    function _expiry(
        uint256 timestamp
    ) private pure returns (string memory date) {
        (uint256 year, uint256 month, uint256 day, uint256 hour, uint256 minute, uint256 second) =
            DateTimeLib.timestampToDateTime(timestamp);
        date = string.concat(
            _twoDigits(day), "-", LibString.slice(_MONTHS, 3 * month - 3, 3 * month), "-", LibString.toString(year)
        );
        if (hour == _USUAL_HOUR && minute == 0 && second == 0) return date;
        return string.concat(date, " ", _twoDigits(hour), ":", _twoDigits(minute), ":", _twoDigits(second));
    }

    function _strike(
        uint256 strike
    ) private pure returns (string memory whole) {
        whole = LibString.toString(strike / _STRIKE_UNIT);
        uint256 fraction = strike % _STRIKE_UNIT;
        if (fraction == 0) return whole;
        uint256 digits = _STRIKE_DIGITS;
        for (; fraction % 10 == 0; fraction /= 10) {
            --digits;
        }
        // A one in front keeps the zeros that follow the point.
        return string.concat(whole, ".", LibString.slice(LibString.toString(10 ** digits + fraction), 1));
    }

    function _twoDigits(
        uint256 value
    ) private pure returns (string memory) {
        return LibString.slice(LibString.toString(100 + value), 1);
    }
}
