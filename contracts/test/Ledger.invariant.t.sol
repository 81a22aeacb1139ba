// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, ReportCore} from "../src/HedgeReport.sol";
import {Reading} from "../src/interfaces/IHedgeFeed.sol";
import {IReportJudge, Law} from "../src/interfaces/IReportJudge.sol";
import {ReportJudge} from "../src/judge/ReportJudge.sol";
import {RoundLedger} from "../src/ledger/RoundLedger.sol";
import {ParamWord} from "../src/types/ParamWord.sol";
import {ILedger} from "./support/ILedger.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";

/// @dev Publishers, members, challengers and time, in any order, around the real judge; remembers what should hold.
contract LedgerHandler is SettlementFixture {
    uint256 private constant COUNT = 6;

    /// What was accepted as each number: of the last report that had it
    mapping(uint256 sequence => bytes32 digest) public digests;
    mapping(uint256 sequence => uint256 time) public acceptedAt;
    /// What a stored number once read as final
    mapping(uint256 stored => bytes32 words) public finalWords;
    uint64 public lastRound;
    uint256 public highestFinal;
    uint256 public highestStored;
    uint256 public accepted;
    uint256 public refused;
    uint256 public challenges;
    uint256 public slashes;
    bool public honestSlashed;
    bool public acceptedWrongly;
    bool public refusedWrongly;
    bool public finalChanged;
    bool private _paused;
    uint256[] private _ids;
    HedgeReport private _lastHonest;

    constructor() {
        setUp();
        (, _ids) = _register(COUNT);
        vm.deal(address(this), 1000 ether);
    }

    receive() external payable {}

    function ledger() external view returns (ILedger) {
        return settlement;
    }

    function ids() external view returns (uint256[] memory) {
        return _ids;
    }

    function publish(
        uint64 round,
        bool store,
        bool stranger
    ) external {
        _wait(1 + settlement.pace());
        round = uint64(bound(round, lastRound < 2 ? 1 : lastRound - 1, uint256(lastRound) + 3));
        HedgeReport memory report = _report(round, COUNT);
        uint256 key = groupPrivateKey;
        if (stranger) groupPrivateKey = 987;
        (bytes32 r, bytes32 vs) = _signCompact(report);
        groupPrivateKey = key;
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        bool good = !stranger && !_paused && round > lastRound && settlement.groupKey() == vm.addr(groupPrivateKey);
        RoundLedger.Status memory before = settlement.status();
        bytes memory call = store
            ? abi.encodeCall(settlement.settleAndStore, (core, words, r, vs))
            : abi.encodeCall(settlement.settle, (core, words, r, vs));
        (bool success, bytes memory answer) = address(settlement).call(call);
        if (success && abi.decode(answer, (bool))) {
            if (!good) acceptedWrongly = true;
            ++accepted;
            lastRound = round;
            digests[before.sequence + 1] = settlement.digestOf(report);
            acceptedAt[before.sequence + 1] = vm.getBlockTimestamp();
            _lastHonest = report;
        } else {
            // Storing has a pace of its own.
            if (good && !store) refusedWrongly = true;
            ++refused;
        }
        _look();
    }

    /// @dev An honest report, challenged by a law over any of its instruments.
    function challengeHonest(
        uint8 law,
        uint256 a,
        uint256 b,
        uint256 c
    ) external {
        if (_lastHonest.round == 0 || settlement.groupKey() == address(0)) return;
        uint256[] memory chosen = new uint256[](law % 6 == 4 ? 3 : law % 6 == 1 || law % 6 == 3 ? 2 : 1);
        uint256[3] memory drawn = [_ids[a % COUNT], _ids[b % COUNT], _ids[c % COUNT]];
        for (uint256 i = 0; i < chosen.length; ++i) {
            chosen[i] = drawn[i];
        }
        HedgeReport memory report = _lastHonest;
        try settlement.challenge{value: CHALLENGE_BOND}(report, _sign(report), Law(law % 6), chosen) returns (
            bool upheld
        ) {
            if (upheld) honestSlashed = true;
            ++challenges;
        } catch {
            ++refused;
        }
        _look();
    }

    /// @dev Two reports for one round; the members put another key in force afterwards.
    function equivocate(
        uint8 chance
    ) external {
        if (chance % 4 != 0 || settlement.groupKey() != vm.addr(groupPrivateKey)) return;
        (HedgeReport memory one, HedgeReport memory other) = (_report(lastRound + 1, 2), _report(lastRound + 1, 2));
        other.params[0] ^= bytes32(uint256(1));
        settlement.equivocate(_signedHeader(one), _signedHeader(other));
        ++slashes;
        _look();
        _rotate(uint256(keccak256(abi.encode(slashes, chance))), 0);
        _look();
    }

    function rotate(
        uint256 seed,
        uint16 overlap
    ) external {
        if (settlement.groupKey() == address(0)) return;
        _rotate(uint256(keccak256(abi.encode(seed, "rotated"))), overlap);
        _look();
    }

    function parameters() external {
        _setParameters(settlement, _defaultConfig(), _defaultTolerances());
        _look();
    }

    function pauseOrNot() external {
        if (_paused) _unpause(settlement);
        else _pause(settlement);
        _paused = !_paused;
        _look();
    }

    function wait(
        uint16 time
    ) external {
        _wait(time % 900);
        _look();
    }

    function _judge() internal override returns (IReportJudge) {
        return new ReportJudge();
    }

    function _wait(
        uint256 time
    ) private {
        // Options of the book must live.
        if (vm.getBlockTimestamp() + time < FIRST_EXPIRY - 5 days) vm.warp(vm.getBlockTimestamp() + time);
    }

    /// @dev What is final only grows, and reads the same for ever.
    function _look() private {
        uint256 latest = settlement.finalSequence();
        if (latest < highestFinal) finalChanged = true;
        highestFinal = latest;
        latest = settlement.latestSequence();
        if (latest < highestStored) finalChanged = true;
        for (uint256 i = highestStored + 1; i <= latest; ++i) {
            if (i + 32 <= settlement.status().stored) continue;
            finalWords[i] = wordsOf(i);
        }
        highestStored = latest;
    }

    function wordsOf(
        uint256 stored
    ) public view returns (bytes32) {
        bytes memory joined;
        for (uint256 i = 0; i < COUNT; ++i) {
            Reading memory reading = settlement.readingAt(_ids[i], stored);
            joined = abi.encodePacked(joined, ParamWord.unwrap(reading.param), reading.forward, reading.round);
        }
        return keccak256(joined);
    }
}

/// @dev `test/INVARIANTS.md` lists them.
contract LedgerInvariantTest is SettlementFixture {
    LedgerHandler private _handler;

    function setUp() public override {
        _handler = new LedgerHandler();
        settlement = _handler.ledger();
        bytes4[] memory selectors = new bytes4[](10);
        (selectors[0], selectors[1], selectors[2], selectors[3]) =
        (
            LedgerHandler.publish.selector,
            LedgerHandler.publish.selector,
            LedgerHandler.publish.selector,
            LedgerHandler.challengeHonest.selector
        );
        (selectors[4], selectors[5], selectors[6]) =
        (LedgerHandler.equivocate.selector, LedgerHandler.rotate.selector, LedgerHandler.parameters.selector);
        (selectors[7], selectors[8], selectors[9]) =
        (LedgerHandler.pauseOrNot.selector, LedgerHandler.wait.selector, LedgerHandler.challengeHonest.selector);
        targetContract(address(_handler));
        targetSelector(FuzzSelector({addr: address(_handler), selectors: selectors}));
    }

    function invariant_nothingIsTakenOrRefusedWrongly() public view {
        assertFalse(_handler.acceptedWrongly());
        assertFalse(_handler.refusedWrongly());
    }

    function invariant_aValidReportIsNeverSlashed() public view {
        assertFalse(_handler.honestSlashed());
    }

    function invariant_finalIsForEver() public view {
        assertFalse(_handler.finalChanged());
        uint256 stored = settlement.status().stored;
        for (uint256 i = _handler.highestStored(); i > 0 && i + 32 > stored; --i) {
            if (_handler.finalWords(i) != 0) assertEq(_handler.wordsOf(i), _handler.finalWords(i));
        }
    }

    function invariant_roundsOnlyGrow() public view {
        assertEq(settlement.latestRound(), _handler.lastRound());
    }

    /// @dev Each number is that of the report that was accepted under it last, and final no sooner than its window.
    function invariant_theRingHoldsWhatWasAccepted() public view {
        uint256 head = settlement.status().sequence;
        for (uint256 i = head; i > 0 && i + 8 > head; --i) {
            (uint256 digest216, uint256 acceptedAt, bool isFinal) = settlement.accepted(i);
            assertEq(digest216, uint256(_handler.digests(i)) % 2 ** 216);
            assertEq(acceptedAt, _handler.acceptedAt(i));
            if (isFinal) assertGe(vm.getBlockTimestamp(), acceptedAt + WINDOW);
            assertEq(isFinal, i <= settlement.finalSequence());
        }
    }

    /// @dev The ledger keeps nothing but forfeited challenge bonds.
    function invariant_onlyForfeitsAreKept() public view {
        assertEq(address(settlement).balance, _handler.challenges() * CHALLENGE_BOND);
    }

    function invariant_liveMeansUsable() public view {
        if (!settlement.isLive()) return;
        RoundLedger.Status memory status = settlement.status();
        assertFalse(status.paused || status.flagged);
        assertNotEq(settlement.groupKey(), address(0));
        assertLe(vm.getBlockTimestamp(), status.validUntil);
    }

    /// @dev The handler meets all kinds of answers, or the invariants would say little.
    function test_handlerMeetsAll() public {
        _handler.publish(1, true, false);
        _handler.publish(2, false, true);
        _handler.publish(2, false, false);
        assertEq(_handler.accepted(), 2);
        assertEq(_handler.refused(), 1);
        _handler.challengeHonest(0, 1, 0, 0);
        _handler.challengeHonest(1, 1, 0, 0);
        _handler.challengeHonest(2, 1, 0, 0);
        assertEq(_handler.challenges(), 3);
        _handler.pauseOrNot();
        _handler.publish(3, false, false);
        assertEq(_handler.refused(), 2);
        _handler.pauseOrNot();
        _handler.publish(3, false, false);
        _handler.rotate(1, 100);
        _handler.publish(4, true, false);
        assertEq(_handler.accepted(), 4);
        _handler.equivocate(0);
        assertEq(_handler.slashes(), 1);
        _handler.publish(6, true, false);
        assertEq(_handler.accepted(), 5);
        assertEq(_handler.highestFinal(), 3);
        assertFalse(_handler.honestSlashed() || _handler.acceptedWrongly() || _handler.finalChanged());
    }
}
