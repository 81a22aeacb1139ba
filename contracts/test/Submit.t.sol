// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../src/HedgeReport.sol";
import {HedgeSettlement} from "../src/HedgeSettlement.sol";
import {ReportBounds} from "../src/ReportBounds.sol";
import {ParamWord} from "../src/types/ParamWord.sol";
import {SubmitFixture} from "./support/SubmitFixture.sol";
import {WordPacker} from "./support/WordPacker.sol";

/// @dev What is accepted is stored whole and can be read; what is refused changes nothing.
contract SubmitTest is SubmitFixture {
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
}
