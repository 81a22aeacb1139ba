// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, IReportJudge, Law, Tolerances} from "../interfaces/IReportJudge.sol";
import {Black76} from "./Black76.sol";
import {ExhibitShapes} from "./ExhibitShapes.sol";
import {ArbitrageLaws} from "./laws/ArbitrageLaws.sol";
import {Black76Law} from "./laws/Black76Law.sol";
import {HedgeBandLaw} from "./laws/HedgeBandLaw.sol";
import {ParityLaw} from "./laws/ParityLaw.sol";
import {RangeLaw} from "./laws/RangeLaw.sol";

/// @title Says whether a report breaks a law
/// @notice Anyone may ask. That the exhibits are of one signed report, and tolerances of the consortium, is for the
/// caller to see to; tolerances below {ToleranceFloors} may find an honest report guilty.
/// @dev Words without a vol, a forward or time left are RANGE's: to every other law they do not fit. The reserved bits
/// of what a report says are RANGE's alone, and elsewhere without effect.
contract ReportJudge is IReportJudge {
    /// @inheritdoc IReportJudge
    function breaks(
        Law law,
        uint64 observedAt,
        Exhibit[] calldata exhibits,
        Tolerances calldata tolerances
    ) external pure override returns (bool) {
        if (law == Law.BLACK76) return _black76(observedAt, exhibits, tolerances);
        if (law == Law.PARITY) return _parity(observedAt, exhibits, tolerances);
        if (law == Law.MONOTONE) return _monotone(observedAt, exhibits, tolerances);
        if (law == Law.BUTTERFLY) return _butterfly(observedAt, exhibits, tolerances);
        if (law == Law.HEDGE_BAND) return _hedgeBand(observedAt, exhibits, tolerances);
        return _range(observedAt, exhibits, tolerances);
    }

    function _range(
        uint64 observedAt,
        Exhibit[] calldata exhibits,
        Tolerances calldata tolerances
    ) private pure returns (bool) {
        ExhibitShapes.requireInstruments(Law.RANGE, exhibits, 1);
        return RangeLaw.breaks(exhibits[0], observedAt, tolerances.premium);
    }

    function _parity(
        uint64 observedAt,
        Exhibit[] calldata exhibits,
        Tolerances calldata tolerances
    ) private pure returns (bool) {
        ExhibitShapes.requireInstruments(Law.PARITY, exhibits, 2);
        ExhibitShapes.requireSeries(Law.PARITY, exhibits[0], exhibits[1]);
        uint256 time = ExhibitShapes.requireAlive(Law.PARITY, observedAt, exhibits[0]);
        ExhibitShapes.requireAlive(Law.PARITY, observedAt, exhibits[1]);
        return ParityLaw.breaks(exhibits[0], exhibits[1], time, tolerances);
    }

    function _black76(
        uint64 observedAt,
        Exhibit[] calldata exhibits,
        Tolerances calldata tolerances
    ) private pure returns (bool) {
        ExhibitShapes.requireInstruments(Law.BLACK76, exhibits, 1);
        uint256 time = ExhibitShapes.requireAlive(Law.BLACK76, observedAt, exhibits[0]);
        return Black76Law.breaks(exhibits[0], time, tolerances);
    }

    function _monotone(
        uint64 observedAt,
        Exhibit[] calldata exhibits,
        Tolerances calldata tolerances
    ) private pure returns (bool) {
        ExhibitShapes.requireInstruments(Law.MONOTONE, exhibits, 2);
        ExhibitShapes.requireSeries(Law.MONOTONE, exhibits[0], exhibits[1]);
        ExhibitShapes.requireAlive(Law.MONOTONE, observedAt, exhibits[0]);
        ExhibitShapes.requireAlive(Law.MONOTONE, observedAt, exhibits[1]);
        return ArbitrageLaws.monotoneBreaks(exhibits[0].param.bsDelta(), exhibits[1].param.bsDelta(), tolerances.delta);
    }

    function _butterfly(
        uint64 observedAt,
        Exhibit[] calldata exhibits,
        Tolerances calldata tolerances
    ) private pure returns (bool) {
        ExhibitShapes.requireInstruments(Law.BUTTERFLY, exhibits, 3);
        ExhibitShapes.requireSeries(Law.BUTTERFLY, exhibits[0], exhibits[1]);
        ExhibitShapes.requireSeries(Law.BUTTERFLY, exhibits[1], exhibits[2]);
        uint256[3] memory strikes;
        uint256[3] memory premiums;
        for (uint256 i = 0; i < 3; ++i) {
            ExhibitShapes.requireAlive(Law.BUTTERFLY, observedAt, exhibits[i]);
            strikes[i] = exhibits[i].instrument.strike();
            premiums[i] = exhibits[i].param.premium();
        }
        return ArbitrageLaws.butterflyBreaks(strikes, premiums, tolerances.premium);
    }

    function _hedgeBand(
        uint64 observedAt,
        Exhibit[] calldata exhibits,
        Tolerances calldata tolerances
    ) private pure returns (bool) {
        ExhibitShapes.requireInstruments(Law.HEDGE_BAND, exhibits, 1);
        uint256 time = ExhibitShapes.requireAlive(Law.HEDGE_BAND, observedAt, exhibits[0]);
        return HedgeBandLaw.breaks(
            exhibits[0].param.hedgeDelta(),
            exhibits[0].param.bsDelta(),
            exhibits[0].param.vega(),
            Black76.rootTime(time),
            tolerances.hedgeReach,
            tolerances.hedgeSlack
        );
    }
}
