// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ForwardWord} from "../types/ForwardWord.sol";
import {InstrumentWord} from "../types/InstrumentWord.sol";
import {ParamWord} from "../types/ParamWord.sol";

/// @notice What a report about options must obey whatever the market does; each needs public data only
enum Law {
    /// One instrument: reserved bits zero, a vol and a forward above 0, signs and sizes of delta, premium within what
    /// an option can be worth, initial margin not below maintenance, both or neither
    RANGE,
    /// A call and the put of the same strike and expiry: one vol, gamma and vega; deltas differ by the discount factor
    /// (one), premiums by forward less strike
    PARITY,
    /// One instrument: delta, gamma, vega and premium are Black-76's at the reported vol and forward
    BLACK76,
    /// Two calls (or two puts) of one expiry: delta does not rise with the strike
    MONOTONE,
    /// Three calls (or three puts) of one expiry, ascending strikes: the middle one costs no more than the line
    /// between the others
    BUTTERFLY,
    /// One instrument: hedgeDelta lies within the published band around bsDelta
    HEDGE_BAND
}

/// @notice Allowances in which a report is right, all above what an honest computation can be wrong by
/// @dev One storage slot.
struct Tolerances {
    /// 1e-6: of a delta
    uint24 delta;
    /// 1e-6: of gamma * vol * sqrt(T), the density phi(d1)
    uint24 gamma;
    /// 1e-6: of vega / sqrt(T), the density phi(d1)
    uint24 vega;
    /// 1e-6 of the forward: of a premium
    uint24 premium;
    /// 1e-6: of the vol, relative, between a call and its put
    uint24 vol;
    /// 1e-2: how many densities (vega / sqrt(T)) hedgeDelta may lie from bsDelta
    uint16 hedgeReach;
    /// 1e-6: and beside that
    uint24 hedgeSlack;
}

/// @notice One instrument of a report, with what the report says of it
struct Exhibit {
    InstrumentWord instrument;
    ParamWord param;
    ForwardWord forward;
}

/// @title Says whether a report breaks a law
/// @notice Without storage and the same for everybody: what it says follows from its arguments.
interface IReportJudge {
    /// @notice The exhibits do not fit the law: their number, kinds, expiries or order.
    error ExhibitsDoNotFit(Law law);

    /// @param law Which law
    /// @param observedAt Unix seconds, of the report
    /// @param exhibits One, two or three as {Law} says; calls before puts, strikes ascending
    /// @param tolerances What is allowed
    /// @return Whether the exhibits break the law
    function breaks(
        Law law,
        uint64 observedAt,
        Exhibit[] calldata exhibits,
        Tolerances calldata tolerances
    ) external pure returns (bool);
}
