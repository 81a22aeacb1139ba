// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, ReportCore} from "../../src/HedgeReport.sol";
import {IHedgeFeed, Reading} from "../../src/interfaces/IHedgeFeed.sol";
import {ISettlementEvents} from "../../src/interfaces/ISettlementEvents.sol";
import {RoundLedger} from "../../src/ledger/RoundLedger.sol";
import {StoredReports} from "../../src/ledger/StoredReports.sol";
import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";
import {SettlementFixture} from "../support/SettlementFixture.sol";
import {WordPacker} from "../support/WordPacker.sol";

/// @dev Readings by instrument: what was signed, once it is final, and only then.
contract StoredReportsTest is SettlementFixture {
    uint256 private constant COUNT = 12;

    uint256[] private _ids;

    function setUp() public override {
        super.setUp();
        (, _ids) = _register(COUNT);
    }

    function test_readingIsWhatWasSigned() public {
        HedgeReport memory report = _report(3, COUNT);
        assertTrue(_publishStored(report));
        _assertNoReading(_ids[0], 0);
        vm.warp(START + WINDOW);
        assertEq(settlement.latestSequence(), 1);
        for (uint256 i = 0; i < COUNT; ++i) {
            Reading memory reading = settlement.reading(_ids[i]);
            assertEq(ParamWord.unwrap(reading.param), report.params[i]);
            assertEq(reading.forward, i < COUNT / 2 ? FIRST_FORWARD : SECOND_FORWARD);
            assertEq(reading.sequence, 1);
            assertEq(reading.round, 3);
            assertEq(reading.observedAt, report.observedAt);
            assertEq(reading.validUntil, report.validUntil);
            assertEq(reading.acceptedAt, START);
            assertEq(keccak256(abi.encode(settlement.readingAt(_ids[i], 1))), keccak256(abi.encode(reading)));
        }
    }

    /// @dev All forwards of a book with many expiries, odd and even in number.
    function testFuzz_everyForward(
        uint8 count
    ) public {
        count = uint8(bound(count, 1, 64));
        InstrumentWord[] memory words = new InstrumentWord[](count);
        HedgeReport memory report = _report(1, count);
        report.forwards = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint40 expiry = uint40(START + 1 days + i * 1 hours);
            words[i] = WordPacker.instrument("ETH", 1, expiry, 4000e8);
            report.forwards[i] = WordPacker.forward(expiry, uint96(4000e8 + i * 12_345));
        }
        report.book = WordPacker.book(words);
        uint256[] memory ids = settlement.register(words);
        settlement.registerBook(ids);
        assertTrue(_publishStored(report));
        vm.warp(START + WINDOW);
        for (uint256 i = 0; i < count; ++i) {
            assertEq(settlement.reading(ids[i]).forward, 4000e8 + i * 12_345);
        }
    }

    function test_theBookMustBeRegisteredAndFit() public {
        HedgeReport memory report = _report(1, 6);
        _storeExpecting(report, abi.encodeWithSelector(StoredReports.BookNotRegistered.selector, report.book));
        report = _report(1, COUNT);
        report.params = _params(1, COUNT - 1);
        _storeExpecting(report, abi.encodeWithSelector(StoredReports.BookDoesNotFit.selector, report.book));
        report = _report(1, COUNT);
        report.forwards[1] = WordPacker.forward(SECOND_EXPIRY + 1, SECOND_FORWARD);
        _storeExpecting(report, abi.encodeWithSelector(StoredReports.BookDoesNotFit.selector, report.book));
        report = _report(1, COUNT);
        bytes32 first = report.forwards[0];
        report.forwards = new bytes32[](1);
        report.forwards[0] = first;
        _storeExpecting(report, abi.encodeWithSelector(StoredReports.BookDoesNotFit.selector, report.book));
    }

    function test_storedPace() public {
        _publishStored(_report(1, COUNT));
        uint256 pace = settlement.storedPace();
        assertEq(pace, WINDOW / 31 + 1);
        vm.warp(START + pace - 1);
        _storeExpecting(
            _report(2, COUNT),
            abi.encodeWithSelector(StoredReports.StoredTooSoon.selector, START + pace, START + pace - 1)
        );
        // In short it is taken all the same.
        assertTrue(_publish(_report(2, COUNT)));
        vm.warp(START + pace);
        vm.warp(block.timestamp + 10);
        assertTrue(_publishStored(_report(3, COUNT)));
    }

    /// @dev At the fastest pace, three times round: there is always a final reading, and it is the latest.
    function test_roundTheRing() public {
        uint256 pace = settlement.storedPace();
        for (uint256 i = 1; i <= 100; ++i) {
            vm.warp(START + i * pace);
            this.publishQuickly(uint64(i));
            uint256 latest = i * pace <= WINDOW ? 0 : (i * pace - WINDOW) / pace;
            assertEq(settlement.latestSequence(), latest);
            if (latest != 0) assertEq(settlement.reading(_ids[1]).round, latest);
        }
        _assertNoReading(_ids[0], 100 - 32);
        // Pending ones are kept, but read by nobody.
        _assertNoReading(_ids[0], 100);
        settlement.snapshot(100, 0, COUNT);
    }

    /// @dev Whoever brings a report in short keeps it from no contract: anybody stores it afterwards.
    function test_storeLater() public {
        HedgeReport memory report = _report(1, COUNT);
        _publish(report);
        vm.warp(START + 100);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        vm.prank(address(0xbeef));
        settlement.store(core, words, 1);
        vm.warp(START + WINDOW - 1);
        _assertNoReading(_ids[0], 0);
        // Final by the time of its acceptance, not of its storing.
        vm.warp(START + WINDOW);
        assertEq(settlement.reading(_ids[0]).acceptedAt, START);
        vm.expectRevert(abi.encodeWithSelector(ISettlementEvents.RoundNotNewer.selector, 1, 1));
        settlement.store(core, words, 1);
    }

    function test_storeOnlyWhatWasAccepted() public {
        HedgeReport memory report = _report(1, COUNT);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        bytes32 digest = settlement.digestOf(report);
        vm.expectRevert(abi.encodeWithSelector(ISettlementEvents.ReportNotAccepted.selector, digest, 1));
        settlement.store(core, words, 1);
        _publish(report);
        words[3] ^= bytes32(uint256(1));
        vm.expectPartialRevert(ISettlementEvents.ReportNotAccepted.selector);
        settlement.store(core, words, 1);
        words[3] ^= bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(ISettlementEvents.ReportNotAccepted.selector, digest, 2));
        settlement.store(core, words, 2);
        settlement.store(core, words, 1);
    }

    function test_storeInOrder() public {
        HedgeReport memory first = _report(1, COUNT);
        _publish(first);
        vm.warp(START + 30);
        _publishStored(_report(2, COUNT));
        (ReportCore memory core, bytes32[] memory words) = _compact(first);
        vm.expectRevert(abi.encodeWithSelector(ISettlementEvents.RoundNotNewer.selector, 1, 2));
        settlement.store(core, words, 1);
    }

    function test_anInstrumentOutsideTheBook() public {
        _publishStored(_report(1, COUNT));
        vm.warp(START + WINDOW);
        _assertNoReading(999, 1);
        uint256[] memory other = settlement.register(_instruments(40));
        uint256 outside = other[39];
        vm.expectRevert(abi.encodeWithSelector(IHedgeFeed.NoReading.selector, outside, 1));
        settlement.reading(outside);
    }

    /// @dev Dropped numbers are given again, so that final ones have no holes.
    function test_contiguousNumbers() public {
        _publishStored(_report(1, COUNT));
        bytes32 salt = bytes32(uint256(1));
        _schedule(_parametersHash(settlement, _defaultConfig(), _defaultTolerances(), salt, type(uint256).max));
        vm.warp(START + DELAY);
        _publishStored(_report(2, COUNT));
        members.setParameters(settlement, _defaultConfig(), _defaultTolerances(), salt, type(uint256).max);
        assertEq(settlement.status().stored, 1);
        vm.warp(block.timestamp + 30);
        _publishStored(_report(3, COUNT));
        vm.warp(block.timestamp + WINDOW);
        assertEq(settlement.latestSequence(), 2);
        assertEq(settlement.readingAt(_ids[0], 2).round, 3);
        assertEq(settlement.readingAt(_ids[0], 1).round, 1);
    }

    function test_snapshotRefusals() public {
        vm.expectRevert(abi.encodeWithSelector(RoundLedger.SequenceUnknown.selector, 1, 0));
        settlement.snapshot(1, 0, 1);
        HedgeReport memory report = _report(1, COUNT);
        _publishStored(report);
        (uint64 round, uint256 bookId, uint256 acceptedAt, ParamWord[] memory params) = settlement.snapshot(1, 2, 3);
        assertEq(round, 1);
        assertEq(bookId, settlement.bookIdOf(report.book));
        assertEq(acceptedAt, START);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(ParamWord.unwrap(params[i]), report.params[2 + i]);
        }
    }

    /// @dev A call of its own, so that its memory is given back.
    function publishQuickly(
        uint64 round
    ) external {
        _publishStored(_report(round, COUNT));
    }

    function _storeExpecting(
        HedgeReport memory report,
        bytes memory refusal
    ) private {
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        vm.expectRevert(refusal);
        settlement.settleAndStore(core, words, r, vs);
    }

    function _assertNoReading(
        uint256 id,
        uint256 sequence
    ) private {
        vm.expectRevert(abi.encodeWithSelector(IHedgeFeed.NoReading.selector, id, sequence));
        settlement.readingAt(id, sequence);
    }
}
