// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, IReportJudge, Law, Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {ToleranceFloors} from "../../src/judge/ToleranceFloors.sol";
import {ForwardWord} from "../../src/types/ForwardWord.sol";
import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {HonestDesk} from "./support/HonestDesk.sol";
import {JudgeFixture} from "./support/JudgeFixture.sol";

/// @dev Exhibits that do not fit are refused, so that a mistake of the accuser is never taken for a verdict.
contract ExhibitShapesTest is JudgeFixture {
    uint256 private constant TIME = 30 days;
    uint256 private constant LAWS = 6;

    function test_counts() public {
        for (uint256 i = 0; i < LAWS; ++i) {
            for (uint256 count = 0; count <= 4; ++count) {
                Exhibit[] memory exhibits = new Exhibit[](count);
                for (uint256 k = 0; k < count; ++k) {
                    exhibits[k] = _fitting(Law(i))[k < _count(Law(i)) ? k : 0];
                }
                if (count == _count(Law(i))) assertFalse(_breaks(Law(i), exhibits, ToleranceFloors.floors()));
                else _refused(Law(i), exhibits);
            }
        }
    }

    function test_kindsThatAreNone() public {
        for (uint256 i = 0; i < LAWS; ++i) {
            for (uint256 k = 0; k < _count(Law(i)); ++k) {
                _refusedWith(Law(i), k, _instrument("BTC", 0, 90_000e8, TIME, 0));
                _refusedWith(Law(i), k, _instrument("BTC", 3, 90_000e8, TIME, 0));
                _refusedWith(Law(i), k, _instrument("BTC", 255, 90_000e8, TIME, 0));
            }
        }
    }

    /// @dev Such an instrument is none, and no registry has it.
    function test_malformedInstruments() public {
        for (uint256 i = 0; i < LAWS; ++i) {
            for (uint256 k = 0; k < _count(Law(i)); ++k) {
                InstrumentWord good = _fitting(Law(i))[k].instrument;
                _refusedWith(Law(i), k, InstrumentWord.wrap(InstrumentWord.unwrap(good) | bytes32(uint256(1))));
                _refusedWith(Law(i), k, InstrumentWord.wrap(InstrumentWord.unwrap(good) | bytes32(uint256(1 << 15))));
                _refusedWith(Law(i), k, _instrument("BTC", good.kind(), 0, TIME, 0));
            }
        }
    }

    function test_forwardOfAnotherExpiry() public {
        for (uint256 i = 0; i < LAWS; ++i) {
            for (uint256 k = 0; k < _count(Law(i)); ++k) {
                Exhibit[] memory exhibits = _fitting(Law(i));
                exhibits[k].forward = ForwardWord.wrap(WordPacker.forward(uint40(OBSERVED_AT + TIME + 1), 88_000e8));
                _refused(Law(i), exhibits);
            }
        }
    }

    /// @dev All of one series: underlying, expiry and with it the forward.
    function test_mixedSeries() public {
        for (uint256 i = 0; i < LAWS; ++i) {
            for (uint256 k = 0; _count(Law(i)) > 1 && k < _count(Law(i)); ++k) {
                Exhibit[] memory exhibits = _fitting(Law(i));
                InstrumentWord good = exhibits[k].instrument;
                _refusedWith(Law(i), k, _instrument("ETH", good.kind(), good.strike(), TIME, 0));

                exhibits[k].instrument = _instrument("BTC", good.kind(), good.strike(), TIME + 1, 0);
                exhibits[k].forward = ForwardWord.wrap(WordPacker.forward(uint40(OBSERVED_AT + TIME + 1), 88_000e8));
                _refused(Law(i), exhibits);

                exhibits = _fitting(Law(i));
                exhibits[k].forward = ForwardWord.wrap(WordPacker.forward(uint40(OBSERVED_AT + TIME), 88_000e8 + 1));
                _refused(Law(i), exhibits);
            }
        }
    }

    function test_parity() public {
        Exhibit[] memory exhibits = _fitting(Law.PARITY);
        _refused(Law.PARITY, _two(exhibits[1], exhibits[0]));
        _refused(Law.PARITY, _two(exhibits[0], exhibits[0]));
        _refused(Law.PARITY, _two(exhibits[1], exhibits[1]));
        _refused(Law.PARITY, _two(exhibits[0], _exhibit(false, 90_000e8 + 1)));
    }

    function test_orderOfStrikes() public {
        for (uint256 kind = 0; kind < 2; ++kind) {
            Exhibit memory low = _exhibit(kind == 0, 80_000e8);
            Exhibit memory middle = _exhibit(kind == 0, 90_000e8);
            Exhibit memory high = _exhibit(kind == 0, 100_000e8);
            _refused(Law.MONOTONE, _two(high, low));
            _refused(Law.MONOTONE, _two(low, low));
            _refused(Law.BUTTERFLY, _three(low, high, middle));
            _refused(Law.BUTTERFLY, _three(middle, low, high));
            _refused(Law.BUTTERFLY, _three(low, low, high));
            _refused(Law.BUTTERFLY, _three(low, high, high));
            assertFalse(_breaks(Law.MONOTONE, _two(low, high), ToleranceFloors.floors()));
            assertFalse(_breaks(Law.BUTTERFLY, _three(low, middle, high), ToleranceFloors.floors()));
        }
    }

    function test_mixedKinds() public {
        _refused(Law.MONOTONE, _two(_exhibit(true, 80_000e8), _exhibit(false, 90_000e8)));
        _refused(Law.MONOTONE, _two(_exhibit(false, 80_000e8), _exhibit(true, 90_000e8)));
        for (uint256 i = 0; i < 3; ++i) {
            Exhibit[] memory exhibits = _fitting(Law.BUTTERFLY);
            exhibits[i] = _exhibit(false, exhibits[i].instrument.strike());
            _refused(Law.BUTTERFLY, exhibits);
        }
    }

    /// @dev What RANGE condemns no other law computes with.
    function test_noVolForwardOrTime() public {
        for (uint256 i = 1; i < LAWS; ++i) {
            for (uint256 k = 0; k < _count(Law(i)); ++k) {
                Exhibit[] memory exhibits = _fitting(Law(i));
                WordPacker.Param memory zero;
                exhibits[k].param = _packed(zero);
                _refused(Law(i), exhibits);
            }
            Exhibit[] memory worthless = _fitting(Law(i));
            for (uint256 k = 0; k < worthless.length; ++k) {
                worthless[k].forward = ForwardWord.wrap(WordPacker.forward(uint40(OBSERVED_AT + TIME), 0));
            }
            _refused(Law(i), worthless);
            Exhibit[] memory good = _fitting(Law(i));
            Tolerances memory floors = ToleranceFloors.floors();
            vm.expectRevert(abi.encodeWithSelector(IReportJudge.ExhibitsDoNotFit.selector, Law(i)));
            judge.breaks(Law(i), uint64(OBSERVED_AT + TIME), good, floors);
            vm.expectRevert(abi.encodeWithSelector(IReportJudge.ExhibitsDoNotFit.selector, Law(i)));
            judge.breaks(Law(i), type(uint64).max, good, floors);
        }
    }

    function _refusedWith(
        Law law,
        uint256 index,
        InstrumentWord word
    ) private {
        Exhibit[] memory exhibits = _fitting(law);
        exhibits[index].instrument = word;
        _refused(law, exhibits);
    }

    function _refused(
        Law law,
        Exhibit[] memory exhibits
    ) private {
        Tolerances memory floors = ToleranceFloors.floors();
        vm.expectRevert(abi.encodeWithSelector(IReportJudge.ExhibitsDoNotFit.selector, law));
        judge.breaks(law, OBSERVED_AT, exhibits, floors);
    }

    function _count(
        Law law
    ) private pure returns (uint256) {
        if (law == Law.BUTTERFLY) return 3;
        return law == Law.PARITY || law == Law.MONOTONE ? 2 : 1;
    }

    function _fitting(
        Law law
    ) private pure returns (Exhibit[] memory) {
        if (law == Law.PARITY) return _two(_exhibit(true, 90_000e8), _exhibit(false, 90_000e8));
        if (law == Law.MONOTONE) return _two(_exhibit(true, 80_000e8), _exhibit(true, 90_000e8));
        if (law == Law.BUTTERFLY) {
            return _three(_exhibit(true, 80_000e8), _exhibit(true, 90_000e8), _exhibit(true, 100_000e8));
        }
        return _one(_exhibit(true, 90_000e8));
    }

    function _exhibit(
        bool call,
        uint96 strike
    ) private pure returns (Exhibit memory) {
        HonestDesk.Errors memory none;
        return HonestDesk.exhibit(
            HonestDesk.Option({
                call: call, strike: strike, forward: 88_000e8, referenceVol: 0.6e18, ratio: 1e18, time: TIME
            }),
            none
        );
    }

    function _instrument(
        bytes12 underlying,
        uint8 kind,
        uint96 strike,
        uint256 time,
        uint16 reserved
    ) private pure returns (InstrumentWord) {
        return
            InstrumentWord.wrap(
                bytes32(abi.encodePacked(underlying, kind, uint40(OBSERVED_AT + time), strike, reserved))
            );
    }
}
