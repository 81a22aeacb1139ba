// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, HedgeReportLibrary} from "./HedgeReport.sol";
import {MembersMultisig} from "./MembersMultisig.sol";
import {Config, ReportBounds} from "./ReportBounds.sol";
import {ForwardWord} from "./types/ForwardWord.sol";
import {ParamWord} from "./types/ParamWord.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title The ledger of a consortium's signed hedging parameters
/// @notice Anyone may submit a report; the group key's signature is what counts. A report is accepted once, in order,
/// fresh and within bounds, or refused with an error that says why; nothing is clipped. Whoever reads a parameter asks
/// {isFresh} too: an old report stays readable until the next one replaces it.
contract HedgeSettlement is MembersMultisig, Pausable {
    using HedgeReportLibrary for HedgeReport;

    /// @notice What is kept of the latest report beside its words
    struct Header {
        uint64 round;
        uint64 epoch;
        uint64 observedAt;
        uint64 validUntil;
        uint64 acceptedAt;
        uint32 instruments;
        uint32 expiries;
        bytes32 digest;
        bytes32 book;
        bytes32 model;
        bytes32 inputs;
    }

    /// @notice No configuration allows more instruments than this
    uint256 public constant INSTRUMENTS_LIMIT = 1024;
    /// @notice More expiries than this are refused
    uint256 public constant EXPIRIES_LIMIT = 64;

    bytes32 private constant _ROTATE_TYPE_HASH =
        keccak256("RotateGroupKey(address newGroupKey,uint64 newEpoch,uint256 nonce,uint256 deadline)");
    bytes32 private constant _PAUSE_TYPE_HASH = keccak256("Pause(uint256 nonce,uint256 deadline)");
    bytes32 private constant _UNPAUSE_TYPE_HASH = keccak256("Unpause(uint256 nonce,uint256 deadline)");

    bytes32 private immutable _CONSORTIUM;

    /// @notice The address of the key that members hold shares of
    address public groupKey;
    /// @notice Counts group keys; a report of another epoch is refused
    uint64 public epoch;

    Config private _config;
    Header private _latest;
    // Fixed arrays: a dynamic one would be asked for its length at every write. Words past the counts of the header
    // belong to earlier, longer reports; no function hands them out, and overwriting them later is cheap.
    ForwardWord[EXPIRIES_LIMIT] private _forwards;
    ParamWord[INSTRUMENTS_LIMIT] private _params;

    event ReportAccepted(
        uint64 indexed round,
        uint64 indexed epoch,
        bytes32 indexed digest,
        uint64 observedAt,
        uint64 validUntil,
        bytes32 book,
        uint256 instruments
    );
    event GroupKeyRotated(address indexed previous, address indexed current, uint64 epoch);

    error ConsortiumZero();
    error GroupKeyZero();
    error GroupKeyUnchanged(address groupKey);
    error ConfigInvalid();
    error EpochNotNext(uint64 newEpoch, uint64 current);
    error WrongConsortium(bytes32 consortium);
    error WrongEpoch(uint64 epoch, uint64 current);
    error RoundNotNewer(uint64 round, uint64 latest);
    error ObservedInFuture(uint64 observedAt, uint256 timestamp);
    error ReportTooOld(uint64 observedAt, uint256 timestamp);
    error ReportExpired(uint64 validUntil, uint256 timestamp);
    error ValidityOutOfBounds(uint64 observedAt, uint64 validUntil);
    error ObservedBeforePrevious(uint64 observedAt, uint64 previous);
    error InstrumentCountOutOfBounds(uint256 instruments, uint256 maximum);
    error ExpiryCountOutOfBounds(uint256 expiries, uint256 maximum);
    error NotGroupKey(address recovered);
    error NoReport();
    error IndexOutOfRange(uint256 index, uint256 count);
    error RangeOutOfBounds(uint256 start, uint256 count, uint256 total);

    /// @param consortium_ Identity of the consortium
    /// @param groupKey_ Address of its group key
    /// @param epoch_ The key's epoch
    /// @param members_ Accounts of the members, distinct
    /// @param quorum_ How many of them govern
    /// @param config_ What is accepted
    constructor(
        bytes32 consortium_,
        address groupKey_,
        uint64 epoch_,
        address[] memory members_,
        uint256 quorum_,
        Config memory config_
    ) EIP712("MPC Hedge Report", "1") MembersMultisig(members_, quorum_) {
        if (consortium_ == bytes32(0)) revert ConsortiumZero();
        if (groupKey_ == address(0)) revert GroupKeyZero();
        if (
            config_.maxAge == 0 || config_.maxValidity == 0 || config_.maxInstruments == 0
                || config_.maxInstruments > INSTRUMENTS_LIMIT || config_.minVol == 0 || config_.minVol > config_.maxVol
                || config_.maxHedgeDelta == 0
        ) revert ConfigInvalid();
        _CONSORTIUM = consortium_;
        groupKey = groupKey_;
        epoch = epoch_;
        _config = config_;
        emit GroupKeyRotated(address(0), groupKey_, epoch_);
    }

    /// @notice Accepts a report that the group key signed.
    /// @param report The report
    /// @param signature 65 bytes r, s, v over its EIP-712 digest, low s, v 27 or 28
    function submit(
        HedgeReport calldata report,
        bytes calldata signature
    ) external whenNotPaused {
        Config memory config_ = _config;
        _checkHeader(report, config_);

        bytes32 digest = _hashTypedDataV4(report.structHash());
        address recovered = ECDSA.recoverCalldata(digest, signature);
        if (recovered != groupKey) revert NotGroupKey(recovered);

        _storeForwards(report.forwards, report.observedAt);
        _storeParams(report.params, ReportBounds.limitsOf(config_));
        _latest = Header({
            round: report.round,
            epoch: report.epoch,
            observedAt: report.observedAt,
            validUntil: report.validUntil,
            acceptedAt: uint64(block.timestamp),
            instruments: uint32(report.params.length),
            expiries: uint32(report.forwards.length),
            digest: digest,
            book: report.book,
            model: report.model,
            inputs: report.inputs
        });
        emit ReportAccepted(
            report.round, report.epoch, digest, report.observedAt, report.validUntil, report.book, report.params.length
        );
    }

    /// @notice Puts a new group key in force; reports under the old one are refused from now on.
    /// @param newGroupKey Its address
    /// @param newEpoch The current epoch plus one
    /// @param deadline Unix seconds after which the signatures are void
    /// @param signatures Members' signatures over `RotateGroupKey`, ascending by signer
    function rotateGroupKey(
        address newGroupKey,
        uint64 newEpoch,
        uint256 deadline,
        bytes[] calldata signatures
    ) external {
        address previous = groupKey;
        if (newGroupKey == address(0)) revert GroupKeyZero();
        if (newGroupKey == previous) revert GroupKeyUnchanged(newGroupKey);
        if (newEpoch != epoch + 1) revert EpochNotNext(newEpoch, epoch);
        _authorize(
            keccak256(abi.encode(_ROTATE_TYPE_HASH, newGroupKey, newEpoch, _currentNonce(), deadline)),
            deadline,
            signatures
        );
        groupKey = newGroupKey;
        epoch = newEpoch;
        emit GroupKeyRotated(previous, newGroupKey, newEpoch);
    }

    /// @notice Stops the acceptance of reports, and makes {isFresh} false.
    function pause(
        uint256 deadline,
        bytes[] calldata signatures
    ) external {
        _authorize(keccak256(abi.encode(_PAUSE_TYPE_HASH, _currentNonce(), deadline)), deadline, signatures);
        _pause();
    }

    /// @notice Ends a pause.
    function unpause(
        uint256 deadline,
        bytes[] calldata signatures
    ) external {
        _authorize(keccak256(abi.encode(_UNPAUSE_TYPE_HASH, _currentNonce(), deadline)), deadline, signatures);
        _unpause();
    }

    /// @notice The consortium whose reports are accepted here
    function consortium() external view returns (bytes32) {
        return _CONSORTIUM;
    }

    /// @notice Round of the latest report, 0 before the first
    function latestRound() external view returns (uint64) {
        return _latest.round;
    }

    /// @notice Header of the latest report; it may have expired, see {isFresh}
    function latest() external view returns (Header memory) {
        if (_latest.round == 0) revert NoReport();
        return _latest;
    }

    /// @notice Whether the latest report may be relied on now
    /// @dev False without a report, past its validity, while paused, and once the key that signed it was replaced.
    function isFresh() external view returns (bool) {
        Header storage header = _latest;
        return header.round != 0 && block.timestamp <= header.validUntil && !paused() && header.epoch == epoch;
    }

    /// @notice Parameters of the instrument at `index` of the latest report's book
    function param(
        uint256 index
    ) external view returns (ParamWord) {
        uint256 count = _latest.instruments;
        if (index >= count) revert IndexOutOfRange(index, count);
        return _params[index];
    }

    /// @notice Parameters of `count` instruments from `start` on
    function params(
        uint256 start,
        uint256 count
    ) external view returns (ParamWord[] memory words) {
        uint256 total = _latest.instruments;
        if (count > total || start > total - count) revert RangeOutOfBounds(start, count, total);
        words = new ParamWord[](count);
        for (uint256 i = 0; i < count; ++i) {
            words[i] = _params[start + i];
        }
    }

    /// @notice Expiries and forwards of the latest report
    function forwards() external view returns (ForwardWord[] memory words) {
        uint256 count = _latest.expiries;
        words = new ForwardWord[](count);
        for (uint256 i = 0; i < count; ++i) {
            words[i] = _forwards[i];
        }
    }

    /// @notice What the group key signs for this report
    function digestOf(
        HedgeReport calldata report
    ) external view returns (bytes32) {
        return _hashTypedDataV4(report.structHash());
    }

    /// @notice EIP-712 domain separator; {eip712Domain} has its parts
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @notice What is accepted
    function config() external view returns (Config memory) {
        return _config;
    }

    function _storeForwards(
        bytes32[] calldata words,
        uint64 observedAt
    ) private {
        uint40 previous = 0;
        for (uint256 i = 0; i < words.length; ++i) {
            ForwardWord word = ForwardWord.wrap(words[i]);
            previous = ReportBounds.checkForward(word, i, previous, observedAt);
            _forwards[i] = word;
        }
    }

    function _storeParams(
        bytes32[] calldata words,
        ReportBounds.Limits memory limits
    ) private {
        for (uint256 i = 0; i < words.length; ++i) {
            ParamWord word = ParamWord.wrap(words[i]);
            ReportBounds.checkParam(word, i, limits);
            _params[i] = word;
        }
    }

    function _checkHeader(
        HedgeReport calldata report,
        Config memory config_
    ) private view {
        Header storage previous = _latest;
        if (report.consortium != _CONSORTIUM) revert WrongConsortium(report.consortium);
        if (report.epoch != epoch) revert WrongEpoch(report.epoch, epoch);
        if (report.round <= previous.round) revert RoundNotNewer(report.round, previous.round);

        uint64 observedAt = report.observedAt;
        uint64 validUntil = report.validUntil;
        if (observedAt > block.timestamp + config_.maxFutureSkew) {
            revert ObservedInFuture(observedAt, block.timestamp);
        }
        if (block.timestamp > uint256(observedAt) + config_.maxAge) revert ReportTooOld(observedAt, block.timestamp);
        if (block.timestamp > validUntil) revert ReportExpired(validUntil, block.timestamp);
        if (validUntil <= observedAt || validUntil - observedAt > config_.maxValidity) {
            revert ValidityOutOfBounds(observedAt, validUntil);
        }
        if (observedAt < previous.observedAt) revert ObservedBeforePrevious(observedAt, previous.observedAt);

        uint256 instruments = report.params.length;
        if (instruments == 0 || instruments > config_.maxInstruments) {
            revert InstrumentCountOutOfBounds(instruments, config_.maxInstruments);
        }
        uint256 expiries = report.forwards.length;
        if (expiries == 0 || expiries > EXPIRIES_LIMIT) revert ExpiryCountOutOfBounds(expiries, EXPIRIES_LIMIT);
    }
}
