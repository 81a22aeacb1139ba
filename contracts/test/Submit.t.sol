// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../src/HedgeReport.sol";
import {HedgeSettlement} from "../src/HedgeSettlement.sol";
import {ReportBounds} from "../src/ReportBounds.sol";
import {ForwardWord} from "../src/types/ForwardWord.sol";
import {ParamWord} from "../src/types/ParamWord.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";
import {WordPacker} from "./support/WordPacker.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @dev What is accepted is stored whole; everything else is refused by name, and changes nothing.
contract SubmitTest is SettlementFixture {
    function test_acceptsAndStores() public {
        HedgeReport memory report = _report(5, 16);
        bytes memory signature = _sign(report);
        bytes32 digest = settlement.digestOf(report);
        vm.expectEmit(address(settlement));
        emit HedgeSettlement.ReportAccepted(
            5, EPOCH, digest, report.observedAt, report.validUntil, report.book, report.params.length
        );
        vm.prank(address(0xBEEF));
        settlement.submit(report, signature);

        HedgeSettlement.Header memory header = settlement.latest();
        assertEq(settlement.latestRound(), 5);
        assertEq(header.round, 5);
        assertEq(header.epoch, EPOCH);
        assertEq(header.observedAt, report.observedAt);
        assertEq(header.validUntil, report.validUntil);
        assertEq(header.acceptedAt, block.timestamp);
        assertEq(header.instruments, 16);
        assertEq(header.expiries, 2);
        assertEq(header.digest, digest);
        assertEq(header.book, report.book);
        assertEq(header.model, report.model);
        assertEq(header.inputs, report.inputs);
        _assertStored(report);
        assertTrue(settlement.isFresh());
    }

    function testFuzz_storesWhatWasSigned(
        uint64 round,
        uint8 instruments,
        bytes32 seed
    ) public {
        vm.assume(round > 0);
        HedgeReport memory report = _report(round, uint256(instruments) + 1);
        report.params = _params(uint64(uint256(seed)), uint256(instruments) + 1);
        _submit(report);
        _assertStored(report);
    }

    function test_longerThenShorterReport() public {
        _submit(_report(1, 12));
        HedgeReport memory report = _report(2, 3);
        report.forwards = new bytes32[](1);
        report.forwards[0] = WordPacker.forward(uint40(block.timestamp) + 1, 1);
        _submit(report);
        _assertStored(report);
        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.IndexOutOfRange.selector, 3, 3));
        settlement.param(3);
    }

    function test_rangesOfParams() public {
        HedgeReport memory report = _report(1, 5);
        _submit(report);
        ParamWord[] memory some = settlement.params(1, 3);
        assertEq(some.length, 3);
        assertEq(ParamWord.unwrap(some[2]), report.params[3]);
        assertEq(settlement.params(5, 0).length, 0);

        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.RangeOutOfBounds.selector, 3, 3, 5));
        settlement.params(3, 3);
        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.RangeOutOfBounds.selector, 6, 0, 5));
        settlement.params(6, 0);
        uint256 huge = type(uint256).max;
        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.RangeOutOfBounds.selector, huge, huge, 5));
        settlement.params(huge, huge);
    }

    function test_nothingBeforeTheFirstReport() public {
        assertEq(settlement.latestRound(), 0);
        assertFalse(settlement.isFresh());
        assertEq(settlement.forwards().length, 0);
        vm.expectRevert(HedgeSettlement.NoReport.selector);
        settlement.latest();
        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.IndexOutOfRange.selector, 0, 0));
        settlement.param(0);
    }

    function test_freshUntilValidUntil() public {
        HedgeReport memory report = _report(1, 1);
        _submit(report);
        vm.warp(report.validUntil);
        assertTrue(settlement.isFresh());
        vm.warp(uint256(report.validUntil) + 1);
        assertFalse(settlement.isFresh());
    }

    // Order, identity and time

    function test_refusesAnotherConsortium() public {
        HedgeReport memory report = _report(1, 1);
        report.consortium = keccak256("another");
        _submitExpecting(report, abi.encodeWithSelector(HedgeSettlement.WrongConsortium.selector, report.consortium));
    }

    function testFuzz_refusesAnotherEpoch(
        uint64 epoch
    ) public {
        vm.assume(epoch != EPOCH);
        HedgeReport memory report = _report(1, 1);
        report.epoch = epoch;
        _submitExpecting(report, abi.encodeWithSelector(HedgeSettlement.WrongEpoch.selector, epoch, EPOCH));
    }

    function test_refusesARoundTwice() public {
        HedgeReport memory report = _report(9, 1);
        _submit(report);
        _submitExpecting(report, abi.encodeWithSelector(HedgeSettlement.RoundNotNewer.selector, 9, 9));
    }

    function testFuzz_refusesEarlierRounds(
        uint64 latest,
        uint64 round
    ) public {
        latest = uint64(bound(latest, 1, type(uint64).max));
        round = uint64(bound(round, 0, latest));
        _submit(_report(latest, 1));
        _submitExpecting(
            _report(round, 1), abi.encodeWithSelector(HedgeSettlement.RoundNotNewer.selector, round, latest)
        );
    }

    function test_refusesRoundZero() public {
        _submitExpecting(_report(0, 1), abi.encodeWithSelector(HedgeSettlement.RoundNotNewer.selector, 0, 0));
    }

    function test_futureSkew() public {
        HedgeReport memory report = _report(1, 1);
        report.observedAt = START + 61;
        _submitExpecting(
            report, abi.encodeWithSelector(HedgeSettlement.ObservedInFuture.selector, report.observedAt, START)
        );
        report.observedAt = START + 60;
        _submit(report);
    }

    function test_age() public {
        HedgeReport memory report = _report(1, 1);
        vm.warp(START + 601);
        _submitExpecting(report, abi.encodeWithSelector(HedgeSettlement.ReportTooOld.selector, START, block.timestamp));
        vm.warp(START + 600);
        _submit(report);
    }

    function test_expired() public {
        HedgeReport memory report = _report(1, 1);
        report.validUntil = START + 30;
        vm.warp(START + 31);
        _submitExpecting(
            report, abi.encodeWithSelector(HedgeSettlement.ReportExpired.selector, START + 30, START + 31)
        );
        vm.warp(START + 30);
        _submit(report);
    }

    function test_validity() public {
        HedgeReport memory report = _report(1, 1);
        report.validUntil = START + 3601;
        _submitExpecting(
            report, abi.encodeWithSelector(HedgeSettlement.ValidityOutOfBounds.selector, START, START + 3601)
        );
        report.validUntil = START;
        _submitExpecting(report, abi.encodeWithSelector(HedgeSettlement.ValidityOutOfBounds.selector, START, START));
        report.validUntil = START + 10;
        report.observedAt = START + 20;
        _submitExpecting(
            report, abi.encodeWithSelector(HedgeSettlement.ValidityOutOfBounds.selector, START + 20, START + 10)
        );
        report.observedAt = START;
        report.validUntil = START + 3600;
        _submit(report);
    }

    function testFuzz_extremeTimesAreRefusedByName(
        uint64 observedAt,
        uint64 validUntil
    ) public {
        vm.assume(observedAt > START + 60 || observedAt < START - 600 || validUntil < START);
        HedgeReport memory report = _report(1, 1);
        (report.observedAt, report.validUntil) = (observedAt, validUntil);
        bytes memory signature = _sign(report);
        try settlement.submit(report, signature) {
            assertTrue(false, "accepted");
        } catch (bytes memory refusal) {
            bytes4 selector = bytes4(refusal);
            assertTrue(
                selector == HedgeSettlement.ObservedInFuture.selector
                    || selector == HedgeSettlement.ReportTooOld.selector
                    || selector == HedgeSettlement.ReportExpired.selector
            );
        }
    }

    function test_observationsDoNotGoBack() public {
        _submit(_report(1, 1));
        HedgeReport memory report = _report(2, 1);
        report.observedAt = START - 1;
        _submitExpecting(
            report, abi.encodeWithSelector(HedgeSettlement.ObservedBeforePrevious.selector, START - 1, START)
        );
        report.observedAt = START;
        _submit(report);
    }

    // Sizes

    function test_instrumentCount() public {
        bytes4 selector = HedgeSettlement.InstrumentCountOutOfBounds.selector;
        _submitExpecting(_report(1, 0), abi.encodeWithSelector(selector, 0, 700));
        _submitExpecting(_report(1, 701), abi.encodeWithSelector(selector, 701, 700));
        _submit(_report(1, 700));
    }

    function test_expiryCount() public {
        HedgeReport memory report = _report(1, 1);
        report.forwards = new bytes32[](0);
        bytes4 selector = HedgeSettlement.ExpiryCountOutOfBounds.selector;
        _submitExpecting(report, abi.encodeWithSelector(selector, 0, 64));
        report.forwards = _ascending(65);
        _submitExpecting(report, abi.encodeWithSelector(selector, 65, 64));
        report.forwards = _ascending(64);
        _submit(report);
        _assertStored(report);
    }

    // Forwards

    function test_forwardReservedBits() public {
        HedgeReport memory report = _report(1, 1);
        uint256 good = uint256(report.forwards[1]);
        for (uint256 bit = 136; bit < 256; bit += 7) {
            report.forwards[1] = bytes32(good | uint256(1) << bit);
            _submitExpecting(report, abi.encodeWithSelector(ReportBounds.ForwardReservedBits.selector, 1));
        }
    }

    function test_forwardZero() public {
        HedgeReport memory report = _report(1, 1);
        report.forwards[0] = WordPacker.forward(uint40(START) + 1 days, 0);
        _submitExpecting(report, abi.encodeWithSelector(ReportBounds.ForwardZero.selector, 0));
    }

    function test_expiryPassed() public {
        HedgeReport memory report = _report(1, 1);
        report.forwards[0] = WordPacker.forward(uint40(START), 1);
        _submitExpecting(report, abi.encodeWithSelector(ReportBounds.ExpiryPassed.selector, 0, START, START));
    }

    function test_expiriesAscend() public {
        HedgeReport memory report = _report(1, 1);
        report.forwards[1] = report.forwards[0];
        uint40 expiry = ForwardWord.wrap(report.forwards[0]).expiry();
        _submitExpecting(report, abi.encodeWithSelector(ReportBounds.ExpiryNotAscending.selector, 1, expiry, expiry));
    }

    // Params; the words that no configuration accepts are in Words.t.sol too

    function test_paramReservedBits() public {
        WordPacker.Param memory fields = _fields();
        fields.reserved = 1;
        _refusesAtIndex2(fields, abi.encodeWithSelector(ReportBounds.ParamReservedBits.selector, 2));
    }

    function test_volBounds() public {
        WordPacker.Param memory fields = _fields();
        fields.iv = 9999;
        _refusesAtIndex2(fields, abi.encodeWithSelector(ReportBounds.VolOutOfBounds.selector, 2, 9999));
        fields.iv = 10_000_001;
        _refusesAtIndex2(fields, abi.encodeWithSelector(ReportBounds.VolOutOfBounds.selector, 2, 10_000_001));
        fields.iv = 10_000;
        _accepts(1, fields);
        fields.iv = 10_000_000;
        _accepts(2, fields);
    }

    function test_deltaBounds() public {
        WordPacker.Param memory fields = _fields();
        fields.bsDelta = 1_000_001;
        _refusesAtIndex2(fields, abi.encodeWithSelector(ReportBounds.DeltaOutOfBounds.selector, 2, 1_000_001));
        fields.bsDelta = -1_000_001;
        _refusesAtIndex2(fields, abi.encodeWithSelector(ReportBounds.DeltaOutOfBounds.selector, 2, -1_000_001));
        fields.bsDelta = type(int24).min;
        _refusesAtIndex2(fields, abi.encodeWithSelector(ReportBounds.DeltaOutOfBounds.selector, 2, type(int24).min));
        fields.bsDelta = 1_000_000;
        _accepts(1, fields);
        fields.bsDelta = -1_000_000;
        _accepts(2, fields);
    }

    function test_hedgeDeltaBounds() public {
        bytes4 selector = ReportBounds.HedgeDeltaOutOfBounds.selector;
        WordPacker.Param memory fields = _fields();
        fields.hedgeDelta = 2_000_001;
        _refusesAtIndex2(fields, abi.encodeWithSelector(selector, 2, 2_000_001));
        fields.hedgeDelta = -2_000_001;
        _refusesAtIndex2(fields, abi.encodeWithSelector(selector, 2, -2_000_001));
        fields.hedgeDelta = type(int24).min;
        _refusesAtIndex2(fields, abi.encodeWithSelector(selector, 2, type(int24).min));
        fields.hedgeDelta = 2_000_000;
        _accepts(1, fields);
        fields.hedgeDelta = -2_000_000;
        _accepts(2, fields);
    }

    function test_margins() public {
        uint24 absent = type(uint24).max;
        bytes4 selector = ReportBounds.MarginsInconsistent.selector;
        WordPacker.Param memory fields = _fields();
        (fields.maintenanceMargin, fields.initialMargin) = (2, 1);
        _refusesAtIndex2(fields, abi.encodeWithSelector(selector, 2, 2, 1));
        (fields.maintenanceMargin, fields.initialMargin) = (absent, 1);
        _refusesAtIndex2(fields, abi.encodeWithSelector(selector, 2, absent, 1));
        (fields.maintenanceMargin, fields.initialMargin) = (1, absent);
        _refusesAtIndex2(fields, abi.encodeWithSelector(selector, 2, 1, absent));
        (fields.maintenanceMargin, fields.initialMargin) = (absent, absent);
        _accepts(1, fields);
        (fields.maintenanceMargin, fields.initialMargin) = (5, 5);
        _accepts(2, fields);
    }

    // Signatures

    function testFuzz_refusesAnotherKey(
        uint256 key
    ) public {
        key = bound(key, 1, type(uint128).max);
        vm.assume(key != groupPrivateKey);
        HedgeReport memory report = _report(1, 1);
        bytes memory signature = _signature(key, settlement.digestOf(report));
        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.NotGroupKey.selector, vm.addr(key)));
        settlement.submit(report, signature);
    }

    function testFuzz_refusesAChangedReport(
        uint8 field,
        bytes32 noise
    ) public {
        HedgeReport memory report = _report(7, 4);
        bytes memory signature = _sign(report);
        bytes32 digest = settlement.digestOf(report);
        field = uint8(bound(field, 0, 6));
        if (field == 0) report.round = uint64(bound(uint256(noise), 1, type(uint64).max));
        if (field == 1) report.validUntil = uint64(bound(uint256(noise), START + 1, START + 3600));
        if (field == 2) report.book = noise;
        if (field == 3) report.model = noise;
        if (field == 4) report.inputs = noise;
        if (field == 5) report.params = _params(uint64(uint256(noise)), 4);
        if (field == 6) report.forwards = _ascending(bound(uint256(noise), 1, 64));
        vm.assume(settlement.digestOf(report) != digest);
        vm.expectPartialRevert(HedgeSettlement.NotGroupKey.selector);
        settlement.submit(report, signature);
    }

    function test_refusesHighS() public {
        HedgeReport memory report = _report(1, 1);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(groupPrivateKey, settlement.digestOf(report));
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes32 high = bytes32(order - uint256(s));
        bytes memory signature = abi.encodePacked(r, high, v == 27 ? uint8(28) : uint8(27));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, high));
        settlement.submit(report, signature);
    }

    function test_refusesOtherLengths() public {
        HedgeReport memory report = _report(1, 1);
        bytes memory signature = _sign(report);
        bytes[3] memory wrong = [bytes(""), new bytes(64), abi.encodePacked(signature, uint8(0))];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, wrong[i].length));
            settlement.submit(report, wrong[i]);
        }
    }

    function testFuzz_refusesOtherV(
        uint8 v
    ) public {
        vm.assume(v != 27 && v != 28);
        HedgeReport memory report = _report(1, 1);
        (, bytes32 r, bytes32 s) = vm.sign(groupPrivateKey, settlement.digestOf(report));
        vm.expectRevert(ECDSA.ECDSAInvalidSignature.selector);
        settlement.submit(report, abi.encodePacked(r, s, v));
    }

    function test_signatureOfAnotherContractDoesNotPass() public {
        HedgeSettlement other = new HedgeSettlement(
            CONSORTIUM, vm.addr(groupPrivateKey), EPOCH, memberAddresses, QUORUM, _defaultConfig()
        );
        HedgeReport memory report = _report(1, 1);
        bytes memory signature = _sign(report);
        vm.expectPartialRevert(HedgeSettlement.NotGroupKey.selector);
        other.submit(report, signature);
    }

    function test_aRefusalChangesNothing() public {
        HedgeReport memory first = _report(1, 4);
        _submit(first);
        HedgeReport memory second = _report(2, 4);
        WordPacker.Param memory fields = _fields();
        fields.reserved = 1;
        second.params[3] = WordPacker.param(fields);
        _submitExpecting(second, abi.encodeWithSelector(ReportBounds.ParamReservedBits.selector, 3));
        assertEq(settlement.latestRound(), 1);
        _assertStored(first);
    }

    function _fields() private pure returns (WordPacker.Param memory) {
        return WordPacker.Param({
            iv: 650_000,
            bsDelta: 512_345,
            hedgeDelta: 498_765,
            gamma: 1_234_567,
            vega: 12_345_678,
            premium: 4_567_890,
            maintenanceMargin: 150_000,
            initialMargin: 200_000,
            reserved: 0
        });
    }

    function _refusesAtIndex2(
        WordPacker.Param memory fields,
        bytes memory refusal
    ) private {
        HedgeReport memory report = _report(1, 4);
        report.params[2] = WordPacker.param(fields);
        _submitExpecting(report, refusal);
    }

    function _accepts(
        uint64 round,
        WordPacker.Param memory fields
    ) private {
        HedgeReport memory report = _report(round, 4);
        report.params[2] = WordPacker.param(fields);
        _submit(report);
        _assertStored(report);
    }

    function _ascending(
        uint256 count
    ) private pure returns (bytes32[] memory words) {
        words = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            words[i] = WordPacker.forward(uint40(START + 1 + i), uint96(1 + i));
        }
    }

    function _assertStored(
        HedgeReport memory report
    ) private view {
        ParamWord[] memory params = settlement.params(0, report.params.length);
        assertEq(params.length, report.params.length);
        for (uint256 i = 0; i < params.length; ++i) {
            assertEq(ParamWord.unwrap(params[i]), report.params[i]);
        }
        assertEq(ParamWord.unwrap(settlement.param(0)), report.params[0]);
        ForwardWord[] memory forwards = settlement.forwards();
        assertEq(forwards.length, report.forwards.length);
        for (uint256 i = 0; i < forwards.length; ++i) {
            assertEq(ForwardWord.unwrap(forwards[i]), report.forwards[i]);
        }
    }
}
