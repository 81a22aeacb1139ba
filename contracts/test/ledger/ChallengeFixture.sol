// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../../src/HedgeReport.sol";
import {IReportJudge, Law} from "../../src/interfaces/IReportJudge.sol";
import {ReportJudge} from "../../src/judge/ReportJudge.sol";
import {SettlementFixture} from "../support/SettlementFixture.sol";

/// @dev A ledger with the real judge, a book of 24 instruments, and reports with one field that is wrong.
abstract contract ChallengeFixture is SettlementFixture {
    uint256 internal constant COUNT = 24;
    address internal constant CHALLENGER = address(0xc4a11e);

    uint256[] internal _ids;

    function setUp() public override {
        super.setUp();
        (, _ids) = _register(COUNT);
        vm.deal(CHALLENGER, 10 ether);
    }

    function _judge() internal override returns (IReportJudge) {
        return new ReportJudge();
    }

    function _assertSlashed() internal view {
        assertEq(settlement.challengerOf(EPOCH), CHALLENGER);
        assertEq(settlement.lastSlashedEpoch(), EPOCH);
        assertEq(settlement.groupKey(), address(0));
        assertFalse(settlement.isLive());
    }

    function _assertUpheld(
        Law law,
        HedgeReport memory report,
        uint256[] memory ids
    ) internal {
        uint256 state = vm.snapshotState();
        _assertUpheldNow(law, report, ids);
        vm.revertToState(state);
    }

    function _assertUpheldNow(
        Law law,
        HedgeReport memory report,
        uint256[] memory ids
    ) internal {
        bytes memory signature = _sign(report);
        uint256 before = CHALLENGER.balance;
        vm.prank(CHALLENGER);
        assertTrue(settlement.challenge{value: CHALLENGE_BOND}(report, signature, law, ids));
        _assertSlashed();
        assertEq(CHALLENGER.balance, before);
    }

    function _assertWouldBeUpheld(
        HedgeReport memory report,
        bytes memory signature
    ) internal {
        uint256 state = vm.snapshotState();
        vm.prank(CHALLENGER);
        assertTrue(settlement.challenge{value: CHALLENGE_BOND}(report, signature, Law.BLACK76, _list(_ids[1])));
        vm.revertToState(state);
    }

    function _assertFails(
        HedgeReport memory report,
        Law law,
        uint256[] memory ids
    ) internal returns (uint256) {
        bytes memory signature = _sign(report);
        vm.deal(CHALLENGER, 1 ether);
        vm.prank(CHALLENGER);
        assertFalse(settlement.challenge{value: CHALLENGE_BOND}(report, signature, law, ids));
        return 1;
    }

    function _expectChallengeRevert(
        HedgeReport memory report,
        bytes memory signature,
        bytes4 refusal
    ) internal {
        vm.deal(CHALLENGER, 1 ether);
        vm.prank(CHALLENGER);
        vm.expectPartialRevert(refusal);
        settlement.challenge{value: CHALLENGE_BOND}(report, signature, Law.BLACK76, _list(_ids[1]));
    }

    function _twoOfRound(
        uint64 round
    ) internal view returns (HedgeReport memory one, HedgeReport memory other) {
        (one, other) = (_report(round, COUNT), _report(round, COUNT));
        other.params[3] ^= bytes32(uint256(1) << 200);
    }

    function _reportWith(
        uint256 index,
        bytes32 word
    ) internal view returns (HedgeReport memory report) {
        report = _report(1, COUNT);
        report.params[index] = word;
    }

    /// @dev The honest word of an instrument with one field raised: 1 iv, 2 bsDelta, 3 hedgeDelta, 4 initial margin
    /// lowered,
    /// 5 premium.
    function _word(
        uint256 index,
        uint256 field,
        uint256 by
    ) internal view returns (bytes32) {
        uint256 word = uint256(desk.word(_option(1, index, COUNT)));
        if (field == 1) word += by << 224;
        // Deltas of a call here: positive, so that adding does not leave the field.
        if (field == 2) word = _lowered(word, 200, by);
        if (field == 3) word = _lowered(word, 176, by);
        if (field == 4) word -= (word & (uint256(0xffffff) << 24));
        if (field == 5) word += by << 72;
        return bytes32(word);
    }

    /// @dev MONOTONE wants a delta that rises with the strike: the call before it is compared with this one, raised.
    function _lowered(
        uint256 word,
        uint256 shift,
        uint256 by
    ) internal pure returns (uint256) {
        int24 value = int24(uint24(word >> shift));
        int24 moved = value > 500_000 && by < 20_000 ? value - int24(int256(by)) : value + int24(int256(by));
        return (word & ~(uint256(0xffffff) << shift)) | (uint256(uint24(moved)) << shift);
    }

    function _list(
        uint256 a
    ) internal pure returns (uint256[] memory ids) {
        ids = new uint256[](1);
        ids[0] = a;
    }

    function _list(
        uint256 a,
        uint256 b
    ) internal pure returns (uint256[] memory ids) {
        ids = new uint256[](2);
        (ids[0], ids[1]) = (a, b);
    }

    function _list(
        uint256 a,
        uint256 b,
        uint256 c
    ) internal pure returns (uint256[] memory ids) {
        ids = new uint256[](3);
        (ids[0], ids[1], ids[2]) = (a, b, c);
    }
}
