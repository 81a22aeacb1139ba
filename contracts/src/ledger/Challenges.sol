// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, HedgeReportLibrary, ReportCore, SignedHeader} from "../HedgeReport.sol";
import {Exhibit, IReportJudge, Law, Tolerances} from "../interfaces/IReportJudge.sol";
import {ToleranceFloors} from "../judge/ToleranceFloors.sol";
import {ForwardWord} from "../types/ForwardWord.sol";
import {ParamWord} from "../types/ParamWord.sol";
import {ReportHead} from "../types/ReportHead.sol";
import {TolerancesWord, TolerancesWordLibrary} from "../types/TolerancesWord.sol";
import {GroupKeys} from "./GroupKeys.sol";
import {StoredReports} from "./StoredReports.sol";

/// @title Proofs against signed reports, from public data alone
/// @notice Whatever the group key has signed can be challenged, accepted or not: by a law for 8 days after its
/// observation, and as long as its key is accepted and for 8 days after that. A proof takes the key out of force,
/// drops every pending report and stops the feed until the members put another key, or the same one in a new epoch, in
/// its place. The bond then owes the challenger (`ConsortiumBond`). Neither a pause nor the members can hold a
/// challenge up.
/// @dev A report is judged by the tolerances that were in force when it was observed.
abstract contract Challenges is GroupKeys, StoredReports {
    using HedgeReportLibrary for HedgeReport;
    using HedgeReportLibrary for ReportCore;

    /// @notice Says whether exhibits break a law; the same for everybody, without storage
    IReportJudge public immutable JUDGE;
    /// @notice Wei that a challenge by law needs beside it: returned where it is upheld, else forfeited
    uint256 public immutable CHALLENGE_BOND;
    /// @notice Where forfeited bonds go
    address public immutable SINK;

    bytes32 internal immutable _CONSORTIUM;

    // A report is judged by those of its observation, so that members who change them save no report from a proof.
    // They change at most once while a report can be challenged: the ones before are all that is needed beside them.
    TolerancesWord private _tolerances;
    TolerancesWord private _former;
    uint40 private _tolerancesSince;

    event TolerancesSet(Tolerances tolerances);
    event Equivocation(uint256 epoch, uint256 indexed round, address indexed challenger);
    event ChallengeUpheld(
        uint64 indexed epoch, uint64 indexed round, address indexed challenger, Law law, uint256[] instrumentIds
    );
    event ChallengeFailed(uint64 indexed round, address indexed challenger, Law law, uint256[] instrumentIds);

    error ConsortiumZero();
    error SinkZero();
    error JudgeHasNoCode(address judge);
    error WrongConsortium(bytes32 consortium);
    error OtherRound();
    error SameDigest(bytes32 digest);
    error ChallengeBondMismatch(uint256 sent, uint256 needed);
    error ChallengeTooLate(uint64 observedAt, uint256 timestamp);
    error TolerancesTooSoon(uint256 changeableAt, uint256 timestamp);
    error InstrumentNotInBook(uint256 instrumentId);
    error PaymentFailed(address to, uint256 amount);

    constructor(
        bytes32 consortium_,
        IReportJudge judge_,
        Tolerances memory initial,
        uint256 challengeBond,
        address sink_
    ) {
        if (consortium_ == bytes32(0)) revert ConsortiumZero();
        if (sink_ == address(0)) revert SinkZero();
        if (address(judge_).code.length == 0) revert JudgeHasNoCode(address(judge_));
        _CONSORTIUM = consortium_;
        JUDGE = judge_;
        CHALLENGE_BOND = challengeBond;
        SINK = sink_;
        _setTolerances(initial);
    }

    /// @notice Proves that the group key signed two reports for one round. The caller is owed the reward.
    /// @param one A report without its words, and the signature over it
    /// @param other Another of the same epoch and round
    function equivocate(
        SignedHeader calldata one,
        SignedHeader calldata other
    ) external {
        ReportHead head = one.core.head;
        uint256 reportEpoch = head.epoch();
        uint256 reportRound = head.round();
        if (other.core.head.epoch() != reportEpoch || other.core.head.round() != reportRound) revert OtherRound();
        address key = _challengeableKeyOf(reportEpoch);
        bytes32 digest = _requireSigned(one, key);
        if (digest == _requireSigned(other, key)) revert SameDigest(digest);
        _slash(msg.sender);
        emit Equivocation(reportEpoch, reportRound, msg.sender);
    }

    /// @notice Challenges a signed report by a law. Upheld, the caller is owed the reward and has the bond back; else
    /// the bond is forfeited, and nothing reverts.
    /// @dev The report's book must be registered ({IInstrumentRegistry-registerBook}). A report with another number of
    /// instruments than its book, or forwards for other expiries, breaks every law.
    /// @param law Which
    /// @param instrumentIds The exhibits, in the order that {Law} asks for
    /// @return upheld Whether the report breaks the law
    function challenge(
        HedgeReport calldata report,
        bytes calldata signature,
        Law law,
        uint256[] calldata instrumentIds
    ) external payable returns (bool upheld) {
        if (msg.value != CHALLENGE_BOND) revert ChallengeBondMismatch(msg.value, CHALLENGE_BOND);
        uint64 observedAt = report.observedAt;
        if (block.timestamp > uint256(observedAt) + CHALLENGE_HORIZON) {
            revert ChallengeTooLate(observedAt, block.timestamp);
        }
        if (report.consortium != _CONSORTIUM) revert WrongConsortium(report.consortium);
        address key = _challengeableKeyOf(report.epoch);
        _requireSignature(key, _hashTypedData(report.structHash()), signature);

        if (_breaks(report, law, instrumentIds)) {
            _slash(msg.sender);
            emit ChallengeUpheld(report.epoch, report.round, msg.sender, law, instrumentIds);
            _pay(msg.sender, msg.value);
            return true;
        }
        emit ChallengeFailed(report.round, msg.sender, law, instrumentIds);
        return false;
    }

    /// @notice Sends forfeited bonds to {SINK}. Anybody may call.
    function sweep() external {
        _pay(SINK, address(this).balance);
    }

    /// @notice What a report that is observed now is allowed to be off by
    function tolerances() external view returns (Tolerances memory) {
        return _tolerances.unpack();
    }

    /// @notice Unix seconds from which on observations are judged by {tolerances}
    function tolerancesSince() external view returns (uint256) {
        return _tolerancesSince;
    }

    /// @notice What a report of an observation that can still be challenged is allowed to be off by.
    /// @param time Unix seconds
    function tolerancesAt(
        uint256 time
    ) external view returns (Tolerances memory) {
        return _judgedBy(time).unpack();
    }

    /// @notice The consortium whose reports are accepted here
    function consortium() external view returns (bytes32) {
        return _CONSORTIUM;
    }

    function _setTolerances(
        Tolerances memory newTolerances
    ) internal {
        ToleranceFloors.check(newTolerances);
        TolerancesWord word = TolerancesWordLibrary.pack(newTolerances);
        TolerancesWord current = _tolerances;
        if (TolerancesWord.unwrap(word) == TolerancesWord.unwrap(current)) return;
        uint256 since = _tolerancesSince;
        // The first ones also judge what was observed before them.
        if (since == 0) {
            current = word;
        } else if (block.timestamp < since + CHALLENGE_HORIZON) {
            revert TolerancesTooSoon(since + CHALLENGE_HORIZON, block.timestamp);
        }
        (_former, _tolerances, _tolerancesSince) = (current, word, uint40(block.timestamp));
        emit TolerancesSet(newTolerances);
    }

    function _pay(
        address to,
        uint256 amount
    ) private {
        (bool success,) = to.call{value: amount}("");
        if (!success) revert PaymentFailed(to, amount);
    }

    function _judgedBy(
        uint256 time
    ) private view returns (TolerancesWord) {
        return time < _tolerancesSince ? _former : _tolerances;
    }

    function _breaks(
        HedgeReport calldata report,
        Law law,
        uint256[] calldata instrumentIds
    ) private view returns (bool) {
        Book memory book = _bookOf(report.book);
        if (book.id == 0) revert BookNotRegistered(report.book);
        if (!_fits(report.forwards, report.params, book)) return true;
        Exhibit[] memory exhibits = new Exhibit[](instrumentIds.length);
        for (uint256 i = 0; i < exhibits.length; ++i) {
            (bool found, uint256 index, uint256 expiryIndex) = position(book.id, instrumentIds[i]);
            if (!found) revert InstrumentNotInBook(instrumentIds[i]);
            exhibits[i] = Exhibit({
                instrument: instrument(instrumentIds[i]),
                param: ParamWord.wrap(report.params[index]),
                forward: ForwardWord.wrap(report.forwards[expiryIndex])
            });
        }
        return JUDGE.breaks(law, report.observedAt, exhibits, _judgedBy(report.observedAt).unpack());
    }

    function _requireSigned(
        SignedHeader calldata header,
        address key
    ) private view returns (bytes32 digest) {
        digest = _hashTypedData(header.core.structHash(_CONSORTIUM, header.forwardsHash, header.paramsHash));
        _requireSigner(key, digest, header.r, header.vs);
    }
}
