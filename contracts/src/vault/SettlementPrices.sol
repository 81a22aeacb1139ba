// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IHedgeFeed, Reading} from "../interfaces/IHedgeFeed.sol";
import {InstrumentWord} from "../types/InstrumentWord.sol";
import {VaultConfig} from "./VaultTypes.sol";

/// @title The price at which an expiry settles
/// @notice The forward of the last final report observed at or before expiry. Anyone proposes reports, and the latest
/// one wins; the price stands by itself once there has been time for every report to become final and for a first
/// proposal to be outbid. Whoever would propose an old report that suits him is outbid by anyone who proposes a later
/// one, so the rule needs one watcher within `proposalPeriod`, and before the ledger has stored 32 later reports and
/// forgets this one; both sides of every position have reason to be it. A `poke` of the vault in time keeps it, too.
///
/// Where the best report is older than `settlementLag` before expiry it stands after `fallbackDelay` only; and since
/// every instrument that was ever opened has left its mark here, a feed that is gone for ever traps no money.
///
/// A proof that the next report comes after expiry would need no watcher, but cannot be had: the next report's book
/// need not contain the instrument, the more so when it has expired, and a ledger that stops at expiry has no next
/// one.
/// @dev A contract of its own, made by the vault whose it is, because the vault's code would be too long with it.
/// Prices are kept by feed, underlying and expiry, and those of feeds that the vault does not have are of no use to
/// anybody.
contract SettlementPrices {
    /// @notice What a series would settle at
    /// @dev One storage slot.
    struct Candidate {
        /// 1e-8 of the quote currency
        uint96 forward;
        /// Unix seconds: of the report; 0 where there is none
        uint40 observedAt;
        /// Unix seconds: the first proposal of its kind, within the lag or not
        uint40 proposedAt;
    }

    address private immutable _VAULT;
    uint256 private immutable _LAG;
    uint256 private immutable _DELAY;
    uint256 private immutable _PERIOD;
    uint256 private immutable _FALLBACK;

    mapping(bytes32 series => Candidate) private _candidates;

    event PriceProposed(
        address indexed feed, bytes12 indexed underlying, uint40 indexed expiry, uint96 forward, uint40 observedAt
    );

    error SettlementTimesInvalid();
    error NotVault(address caller);
    error NotExpired(uint256 expiry);
    error ObservedAfterExpiry(uint256 observedAt, uint256 expiry);
    error ReportNotLater(uint256 observedAt, uint256 current);
    error PriceStands(uint256 standsAt);

    constructor(
        VaultConfig memory config
    ) {
        if (
            config.settlementLag == 0 || config.settlementDelay == 0 || config.proposalPeriod == 0
                || config.fallbackDelay <= config.settlementDelay
        ) revert SettlementTimesInvalid();
        _VAULT = msg.sender;
        _LAG = config.settlementLag;
        _DELAY = config.settlementDelay;
        _PERIOD = config.proposalPeriod;
        _FALLBACK = config.fallbackDelay;
    }

    /// @notice Proposes a report for the price of an expired instrument, and of all others of its feed, underlying and
    /// expiry. Anyone may call it.
    /// @dev Reverts before expiry, once the price stands, for a report observed after expiry, and for one not later
    /// than the best so far; as the feed does where the report is not final or lacks the instrument.
    /// @param feed The ledger
    /// @param instrument Its id there
    /// @param sequence The report
    function proposePrice(
        address feed,
        uint256 instrument,
        uint256 sequence
    ) external {
        InstrumentWord word = IHedgeFeed(feed).instrument(instrument);
        Reading memory reading = IHedgeFeed(feed).readingAt(instrument, sequence);
        _propose(feed, word, reading.forward, reading.observedAt);
    }

    /// @notice As {proposePrice}, with a reading that the vault has seen: also where the feed is gone. The vault only.
    /// @param forward 1e-8 of the quote currency
    /// @param observedAt Unix seconds
    function proposeSeen(
        address feed,
        InstrumentWord word,
        uint96 forward,
        uint40 observedAt
    ) external {
        if (msg.sender != _VAULT) revert NotVault(msg.sender);
        _propose(feed, word, forward, observedAt);
    }

    /// @notice The price of an instrument's expiry. Once it stands it never changes.
    /// @param feed The ledger
    /// @param word The instrument
    /// @return stands Whether it stands
    /// @return forward 1e-8 of the quote currency: the best proposal's, 0 where there is none
    function priceOf(
        address feed,
        InstrumentWord word
    ) external view returns (bool stands, uint256 forward) {
        Candidate memory candidate = _candidates[_seriesOf(feed, word)];
        return (_stands(candidate, word.expiry()), candidate.forward);
    }

    /// @notice The best report so far, and when it stands
    /// @return candidate Its forward and times, zeros where there is none
    /// @return standsAt Unix seconds; 0 where there is none
    function candidateOf(
        address feed,
        InstrumentWord word
    ) external view returns (Candidate memory candidate, uint256 standsAt) {
        candidate = _candidates[_seriesOf(feed, word)];
        if (candidate.observedAt != 0) standsAt = _standsAt(candidate, word.expiry());
    }

    function _propose(
        address feed,
        InstrumentWord word,
        uint96 forward,
        uint256 observedAt
    ) private {
        uint256 expiry = word.expiry();
        if (block.timestamp < expiry) revert NotExpired(expiry);
        if (observedAt > expiry) revert ObservedAfterExpiry(observedAt, expiry);
        Candidate storage best = _candidates[_seriesOf(feed, word)];
        Candidate memory current = best;
        if (_stands(current, expiry)) revert PriceStands(_standsAt(current, expiry));
        if (observedAt <= current.observedAt) revert ReportNotLater(observedAt, current.observedAt);

        // The first report within the lag starts the period anew: else an old one, proposed at once, would let whoever
        // comes first after the delay choose among those within it.
        bool restarts =
            current.observedAt == 0 || (!_isTimely(current.observedAt, expiry) && _isTimely(observedAt, expiry));
        (best.forward, best.observedAt) = (forward, uint40(observedAt));
        if (restarts) best.proposedAt = uint40(block.timestamp);
        emit PriceProposed(feed, word.underlying(), uint40(expiry), forward, uint40(observedAt));
    }

    function _stands(
        Candidate memory candidate,
        uint256 expiry
    ) private view returns (bool) {
        return candidate.observedAt != 0 && block.timestamp >= _standsAt(candidate, expiry);
    }

    function _standsAt(
        Candidate memory candidate,
        uint256 expiry
    ) private view returns (uint256) {
        uint256 earliest = expiry + (_isTimely(candidate.observedAt, expiry) ? _DELAY : _FALLBACK);
        uint256 outbid = candidate.proposedAt + _PERIOD;
        return earliest > outbid ? earliest : outbid;
    }

    function _isTimely(
        uint256 observedAt,
        uint256 expiry
    ) private view returns (bool) {
        return observedAt + _LAG >= expiry;
    }

    function _seriesOf(
        address feed,
        InstrumentWord word
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(feed, word.underlying(), word.expiry()));
    }
}
