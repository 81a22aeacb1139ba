// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, HedgeReportLibrary} from "../../src/HedgeReport.sol";
import {ProvenReading} from "../../src/examples/ProvenReading.sol";
import {IHedgeFeedProof} from "../../src/interfaces/IHedgeFeedProof.sol";
import {InstrumentWord, InstrumentWordLibrary} from "../../src/types/InstrumentWord.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {ConsumersFixture} from "./ConsumersFixture.sol";
import {MockFeed} from "./MockFeed.sol";

/// @dev Keeps digests of reports beside the rest.
contract MockProofFeed is MockFeed, IHedgeFeedProof {
    using HedgeReportLibrary for HedgeReport;

    mapping(uint256 => bytes32) private _digests;

    constructor() MockFeed(1, 0) {}

    function keep(
        HedgeReport calldata report,
        uint256 sequence
    ) external {
        _digests[sequence] = report.structHash();
    }

    function proves(
        HedgeReport calldata report,
        uint256 sequence
    ) external view returns (bool isAccepted, bool isFinal) {
        isAccepted = _digests[sequence] == report.structHash();
        isFinal = isAccepted;
    }
}

/// @dev Settles nothing, but asks as a settlement would.
contract Settler {
    function read(
        IHedgeFeedProof feed,
        HedgeReport calldata report,
        uint256 sequence,
        uint256 id,
        uint64 earliest,
        uint64 latest
    ) external view returns (ParamWord, uint96) {
        return ProvenReading.read(feed, report, sequence, id, earliest, latest);
    }
}

contract ProvenReadingTest is ConsumersFixture {
    uint256 private constant SEQUENCE = 9;

    MockProofFeed private _proofs;
    Settler private _settler;
    uint256[] private _ids;

    function setUp() public override {
        super.setUp();
        _proofs = new MockProofFeed();
        _settler = new Settler();
        _ids = _proofs.register(_words());
        _proofs.registerBook(_ids);
    }

    function test_readsWhatWasProven() public {
        HedgeReport memory report = _report();
        _proofs.keep(report, SEQUENCE);
        (ParamWord param, uint96 forward) = _read(report, _ids[0]);
        assertEq(ParamWord.unwrap(param), report.params[0]);
        assertEq(forward, 88_000e8);
        (param, forward) = _read(report, _ids[2]);
        assertEq(ParamWord.unwrap(param), report.params[2]);
        assertEq(forward, FORWARD);
    }

    function testFuzz_anyOtherReportIsNotProven(
        uint8 what,
        uint256 bit
    ) public {
        HedgeReport memory report = _report();
        _proofs.keep(report, SEQUENCE);
        bytes32 mask = bytes32(uint256(1) << (bit % 256));
        uint64 low = uint64(1 << (bit % 64));
        uint256 index = bit % 3;
        what = what % 8;
        if (what == 0) report.params[index] ^= mask;
        if (what == 1) report.forwards[bit % 2] ^= mask;
        if (what == 2) report.book ^= mask;
        if (what == 3) report.model ^= mask;
        if (what == 4) report.round ^= low;
        if (what == 5) report.observedAt ^= low;
        if (what == 6) report.inputs ^= mask;
        if (what == 7) report.epoch ^= low;
        vm.expectRevert(abi.encodeWithSelector(ProvenReading.NotProven.selector, SEQUENCE));
        _read(report, _ids[0]);
    }

    function test_anotherNumberIsNotProven() public {
        HedgeReport memory report = _report();
        _proofs.keep(report, SEQUENCE + 1);
        vm.expectRevert(abi.encodeWithSelector(ProvenReading.NotProven.selector, SEQUENCE));
        _read(report, _ids[0]);
    }

    function test_anotherTimeThanAskedFor() public {
        HedgeReport memory report = _report();
        _proofs.keep(report, SEQUENCE);
        _settler.read(_proofs, report, SEQUENCE, _ids[0], START, START);
        vm.expectRevert(abi.encodeWithSelector(ProvenReading.ObservedOutside.selector, START, START + 1, START + 2));
        _settler.read(_proofs, report, SEQUENCE, _ids[0], START + 1, START + 2);
        vm.expectRevert(abi.encodeWithSelector(ProvenReading.ObservedOutside.selector, START, START - 2, START - 1));
        _settler.read(_proofs, report, SEQUENCE, _ids[0], START - 2, START - 1);
    }

    function test_aBookThatNobodyRegistered() public {
        HedgeReport memory report = _report();
        report.book = keccak256("another");
        _proofs.keep(report, SEQUENCE);
        vm.expectRevert(abi.encodeWithSelector(ProvenReading.BookNotRegistered.selector, report.book));
        _read(report, _ids[0]);
    }

    function test_anInstrumentOfAnotherBook() public {
        HedgeReport memory report = _report();
        _proofs.keep(report, SEQUENCE);
        InstrumentWord[] memory other = new InstrumentWord[](1);
        other[0] = _instrument("ETH", 1, EXPIRY, 3000e8);
        uint256 id = _proofs.register(other)[0];
        vm.expectRevert(abi.encodeWithSelector(ProvenReading.NotInBook.selector, id, report.book));
        _read(report, id);
    }

    /// @dev Under a digest that the group key signed there may be any words.
    function test_forwardsThatDoNotFitTheBook() public {
        HedgeReport memory report = _report();
        report.forwards[1] = WordPacker.forward(EXPIRY + 1, FORWARD);
        _proofs.keep(report, SEQUENCE);
        vm.expectRevert(abi.encodeWithSelector(ProvenReading.ForwardOfAnotherExpiry.selector, EXPIRY + 1, EXPIRY));
        _read(report, _ids[1]);
    }

    function test_fewerWordsThanTheBook() public {
        HedgeReport memory report = _report();
        bytes32[] memory fewer = new bytes32[](2);
        (fewer[0], fewer[1]) = (report.params[0], report.params[1]);
        report.params = fewer;
        _proofs.keep(report, SEQUENCE);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x32));
        _read(report, _ids[2]);
    }

    function _read(
        HedgeReport memory report,
        uint256 id
    ) private view returns (ParamWord, uint96) {
        return _settler.read(_proofs, report, SEQUENCE, id, 0, type(uint64).max);
    }

    function _words() private pure returns (InstrumentWord[] memory words) {
        words = new InstrumentWord[](3);
        words[0] = _instrument("BTC", 1, EXPIRY - 7 days, 90_000e8);
        words[1] = _instrument("BTC", 1, EXPIRY, 90_000e8);
        words[2] = _instrument("BTC", 2, EXPIRY, 90_000e8);
    }

    function _report() private pure returns (HedgeReport memory report) {
        report.consortium = keccak256("consortium");
        report.epoch = 1;
        report.round = 3;
        report.observedAt = START;
        report.validUntil = START + VALIDITY;
        report.book = InstrumentWordLibrary.bookHash(_words());
        report.forwards = new bytes32[](2);
        report.forwards[0] = WordPacker.forward(EXPIRY - 7 days, 88_000e8);
        report.forwards[1] = WordPacker.forward(EXPIRY, FORWARD);
        report.params = new bytes32[](3);
        for (uint32 i = 0; i < 3; ++i) {
            WordPacker.Param memory fields = _fields();
            fields.iv += i;
            report.params[i] = WordPacker.param(fields);
        }
    }
}
