// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Founding} from "../../src/Founding.sol";
import {HedgeReport, ReportCore, SignedHeader} from "../../src/HedgeReport.sol";
import {IReportJudge, Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {ToleranceFloors} from "../../src/judge/ToleranceFloors.sol";
import {Config} from "../../src/ledger/Config.sol";
import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {ReportHead} from "../../src/types/ReportHead.sol";
import {HonestDesk} from "../judge/support/HonestDesk.sol";
import {DeskContract} from "./DeskContract.sol";
import {ILedger} from "./ILedger.sol";
import {MembersSigner} from "./MembersSigner.sol";
import {MockJudge} from "./MockJudge.sol";
import {WordPacker} from "./WordPacker.sol";

/// @dev A settlement contract of four members (quorum three), books of its instruments, and valid reports about them.
abstract contract SettlementFixture is MembersSigner {
    bytes32 internal constant CONSORTIUM = keccak256("consortium");
    uint64 internal constant EPOCH = 3;
    uint64 internal constant START = 1_767_254_400;
    uint24 internal constant WINDOW = 600;
    uint256 internal constant DELAY = 1 days;
    uint256 internal constant CHALLENGE_BOND = 0.1 ether;
    address internal constant SINK = address(0xdead);
    // Expiries of the books, and their forwards.
    uint40 internal constant FIRST_EXPIRY = uint40(START + 30 days);
    uint40 internal constant SECOND_EXPIRY = uint40(START + 60 days);

    uint96 internal constant FIRST_FORWARD = 8_800_012_345_678;
    uint96 internal constant SECOND_FORWARD = 8_810_087_654_321;

    ILedger internal settlement;
    IReportJudge internal judge;
    DeskContract internal desk;
    uint256 internal groupPrivateKey = uint256(keccak256("group key"));

    function setUp() public virtual {
        vm.warp(START);
        _makeMembers(DELAY);
        judge = _judge();
        desk = new DeskContract();
        settlement = _found(_founding());
    }

    /// @dev From the artifact. Where the constructor reverts, so does this, for `vm.expectRevert` to see.
    function _found(
        Founding memory founding
    ) internal returns (ILedger created) {
        bytes memory code = abi.encodePacked(vm.getCode("HedgeSettlement.sol:HedgeSettlement"), abi.encode(founding));
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
            if iszero(created) {
                returndatacopy(code, 0, returndatasize())
                revert(code, returndatasize())
            }
        }
    }

    function _judge() internal virtual returns (IReportJudge) {
        return new MockJudge();
    }

    function _founding() internal view returns (Founding memory) {
        return Founding({
            consortium: CONSORTIUM,
            groupKey: vm.addr(groupPrivateKey),
            epoch: EPOCH,
            members: members,
            config: _defaultConfig(),
            tolerances: _defaultTolerances(),
            judge: judge,
            challengeBond: CHALLENGE_BOND,
            sink: SINK
        });
    }

    function _defaultConfig() internal pure returns (Config memory) {
        return Config({
            maxAge: 600,
            maxFutureSkew: 60,
            maxValidity: 3600,
            challengeWindow: WINDOW,
            maxInstruments: 700,
            maxJump: 1500,
            jumpHorizon: 900
        });
    }

    function _defaultTolerances() internal pure returns (Tolerances memory) {
        return ToleranceFloors.defaults();
    }

    /// @dev `count` instruments: puts and calls in turn, strikes ascending from 50,000 to 130,000, the second half on
    /// the second expiry.
    function _instruments(
        uint256 count
    ) internal pure returns (InstrumentWord[] memory words) {
        words = new InstrumentWord[](count);
        for (uint256 i = 0; i < count; ++i) {
            words[i] = WordPacker.instrument(
                "BTC", i % 2 == 0 ? 2 : 1, _first(i, count) ? FIRST_EXPIRY : SECOND_EXPIRY, _strike(i, count)
            );
        }
    }

    function _first(
        uint256 index,
        uint256 count
    ) private pure returns (bool) {
        return index < (count + 1) / 2;
    }

    function _strike(
        uint256 index,
        uint256 count
    ) private pure returns (uint96) {
        uint256 half = (count + 1) / 2;
        uint256 place = (_first(index, count) ? index : index - half) / 2;
        return uint96(50_000e8 + (place * 80_000e8) / ((half + 1) / 2));
    }

    function _register(
        uint256 count
    ) internal returns (uint256 bookId, uint256[] memory ids) {
        ids = settlement.register(_instruments(count));
        bookId = settlement.registerBook(ids);
    }

    function _report(
        uint64 round,
        uint256 instruments
    ) internal view returns (HedgeReport memory report) {
        report.consortium = CONSORTIUM;
        report.epoch = settlement.epoch();
        report.round = round;
        report.observedAt = uint64(vm.getBlockTimestamp());
        report.validUntil = uint64(vm.getBlockTimestamp()) + 1800;
        report.book = WordPacker.book(_instruments(instruments));
        report.model = keccak256("model");
        report.inputs = keccak256("inputs");
        report.forwards = new bytes32[](instruments < 2 ? 1 : 2);
        report.forwards[0] = WordPacker.forward(FIRST_EXPIRY, 8_800_012_345_678);
        if (instruments > 1) report.forwards[1] = WordPacker.forward(SECOND_EXPIRY, 8_810_087_654_321);
        report.params = _params(round, instruments);
    }

    /// @dev What honest desks sign of a flat surface; another vol each round.
    function _params(
        uint64 round,
        uint256 instruments
    ) internal view returns (bytes32[] memory words) {
        words = new bytes32[](instruments);
        for (uint256 i = 0; i < instruments; ++i) {
            words[i] = desk.word(_option(round, i, instruments));
        }
    }

    function _option(
        uint64 round,
        uint256 index,
        uint256 instruments
    ) internal view returns (HonestDesk.Option memory) {
        bool first = _first(index, instruments);
        return HonestDesk.Option({
            call: index % 2 == 1,
            strike: _strike(index, instruments),
            forward: first ? FIRST_FORWARD : SECOND_FORWARD,
            referenceVol: 0.5e18 + (round % 100) * 0.001e18,
            ratio: 1e18,
            time: (first ? FIRST_EXPIRY : SECOND_EXPIRY) - vm.getBlockTimestamp()
        });
    }

    /// @dev A report as it is brought to the chain.
    function _compact(
        HedgeReport memory report
    ) internal pure returns (ReportCore memory core, bytes32[] memory words) {
        core = ReportCore(_head(report), report.book, report.model, report.inputs);
        words = new bytes32[](report.forwards.length + report.params.length);
        for (uint256 i = 0; i < report.forwards.length; ++i) {
            words[i] = report.forwards[i];
        }
        for (uint256 i = 0; i < report.params.length; ++i) {
            words[report.forwards.length + i] = report.params[i];
        }
    }

    function _head(
        HedgeReport memory report
    ) internal pure returns (ReportHead) {
        return ReportHead.wrap(
            uint256(report.round) * 2 ** 208 + uint256(report.observedAt) * 2 ** 168
                + uint256(report.validUntil - report.observedAt) * 2 ** 124 + uint256(report.epoch) * 2 ** 76
                + report.forwards.length
        );
    }

    function _sign(
        HedgeReport memory report
    ) internal view returns (bytes memory) {
        return _signature(groupPrivateKey, settlement.digestOf(report));
    }

    function _signCompact(
        HedgeReport memory report
    ) internal view returns (bytes32 r, bytes32 vs) {
        return vm.signCompact(groupPrivateKey, settlement.digestOf(report));
    }

    function _publish(
        HedgeReport memory report
    ) internal returns (bool) {
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        return settlement.settle(core, words, r, vs);
    }

    function _publishStored(
        HedgeReport memory report
    ) internal returns (bool) {
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        return settlement.settleAndStore(core, words, r, vs);
    }

    /// @dev Signs, then expects the refusal: signing asks the contract, and expectRevert watches the next call.
    function _publishExpecting(
        HedgeReport memory report,
        bytes memory refusal
    ) internal {
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        vm.expectRevert(refusal);
        settlement.settle(core, words, r, vs);
    }

    function _signedHeader(
        HedgeReport memory report
    ) internal view returns (SignedHeader memory) {
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core,) = _compact(report);
        return SignedHeader({
            core: core,
            forwardsHash: keccak256(abi.encodePacked(report.forwards)),
            paramsHash: keccak256(abi.encodePacked(report.params)),
            r: r,
            vs: vs
        });
    }

    function _rotate(
        uint256 newPrivateKey,
        uint256 overlap
    ) internal {
        _rotateKey(settlement, vm.addr(newPrivateKey), settlement.epoch() + 1, overlap);
        groupPrivateKey = newPrivateKey;
    }
}
