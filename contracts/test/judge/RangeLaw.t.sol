// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, Law, Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {ToleranceFloors} from "../../src/judge/ToleranceFloors.sol";
import {ForwardWord} from "../../src/types/ForwardWord.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {HonestDesk} from "./support/HonestDesk.sol";
import {JudgeFixture} from "./support/JudgeFixture.sol";

/// @dev Every way in which words can be out of range, one at a time, and their last values within.
contract RangeLawTest is JudgeFixture {
    uint256 private constant TIME = 30 days;
    uint24 private constant ABSENT = type(uint24).max;

    function test_acceptsGoodWords() public view {
        assertFalse(_guilty(true, _good(true)));
        assertFalse(_guilty(false, _good(false)));
    }

    function testFuzz_reservedBitsOfParam(
        uint256 bit
    ) public view {
        WordPacker.Param memory fields = _good(true);
        fields.reserved = uint24(1 << (bit % 24));
        assertTrue(_guilty(true, fields));
    }

    function testFuzz_reservedBitsOfForward(
        uint256 bit
    ) public view {
        Exhibit memory exhibit = _exhibit(true, _good(true));
        uint256 word = uint256(ForwardWord.unwrap(exhibit.forward));
        exhibit.forward = ForwardWord.wrap(bytes32(word | (1 << (136 + bit % 120))));
        assertTrue(_breaks(Law.RANGE, _one(exhibit), ToleranceFloors.floors()));
    }

    function test_noVol() public view {
        WordPacker.Param memory fields = _good(true);
        fields.iv = 0;
        assertTrue(_guilty(true, fields));
        fields.iv = 1;
        assertFalse(_guilty(true, fields));
    }

    function test_noForward() public view {
        Exhibit memory exhibit = _exhibit(true, _good(true));
        exhibit.forward = ForwardWord.wrap(WordPacker.forward(uint40(OBSERVED_AT + TIME), 0));
        assertTrue(_breaks(Law.RANGE, _one(exhibit), ToleranceFloors.floors()));
    }

    function test_deltas() public view {
        int24[6] memory deltas = [int24(-1_000_001), -1_000_000, -1, 1, 1_000_000, 1_000_001];
        bool[6] memory calls = [true, true, true, false, false, true];
        bool[6] memory puts = [true, false, false, true, true, true];
        for (uint256 i = 0; i < 6; ++i) {
            WordPacker.Param memory fields = _good(true);
            fields.bsDelta = deltas[i];
            assertEq(_guilty(true, fields), calls[i]);
            fields = _good(false);
            fields.bsDelta = deltas[i];
            assertEq(_guilty(false, fields), puts[i]);
        }
        WordPacker.Param memory extreme = _good(true);
        extreme.bsDelta = type(int24).min;
        assertTrue(_guilty(true, extreme));
        extreme.bsDelta = type(int24).max;
        assertTrue(_guilty(true, extreme));
    }

    function test_margins() public view {
        uint24[7] memory maintenance = [uint24(0), 5, 6, ABSENT, ABSENT, 0, ABSENT - 1];
        uint24[7] memory initial = [uint24(0), 5, 5, ABSENT, ABSENT - 1, ABSENT, ABSENT];
        bool[7] memory guilty = [false, false, true, false, true, true, true];
        for (uint256 i = 0; i < 7; ++i) {
            WordPacker.Param memory fields = _good(true);
            (fields.maintenanceMargin, fields.initialMargin) = (maintenance[i], initial[i]);
            assertEq(_guilty(true, fields), guilty[i]);
        }
    }

    /// @dev Strike 80,000 at a forward of 100,000: a call is worth 0.2 to 1 of it, a put 0 to 0.8.
    function test_premiums() public view {
        uint32 slack = uint32(ToleranceFloors.floors().premium) * 100 + 1;
        _checkPremium(true, 0.2e8 - slack, false);
        _checkPremium(true, 0.2e8 - slack - 1, true);
        _checkPremium(true, 1e8 + slack, false);
        _checkPremium(true, 1e8 + slack + 1, true);
        _checkPremium(false, 0, false);
        _checkPremium(false, 0.8e8 + slack, false);
        _checkPremium(false, 0.8e8 + slack + 1, true);
    }

    /// @dev At the types' ends nothing reverts, and what an option can be worth is still told.
    function test_premiumsAtTheEnds() public view {
        WordPacker.Param memory fields = _good(false);
        Exhibit memory exhibit = _exhibit(false, fields);
        exhibit.instrument = HonestDesk.instrument(false, type(uint96).max, TIME);
        exhibit.forward = ForwardWord.wrap(WordPacker.forward(uint40(OBSERVED_AT + TIME), 1));
        assertTrue(_breaks(Law.RANGE, _one(exhibit), ToleranceFloors.floors()), "worth more than any word");
        exhibit.forward = ForwardWord.wrap(WordPacker.forward(uint40(OBSERVED_AT + TIME), type(uint96).max));
        assertFalse(_breaks(Law.RANGE, _one(exhibit), ToleranceFloors.floors()), "a put of strike 1 forward");
        Tolerances memory widest;
        widest.premium = type(uint24).max;
        assertFalse(_breaks(Law.RANGE, _one(exhibit), widest));
    }

    function test_observedAtExpiryOrAfter() public view {
        Exhibit[] memory exhibits = _one(_exhibit(true, _good(true)));
        Tolerances memory floors = ToleranceFloors.floors();
        assertFalse(judge.breaks(Law.RANGE, uint64(OBSERVED_AT + TIME - 1), exhibits, floors));
        assertTrue(judge.breaks(Law.RANGE, uint64(OBSERVED_AT + TIME), exhibits, floors));
        assertTrue(judge.breaks(Law.RANGE, type(uint64).max, exhibits, floors));
    }

    /// @dev The judge decides on every word, and reverts on none.
    function testFuzz_decidesOnAnyWords(
        bytes32 param,
        uint136 forward,
        bool call
    ) public view {
        Exhibit memory exhibit = _exhibit(call, _good(call));
        exhibit.param = ParamWord.wrap(param);
        uint256 expiry = OBSERVED_AT + TIME;
        // Any reserved bits and any forward, with the instrument's expiry.
        exhibit.forward =
            ForwardWord.wrap(bytes32((uint256(forward) >> 96) << 136 | expiry << 96 | uint256(uint96(forward))));
        bool guilty = _breaks(Law.RANGE, _one(exhibit), ToleranceFloors.floors());
        if (exhibit.param.reserved() != 0 || exhibit.forward.reserved() != 0) assertTrue(guilty);
    }

    function _checkPremium(
        bool call,
        uint32 premium,
        bool guilty
    ) private view {
        WordPacker.Param memory fields = _good(call);
        fields.premium = premium;
        Exhibit memory exhibit = _exhibit(call, fields);
        exhibit.instrument = HonestDesk.instrument(call, 80_000e8, TIME);
        exhibit.forward = ForwardWord.wrap(WordPacker.forward(uint40(OBSERVED_AT + TIME), 100_000e8));
        assertEq(_breaks(Law.RANGE, _one(exhibit), ToleranceFloors.floors()), guilty);
    }

    function _guilty(
        bool call,
        WordPacker.Param memory fields
    ) private view returns (bool) {
        return _breaks(Law.RANGE, _one(_exhibit(call, fields)), ToleranceFloors.floors());
    }

    function _option(
        bool call
    ) private pure returns (HonestDesk.Option memory) {
        return HonestDesk.Option({
            call: call, strike: 90_000e8, forward: 88_000e8, referenceVol: 0.6e18, ratio: 1e18, time: TIME
        });
    }

    function _good(
        bool call
    ) private pure returns (WordPacker.Param memory) {
        HonestDesk.Errors memory none;
        return HonestDesk.param(_option(call), none);
    }

    function _exhibit(
        bool call,
        WordPacker.Param memory fields
    ) private pure returns (Exhibit memory exhibit) {
        HonestDesk.Errors memory none;
        exhibit = HonestDesk.exhibit(_option(call), none);
        exhibit.param = _packed(fields);
    }
}
