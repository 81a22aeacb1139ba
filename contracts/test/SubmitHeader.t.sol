// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../src/HedgeReport.sol";
import {HedgeSettlement} from "../src/HedgeSettlement.sol";
import {SubmitFixture} from "./support/SubmitFixture.sol";

/// @dev Which round, whose, of when, and how many words: everything else is refused by name.
contract SubmitHeaderTest is SubmitFixture {
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
}
