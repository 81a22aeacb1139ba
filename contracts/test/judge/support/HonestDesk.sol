// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit} from "../../../src/interfaces/IReportJudge.sol";
import {Black76} from "../../../src/judge/Black76.sol";
import {ForwardWord} from "../../../src/types/ForwardWord.sol";
import {InstrumentWord} from "../../../src/types/InstrumentWord.sol";
import {ParamWord} from "../../../src/types/ParamWord.sol";
import {WordPacker} from "../../support/WordPacker.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @dev What honest parties sign: `check_range` and `report_columns` of `mpc_party/hedging/outputs.py`, step by step.
/// The opened values lie from Black-76 by any errors that the range check lets through; then they are rounded and
/// clipped.
library HonestDesk {
    struct Option {
        bool call;
        uint96 strike;
        uint96 forward;
        /// 1e-18
        uint256 referenceVol;
        /// vol / referenceVol, 1e-18
        uint256 ratio;
        uint256 time;
    }

    /// @dev What opened values are wrong by, in parts of what is let through: -1e18 to 1e18
    struct Errors {
        int256 delta;
        int256 gamma;
        int256 vega;
        int256 premium;
        int256 hedge;
    }

    bytes12 internal constant UNDERLYING = "BTC";
    uint64 internal constant OBSERVED_AT = 1_767_254_400;
    // 1e-18: TOLERANCE, GAMMA_TOLERANCE
    int256 internal constant ALLOWED = 1e15;
    int256 internal constant GAMMA_ALLOWED = 4e15;
    uint256 internal constant INITIAL_MARGIN_PERCENT = 125;
    int256 private constant WAD = 1e18;

    function exhibit(
        Option memory option,
        Errors memory errors
    ) internal pure returns (Exhibit memory) {
        return Exhibit({
            instrument: instrument(option.call, option.strike, option.time),
            param: ParamWord.wrap(WordPacker.param(param(option, errors))),
            forward: ForwardWord.wrap(WordPacker.forward(uint40(OBSERVED_AT + option.time), option.forward))
        });
    }

    function instrument(
        bool call,
        uint96 strike,
        uint256 time
    ) internal pure returns (InstrumentWord) {
        return InstrumentWord.wrap(
            bytes32(
                abi.encodePacked(UNDERLYING, call ? uint8(1) : uint8(2), uint40(OBSERVED_AT + time), strike, uint16(0))
            )
        );
    }

    function param(
        Option memory option,
        Errors memory errors
    ) internal pure returns (WordPacker.Param memory fields) {
        uint256 root = Black76.rootTime(option.time);
        // The vol that is opened has more digits than its word.
        uint256 vol = option.referenceVol * option.ratio / 1e18;
        Black76.Value memory exact = Black76.value(option.strike, option.forward, vol * root / 1e12);
        fields.iv = uint32(uint256(_nearest(int256(vol), 1e12)));

        int256 delta = int256(exact.callDelta) - (option.call ? int256(0) : WAD);
        int256 opened = _nearest(delta + errors.delta * ALLOWED / WAD, 1e12);
        fields.bsDelta = int24(
            FixedPointMathLib.clamp(opened, option.call ? int256(0) : -1e6, option.call ? int256(1e6) : int256(0))
        );

        int256 density = int256(exact.density);
        fields.hedgeDelta = int24(_nearest(delta + errors.hedge * (8 * density + 10 * ALLOWED) / WAD, 1e12));
        fields.gamma = _gamma(option, root, density, errors.gamma);
        // 1e8 sqrt(T), rounded
        int256 scale = _nearest(int256(root), 1e19);
        fields.vega = uint32(uint256(_floored((density + errors.vega * ALLOWED / WAD) * scale, WAD)));
        fields.premium = uint32(uint256(_premium(option, exact, errors.premium)));

        fields.maintenanceMargin = 150_000;
        fields.initialMargin = uint24(150_000 * INITIAL_MARGIN_PERCENT / 100);
    }

    function _gamma(
        Option memory option,
        uint256 root,
        int256 density,
        int256 errors
    ) private pure returns (uint40) {
        int256 shape = density * WAD / int256(option.ratio) + errors * GAMMA_ALLOWED / WAD;
        // 1e6 / (reference vol sqrt(T)), rounded
        int256 scale = _nearest(1e51, int256(option.referenceVol * root));
        return uint40(uint256(_floored(shape * scale, WAD)));
    }

    function _premium(
        Option memory option,
        Black76.Value memory exact,
        int256 errors
    ) private pure returns (int256) {
        uint256 timeValue = option.strike >= option.forward ? exact.callPremium : exact.putPremium;
        (uint256 received, uint256 given) =
            option.call ? (option.forward, option.strike) : (option.strike, option.forward);
        uint256 intrinsic = FixedPointMathLib.zeroFloorSub(received, given) * 1e18 / option.forward;
        return _floored(int256(timeValue) + errors * ALLOWED / WAD, 1e10) + _nearest(int256(intrinsic), 1e10);
    }

    /// @dev Rounds to nearest, ties up, and clips at zero.
    function _floored(
        int256 value,
        int256 unit
    ) private pure returns (int256) {
        return FixedPointMathLib.max(_nearest(value, unit), 0);
    }

    function _nearest(
        int256 value,
        int256 unit
    ) private pure returns (int256) {
        int256 shifted = value + unit / 2;
        int256 quotient = shifted / unit;
        return shifted < 0 && quotient * unit != shifted ? quotient - 1 : quotient;
    }
}
