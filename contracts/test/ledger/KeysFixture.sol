// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, ReportCore, SignedHeader} from "../../src/HedgeReport.sol";
import {SettlementFixture} from "../support/SettlementFixture.sol";

/// @dev Reports and proofs under a key and epoch of one's choice.
abstract contract KeysFixture is SettlementFixture {
    uint256 internal constant NEW_KEY = uint256(keccak256("new group key"));
    uint256 internal constant THIRD_KEY = uint256(keccak256("third group key"));

    function _settleBy(
        uint256 key,
        uint64 reportEpoch,
        uint64 round,
        bytes memory refusal
    ) internal {
        HedgeReport memory report = _report(round, 1);
        report.epoch = reportEpoch;
        (bytes32 r, bytes32 vs) = vm.signCompact(key, settlement.digestOf(report));
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        if (refusal.length != 0) vm.expectRevert(refusal);
        settlement.settle(core, words, r, vs);
    }

    /// @dev Two reports for round 77, signed.
    function _lies(
        uint256 key,
        uint64 reportEpoch
    ) internal view returns (SignedHeader memory one, SignedHeader memory other) {
        return (_lie(key, reportEpoch, "one"), _lie(key, reportEpoch, "other"));
    }

    /// @dev By the challenger.
    function _slash(
        address challenger,
        uint256 key,
        uint64 reportEpoch,
        bytes memory refusal
    ) internal {
        (SignedHeader memory one, SignedHeader memory other) = _lies(key, reportEpoch);
        vm.prank(challenger);
        if (refusal.length != 0) vm.expectRevert(refusal);
        settlement.equivocate(one, other);
    }

    function _lie(
        uint256 key,
        uint64 reportEpoch,
        bytes32 model
    ) private view returns (SignedHeader memory header) {
        HedgeReport memory report = _report(77, 1);
        (report.epoch, report.model) = (reportEpoch, model);
        header = _signedHeader(report);
        (header.r, header.vs) = vm.signCompact(key, settlement.digestOf(report));
    }
}
