// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../src/HedgeReport.sol";
import {HedgeSettlement} from "../src/HedgeSettlement.sol";
import {SubmitFixture} from "./support/SubmitFixture.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @dev Only the group key's signature of this very report, for this very contract, in its one form.
contract SubmitSignatureTest is SubmitFixture {
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
}
