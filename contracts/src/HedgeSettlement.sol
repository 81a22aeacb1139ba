// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Founding} from "./Founding.sol";
import {HedgeReport, HedgeReportLibrary, ReportCore} from "./HedgeReport.sol";
import {IConsortiumMembers} from "./interfaces/IConsortiumMembers.sol";
import {IGovernedFeed} from "./interfaces/IGovernedFeed.sol";
import {IHedgeFeed} from "./interfaces/IHedgeFeed.sol";
import {IHedgeFeedProof} from "./interfaces/IHedgeFeedProof.sol";
import {Tolerances} from "./interfaces/IReportJudge.sol";
import {ISettlementEvents} from "./interfaces/ISettlementEvents.sol";
import {Breach, Breaker} from "./ledger/Breaker.sol";
import {Challenges} from "./ledger/Challenges.sol";
import {Config} from "./ledger/Config.sol";
import {GroupKeys} from "./ledger/GroupKeys.sol";
import {RoundLedger} from "./ledger/RoundLedger.sol";
import {FeedState, FeedStateLibrary} from "./types/FeedState.sol";
import {ForwardWord} from "./types/ForwardWord.sol";
import {PackedConfig} from "./types/PackedConfig.sol";
import {ReportHead} from "./types/ReportHead.sol";

/// @title The ledger of a consortium's signed hedging parameters
/// @notice Anyone may publish a report; the group key's signature is what counts. A report is accepted once, in order
/// and fresh, or refused with an error that says why. A signed report out of bounds is rejected by the breaker and
/// flagged; nothing is clipped. An accepted report is final once its challenge window has passed without a proof
/// against it.
contract HedgeSettlement is Challenges, IGovernedFeed, IHedgeFeedProof, ISettlementEvents {
    using HedgeReportLibrary for HedgeReport;
    using HedgeReportLibrary for ReportCore;

    /// @notice No round is further above the one before
    uint256 public constant LARGEST_LEAP = 1 << 32;

    /// @notice The members' contract, which alone governs this one
    IConsortiumMembers public immutable MEMBERS;

    modifier onlyMembers() {
        if (msg.sender != address(MEMBERS)) revert NotMembers(msg.sender);
        _;
    }

    constructor(
        Founding memory founding
    )
        GroupKeys(founding.groupKey, founding.epoch)
        RoundLedger(founding.config)
        Challenges(founding.consortium, founding.judge, founding.tolerances, founding.challengeBond, founding.sink)
    {
        MEMBERS = founding.members;
        if (founding.members.actionDelay() < founding.config.challengeWindow) {
            revert DelayShorterThanWindow(founding.members.actionDelay(), founding.config.challengeWindow);
        }
    }

    /// @notice Takes a report whose words stay in this call's data: only their digest is kept. Whoever uses it later
    /// brings the report along, and {proves} says whether it is the one.
    /// @param core Its numbers, book, model and inputs
    /// @param words Its forward words, as many as the head says, and then its param words
    /// @param r Of the group key's signature over the report's EIP-712 digest
    /// @param vs s and the parity of v, as in EIP-2098
    /// @return False where the breaker has rejected it
    function settle(
        ReportCore calldata core,
        bytes32[] calldata words,
        bytes32 r,
        bytes32 vs
    ) external returns (bool) {
        return _settle(core, words, r, vs, false);
    }

    /// @notice Takes a report and keeps its words, for contracts that read instruments by {reading}. Its book must be
    /// registered. Arguments as of {settle}.
    /// @return False where the breaker has rejected it
    function settleAndStore(
        ReportCore calldata core,
        bytes32[] calldata words,
        bytes32 r,
        bytes32 vs
    ) external returns (bool) {
        return _settle(core, words, r, vs, true);
    }

    /// @notice Keeps the words of a report that was accepted without them: nobody can keep a report from contracts by
    /// bringing it in short. Anybody may call, also while the feed is paused. It must be younger than the latest
    /// stored one.
    /// @param sequence Its number
    function store(
        ReportCore calldata core,
        bytes32[] calldata words,
        uint256 sequence
    ) external {
        FeedState state = _state;
        ReportHead head = core.head;
        (bytes32[] calldata forwards, bytes32[] calldata params) = _split(head.expiries(), words, _config);
        bytes32 digest = _hashTypedData(core.structHash(_CONSORTIUM, forwards, params));
        (bool isAccepted, uint256 acceptedAt) = _acceptance(digest, sequence);
        if (!isAccepted) revert ReportNotAccepted(digest, sequence);
        uint256 stored = state.stored();
        uint256 last = _lastStoredRound(stored);
        if (head.round() <= last) revert RoundNotNewer(head.round(), last);
        _store(core, forwards, params, ++stored, acceptedAt);
        _state = state.withStored(stored);
        emit ReportStored(digest, stored);
    }

    /// @inheritdoc IGovernedFeed
    /// @dev Nothing is accepted and {isLive} is false until the members unpause. Challenges, and the passing of time
    /// into finality, go on.
    function pause() external onlyMembers {
        FeedState state = _state;
        if (state.has(FeedStateLibrary.PAUSED)) revert FeedPaused();
        _state = state.with(FeedStateLibrary.PAUSED);
        emit Paused();
    }

    /// @inheritdoc IGovernedFeed
    function unpause() external onlyMembers {
        FeedState state = _state;
        if (!state.has(FeedStateLibrary.PAUSED)) revert FeedNotPaused();
        _state = state.without(FeedStateLibrary.PAUSED);
        emit Unpaused();
    }

    /// @inheritdoc IGovernedFeed
    /// @dev After a proof of fraud there is no overlap.
    function rotateGroupKey(
        address newGroupKey,
        uint64 newEpoch,
        uint256 overlap
    ) external onlyMembers {
        _dropPending(_cutoff());
        _rotate(newGroupKey, newEpoch, overlap);
    }

    /// @inheritdoc IGovernedFeed
    function setParameters(
        Config calldata newConfig,
        Tolerances calldata newTolerances
    ) external onlyMembers {
        _requireDelay(newConfig);
        _dropPending(_cutoff());
        _setConfig(newConfig);
        _setTolerances(newTolerances);
    }

    /// @inheritdoc IHedgeFeedProof
    function proves(
        HedgeReport calldata report,
        uint256 sequence
    ) external view returns (bool isAccepted, bool isFinal) {
        uint256 acceptedAt;
        (isAccepted, acceptedAt) = _acceptance(_hashTypedData(report.structHash()), sequence);
        isFinal = isAccepted && _isFinal(sequence, acceptedAt);
    }

    /// @inheritdoc IHedgeFeed
    function isLive() external view returns (bool) {
        FeedState state = _state;
        // Nothing is valid before the first report, and after reports were dropped.
        return state.validFor() != 0 && block.timestamp <= state.validUntil() && !state.has(FeedStateLibrary.PAUSED)
            && !state.has(FeedStateLibrary.FLAGGED) && !_authority.isSlashed();
    }

    /// @notice What the group key signs for this report
    function digestOf(
        HedgeReport calldata report
    ) external view returns (bytes32) {
        return _hashTypedData(report.structHash());
    }

    /// @notice EIP-712 domain separator, made anew where the chain's id has changed; {eip712Domain} (ERC-5267) has its
    /// parts
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparator();
    }

    function _cutoff() internal view override returns (uint256) {
        return _authority.isSlashed() ? _authority.since() : block.timestamp;
    }

    function _settle(
        ReportCore calldata core,
        bytes32[] calldata words,
        bytes32 r,
        bytes32 vs,
        bool keep
    ) private returns (bool) {
        FeedState state = _state;
        PackedConfig config_ = _config;
        ReportHead head = core.head;
        uint256 anchor = _checkHead(head, state, config_);
        (bytes32[] calldata forwards, bytes32[] calldata params) = _split(head.expiries(), words, config_);

        bytes32 digest = _hashTypedData(core.structHash(_CONSORTIUM, forwards, params));
        _requireKey(head.epoch(), digest, r, vs);
        uint256 first = FeedStateLibrary.toAnchor(ForwardWord.wrap(words[0]));
        if (_rejects(head, digest, forwards, params, first, anchor)) return false;
        _accept(core, forwards, params, digest, first, keep);
        return true;
    }

    /// @dev Reads the state again, which is warm: it would lie too deep in the caller's stack.
    function _accept(
        ReportCore calldata core,
        bytes32[] calldata forwards,
        bytes32[] calldata params,
        bytes32 digest,
        uint256 first,
        bool keep
    ) private {
        FeedState state = _state;
        unchecked {
            uint256 sequence = state.sequence() + 1;
            uint256 stored = state.stored();
            if (keep) _store(core, forwards, params, ++stored, block.timestamp);
            _keep(sequence, digest);
            state = FeedStateLibrary.pack(core.head, sequence, stored, first);
        }
        _state = state;
        emit ReportAccepted(digest, state);
    }

    /// @dev Whether the breaker rejects a signed report, and flags the feed then.
    function _rejects(
        ReportHead head,
        bytes32 digest,
        bytes32[] calldata forwards,
        bytes32[] calldata params,
        uint256 first,
        uint256 anchor
    ) private returns (bool) {
        (Breach breach, uint256 index) =
            Breaker.checkForwards(forwards, head.observedAt(), first, anchor, _config.maxJump());
        if (breach == Breach.NONE) (breach, index) = Breaker.checkParams(params);
        if (breach == Breach.NONE) return false;
        _state = _state.withRound(head.round()).with(FeedStateLibrary.FLAGGED);
        emit ReportRejected(head.round(), digest, breach, index);
        return true;
    }

    /// @return anchor What the first forward is compared with, 0 where nothing: after `jumpHorizon` without an
    /// accepted report it may be anywhere. A breaker that only members could reset would turn a crash into an outage.
    function _checkHead(
        ReportHead head,
        FeedState state,
        PackedConfig config_
    ) private view returns (uint256 anchor) {
        if (state.has(FeedStateLibrary.PAUSED)) revert FeedPaused();
        if (head.reserved() != 0) revert HeadReservedBits(head);
        unchecked {
            // Wraps, and is too much, where the round is not newer. A leap to the last number there is would leave
            // none.
            uint256 leap = head.round() - state.round();
            if (leap - 1 >= LARGEST_LEAP) revert RoundNotNewer(head.round(), state.round());
            // Sums of 40 and 24 bits
            uint256 observedAt = head.observedAt();
            if (observedAt > block.timestamp + config_.maxFutureSkew()) {
                revert ObservedInFuture(observedAt, block.timestamp);
            }
            if (block.timestamp > observedAt + config_.maxAge()) revert ReportTooOld(observedAt, block.timestamp);
            if (block.timestamp > head.validUntil()) revert ReportExpired(head.validUntil(), block.timestamp);
            if (head.validFor() == 0 || head.validFor() > config_.maxValidity()) {
                revert ValidityOutOfBounds(head.validFor(), config_.maxValidity());
            }
            if (observedAt < state.observedAt()) revert ObservedBeforePrevious(observedAt, state.observedAt());
            uint256 acceptedAt = state.acceptedAt();
            uint256 acceptableAt = acceptedAt + _pace(config_.challengeWindow());
            if (block.timestamp < acceptableAt) revert ReportTooSoon(acceptableAt, block.timestamp);
            if (block.timestamp <= acceptedAt + config_.jumpHorizon()) anchor = state.anchor();
        }
    }

    function _requireDelay(
        Config memory config_
    ) private view {
        uint256 delay = MEMBERS.actionDelay();
        if (delay < config_.challengeWindow) revert DelayShorterThanWindow(delay, config_.challengeWindow);
    }

    function _split(
        uint256 expiries,
        bytes32[] calldata words,
        PackedConfig config_
    ) private pure returns (bytes32[] calldata forwards, bytes32[] calldata params) {
        unchecked {
            if (expiries == 0 || expiries > EXPIRIES_LIMIT) revert ExpiryCountOutOfBounds(expiries, EXPIRIES_LIMIT);
            // Wraps, and is too many, where there are fewer words than expiries.
            uint256 instruments = words.length - expiries;
            if (instruments == 0 || instruments > config_.maxInstruments()) {
                revert InstrumentCountOutOfBounds(instruments, config_.maxInstruments());
            }
            assembly ("memory-safe") {
                forwards.offset := words.offset
                forwards.length := expiries
                params.offset := add(words.offset, shl(5, expiries))
                params.length := instruments
            }
        }
    }
}
