// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../src/HedgeReport.sol";
import {ReportBounds} from "../src/ReportBounds.sol";
import {ForwardWord} from "../src/types/ForwardWord.sol";
import {SubmitFixture} from "./support/SubmitFixture.sol";
import {WordPacker} from "./support/WordPacker.sol";

/// @dev Every word of a report is checked, and one that is out of bounds refuses the whole by name.
contract SubmitWordsTest is SubmitFixture {
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
}
