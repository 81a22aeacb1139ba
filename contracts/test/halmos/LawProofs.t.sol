// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ArbitrageLaws} from "../../src/judge/laws/ArbitrageLaws.sol";
import {Black76Law} from "../../src/judge/laws/Black76Law.sol";
import {HedgeBandLaw} from "../../src/judge/laws/HedgeBandLaw.sol";
import {ParityLaw} from "../../src/judge/laws/ParityLaw.sol";

/// @dev For all words there are: what lies within its tolerance is innocent, and no comparison reverts. Proved by
/// Halmos (`contracts/scripts/toolchain.py halmos`); no test that forge runs.
contract LawProofs {
    // Of a deviation (1e-33) and of sqrt(T) (1e-27), for words' widest vol and life
    uint256 private constant MOST_DEVIATION = 1 << 130;
    uint256 private constant MOST_ROOT_TIME = 1 << 98;

    /// @dev Two deltas, each wrong by at most the tolerance.
    function check_parityDelta(
        int24 callDelta,
        int24 callError,
        int24 putError,
        uint24 tolerance
    ) external pure {
        if (!_within(callError, tolerance) || !_within(putError, tolerance)) return;
        int256 call = int256(callDelta) + callError;
        int256 put = int256(callDelta) - 1e6 + putError;
        if (!_fits(call) || !_fits(put)) return;
        assert(!ParityLaw.deltaBreaks(int24(call), int24(put), 2 * uint256(tolerance)));
    }

    /// @dev And with one unit more than rounding, guilty.
    function check_parityDeltaBeyond(
        int24 call,
        int24 put,
        uint24 tolerance
    ) external pure {
        int256 gap = int256(call) - put - 1e6;
        if (_within(gap, 2 * uint256(tolerance) + 1)) return;
        assert(ParityLaw.deltaBreaks(call, put, 2 * uint256(tolerance)));
    }

    function check_parityVol(
        uint32 lower,
        uint32 apart,
        uint24 tolerance
    ) external pure {
        if (uint256(apart) * 1e6 > uint256(tolerance) * lower) return;
        assert(!ParityLaw.volBreaks(lower, apart, tolerance));
    }

    function check_parityEqualGreeks(
        uint40 gamma,
        uint32 vega,
        uint256 deviation,
        uint256 rootTime,
        uint256 allowed
    ) external pure {
        assert(!ParityLaw.gammaBreaks(gamma, gamma, deviation, allowed));
        assert(!ParityLaw.vegaBreaks(vega, vega, rootTime, allowed));
    }

    /// @dev Premiums that differ by just forward less strike, rounded as a word is; any tolerance.
    function check_parityPremium(
        uint32 call,
        uint32 put,
        uint96 strike,
        uint96 forward,
        uint24 tolerance
    ) external pure {
        int256 gap = (int256(uint256(call)) - int256(uint256(put)) - 1e8) * int256(uint256(forward)) + 1e8
            * int256(uint256(strike));
        if (gap > int256(uint256(forward)) || gap < -int256(uint256(forward))) return;
        assert(!ParityLaw.premiumBreaks(call, put, strike, forward, tolerance));
    }

    /// @dev Deltas that fall, each wrong by at most the tolerance.
    function check_monotone(
        int24 lower,
        int24 higher,
        int24 lowerError,
        int24 higherError,
        uint24 tolerance
    ) external pure {
        if (higher > lower || !_within(lowerError, tolerance) || !_within(higherError, tolerance)) return;
        int256 first = int256(lower) + lowerError;
        int256 second = int256(higher) + higherError;
        if (!_fits(first) || !_fits(second)) return;
        assert(!ArbitrageLaws.monotoneBreaks(int24(first), int24(second), tolerance));
    }

    function check_monotoneBeyond(
        int24 lower,
        int24 higher,
        uint24 tolerance
    ) external pure {
        if (int256(higher) - lower <= int256(2 * uint256(tolerance) + 1)) return;
        assert(ArbitrageLaws.monotoneBreaks(lower, higher, tolerance));
    }

    /// @dev Premiums on or below the line between their neighbours; in checked arithmetic, so that the law's cannot
    /// wrap.
    function check_butterflyAtTheFloor(
        uint32[3] calldata premiums,
        uint96 left,
        uint96 right
    ) external pure {
        _butterfly(premiums, left, right, 1500);
    }

    function check_butterflyAtTheCeiling(
        uint32[3] calldata premiums,
        uint96 left,
        uint96 right
    ) external pure {
        _butterfly(premiums, left, right, 20_000);
    }

    /// @dev Within the slack a hedge delta is innocent, whatever the vega and the life.
    function check_hedgeBandWithin(
        int24 hedgeDelta,
        int24 bsDelta,
        uint32 vega,
        uint256 rootTime,
        uint16 reach,
        uint24 slack
    ) external pure {
        if (!_within(int256(hedgeDelta) - bsDelta, slack)) return;
        assert(!HedgeBandLaw.breaks(hedgeDelta, bsDelta, vega, rootTime, reach, slack));
    }

    /// @dev Beyond the slack, where there is no density, it is guilty. With 1.5 years to go, a power of two.
    function check_hedgeBandWithoutDensity(
        int24 hedgeDelta,
        int24 bsDelta,
        uint16 reach,
        uint24 slack
    ) external pure {
        if (_within(int256(hedgeDelta) - bsDelta, slack)) return;
        assert(HedgeBandLaw.breaks(hedgeDelta, bsDelta, 0, 1 << 90, reach, slack));
    }

    function check_black76CallDelta(
        int24 delta,
        uint64 callDelta
    ) external pure {
        bool within = _within(int256(delta) * 1e12 - int256(uint256(callDelta)), _allowed(1500));
        assert(Black76Law.deltaBreaks(true, delta, callDelta, 1500) != within);
    }

    function check_black76PutDelta(
        int24 delta,
        uint64 callDelta
    ) external pure {
        bool within = _within(int256(delta) * 1e12 - (int256(uint256(callDelta)) - 1e18), _allowed(1500));
        assert(Black76Law.deltaBreaks(false, delta, callDelta, 1500) != within);
    }

    function check_black76Premium(
        uint32 premium,
        uint128 exact,
        uint24 tolerance
    ) external pure {
        int256 error_ = int256(uint256(premium)) * 1e10 - int256(uint256(exact));
        bool within = _within(error_, uint256(tolerance) * 1e12 + 1e10);
        assert(Black76Law.premiumBreaks(premium, exact, tolerance) != within);
    }

    /// @dev What the words say exactly is innocent, whatever the tolerance, the deviation and the life.
    function check_black76ExactGreeks(
        uint40 gamma,
        uint32 vega,
        uint256 deviation,
        uint256 rootTime,
        uint24 tolerance
    ) external pure {
        if (deviation >= MOST_DEVIATION || rootTime == 0 || rootTime >= MOST_ROOT_TIME) return;
        assert(!Black76Law.gammaBreaks(gamma, deviation, gamma * deviation / 1e21, tolerance));
        assert(!Black76Law.vegaBreaks(vega, rootTime, vega * uint256(1e37) / rootTime, tolerance));
    }

    function _butterfly(
        uint32[3] calldata premiums,
        uint96 left,
        uint96 right,
        uint256 tolerance
    ) private pure {
        uint256 sum = uint256(left) + right;
        if (premiums[1] * sum > uint256(premiums[0]) * right + uint256(premiums[2]) * left) return;
        uint256[3] memory strikes = [uint256(1), uint256(1) + left, uint256(1) + left + right];
        uint256[3] memory words = [uint256(premiums[0]), premiums[1], premiums[2]];
        assert(!ArbitrageLaws.butterflyBreaks(strikes, words, tolerance));
    }

    function _allowed(
        uint256 tolerance
    ) private pure returns (uint256) {
        return tolerance * 1e12 + 1e12;
    }

    function _within(
        int256 value,
        uint256 bound
    ) private pure returns (bool) {
        return value <= int256(bound) && value >= -int256(bound);
    }

    function _fits(
        int256 value
    ) private pure returns (bool) {
        return value >= type(int24).min && value <= type(int24).max;
    }
}
