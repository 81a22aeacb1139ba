// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit} from "../../src/interfaces/IReportJudge.sol";
import {RangeLaw} from "../../src/judge/laws/RangeLaw.sol";
import {ForwardWord} from "../../src/types/ForwardWord.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";

/// @dev For all words there are, proved by Halmos (`contracts/scripts/toolchain.py halmos`); no test that forge runs.
contract RangeProofs {
    uint24 private constant ABSENT = type(uint24).max;

    /// @dev A delta is guilty exactly where it is beyond [0, 1], or [-1, 0].
    function check_delta(
        bool call,
        int24 delta
    ) external pure {
        bool within = call ? delta >= 0 && delta <= 1e6 : delta <= 0 && delta >= -1e6;
        assert(RangeLaw.deltaBreaks(call, delta) != within);
    }

    /// @dev Margins are right exactly where both are absent, or both are there and in order.
    function check_margins(
        uint24 maintenance,
        uint24 initial
    ) external pure {
        bool right = (maintenance == ABSENT && initial == ABSENT)
            || (maintenance != ABSENT && initial != ABSENT && maintenance <= initial);
        assert(RangeLaw.marginsBreak(maintenance, initial) != right);
    }

    /// @dev A premium that an option can be worth is innocent at the greatest tolerance that may be set, where the
    /// law's arithmetic would wrap first. Without a tolerance no solver ended within two minutes.
    function check_premiumWithinAtTheCeiling(
        bool call,
        uint32 premium,
        uint96 strike,
        uint96 forward
    ) external pure {
        _premiumWithin(call, premium, strike, forward, 20_000);
    }

    /// @dev A premium beyond that by more than the tolerance and a unit is guilty.
    function check_premiumBeyond(
        bool call,
        uint32 premium,
        uint96 strike,
        uint96 forward,
        uint24 tolerance
    ) external pure {
        uint256 paid = uint256(premium) * forward;
        uint256 most = uint256(call ? forward : strike) * 1e8;
        uint256 given = uint256(call ? strike : forward) * 1e8;
        uint256 slack = (uint256(tolerance) * 100 + 1) * forward;
        if (paid <= most + slack && paid + given + slack >= most) return;
        assert(RangeLaw.premiumBreaks(call, premium, strike, forward, tolerance));
    }

    /// @dev RANGE as a whole never reverts, and finds each malformed word guilty whatever else it says.
    function check_malformedWords(
        Exhibit calldata exhibit,
        uint64 observedAt,
        uint24 tolerance
    ) external pure {
        bool guilty = RangeLaw.breaks(exhibit, observedAt, tolerance);
        uint256 param = uint256(ParamWord.unwrap(exhibit.param));
        uint256 forward = uint256(ForwardWord.unwrap(exhibit.forward));
        bool malformed = param & 0xFFFFFF != 0 || param >> 224 == 0 || forward >> 136 != 0
            || forward & type(uint96).max == 0 || observedAt >= exhibit.instrument.expiry();
        if (malformed) assert(guilty);
    }

    function _premiumWithin(
        bool call,
        uint32 premium,
        uint96 strike,
        uint96 forward,
        uint256 tolerance
    ) private pure {
        uint256 paid = uint256(premium) * forward;
        uint256 most = uint256(call ? forward : strike) * 1e8;
        uint256 given = uint256(call ? strike : forward) * 1e8;
        if (paid > most || paid + given < most) return;
        assert(!RangeLaw.premiumBreaks(call, premium, strike, forward, tolerance));
    }
}
