// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, IReportJudge, Law} from "../interfaces/IReportJudge.sol";
import {ForwardWord} from "../types/ForwardWord.sol";
import {InstrumentWord, InstrumentWordLibrary} from "../types/InstrumentWord.sol";

/// @title Which exhibits a law can be judged on
/// @notice Every function reverts with {IReportJudge-ExhibitsDoNotFit} on exhibits that do not fit. That says nothing
/// about the report: whoever holds the exhibits together has made a mistake.
library ExhibitShapes {
    /// @notice So many exhibits, each a valid instrument with its own expiry's forward.
    /// @dev What the report itself says (param and forward) may be malformed: RANGE judges that.
    function requireInstruments(
        Law law,
        Exhibit[] calldata exhibits,
        uint256 count
    ) internal pure {
        if (exhibits.length != count) revert IReportJudge.ExhibitsDoNotFit(law);
        for (uint256 i = 0; i < count; ++i) {
            InstrumentWord instrument = exhibits[i].instrument;
            uint8 kind = instrument.kind();
            if (
                (kind != InstrumentWordLibrary.CALL && kind != InstrumentWordLibrary.PUT) || instrument.strike() == 0
                    || instrument.reserved() != 0 || exhibits[i].forward.expiry() != instrument.expiry()
            ) revert IReportJudge.ExhibitsDoNotFit(law);
        }
    }

    /// @notice Time left, a vol and a forward: numbers that a law other than RANGE can compute with.
    /// @return Seconds to expiry, more than 0 and below 2^40
    function requireAlive(
        Law law,
        uint64 observedAt,
        Exhibit calldata exhibit
    ) internal pure returns (uint256) {
        uint256 expiry = exhibit.instrument.expiry();
        if (observedAt >= expiry || exhibit.param.iv() == 0 || exhibit.forward.forward() == 0) {
            revert IReportJudge.ExhibitsDoNotFit(law);
        }
        unchecked {
            return expiry - observedAt;
        }
    }

    /// @notice Underlying and expiry the same, and so the forward; kinds as told; the strike higher, or the same for a
    /// pair.
    function requireSeries(
        Law law,
        Exhibit calldata first,
        Exhibit calldata second
    ) internal pure {
        InstrumentWord one = first.instrument;
        InstrumentWord other = second.instrument;
        bool ordered = law == Law.PARITY
            ? one.kind() == InstrumentWordLibrary.CALL && other.kind() == InstrumentWordLibrary.PUT
                && one.strike() == other.strike()
            : one.kind() == other.kind() && one.strike() < other.strike();
        if (
            !ordered || one.underlying() != other.underlying() || one.expiry() != other.expiry()
                || ForwardWord.unwrap(first.forward) != ForwardWord.unwrap(second.forward)
        ) revert IReportJudge.ExhibitsDoNotFit(law);
    }
}
