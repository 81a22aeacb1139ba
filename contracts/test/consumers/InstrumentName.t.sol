// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentName} from "../../src/consumers/InstrumentName.sol";
import {ConsumersFixture} from "./ConsumersFixture.sol";

contract InstrumentNameTest is ConsumersFixture {
    function test_listed() public pure {
        assertEq(_name("BTC", 1, EXPIRY, 90_000e8), "BTC 28-MAR-2027 90000 C");
        assertEq(_name("ETH", 2, EXPIRY, 3500e8), "ETH 28-MAR-2027 3500 P");
        assertEq(_name("ABCDEFGHIJ12", 2, EXPIRY, 1e8), "ABCDEFGHIJ12 28-MAR-2027 1 P");
    }

    function test_everyMonth() public pure {
        string[12] memory months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
        // The 5th of every month of 2024, 08:00.
        uint32[12] memory expiries = [
            1_704_441_600,
            1_707_120_000,
            1_709_625_600,
            1_712_304_000,
            1_714_896_000,
            1_717_574_400,
            1_720_166_400,
            1_722_844_800,
            1_725_523_200,
            1_728_115_200,
            1_730_793_600,
            1_733_385_600
        ];
        for (uint256 i = 0; i < 12; ++i) {
            assertEq(_name("BTC", 1, expiries[i], 1e8), string.concat("BTC 05-", months[i], "-2024 1 C"));
        }
    }

    function test_otherTimesOfDayAreWrittenOut() public pure {
        assertEq(_name("BTC", 1, EXPIRY + 1, 1e8), "BTC 28-MAR-2027 08:00:01 1 C");
        assertEq(_name("BTC", 1, EXPIRY + 60, 1e8), "BTC 28-MAR-2027 08:01:00 1 C");
        assertEq(_name("BTC", 1, EXPIRY - 8 hours, 1e8), "BTC 28-MAR-2027 00:00:00 1 C");
        assertEq(_name("BTC", 1, type(uint40).max, 1e8), "BTC 20-FEB-36812 00:36:15 1 C");
    }

    function test_strikesWithFractions() public pure {
        assertEq(_name("X", 1, EXPIRY, 1), "X 28-MAR-2027 0.00000001 C");
        assertEq(_name("X", 1, EXPIRY, 1.5e8), "X 28-MAR-2027 1.5 C");
        assertEq(_name("X", 1, EXPIRY, 0.25e8), "X 28-MAR-2027 0.25 C");
        assertEq(_name("X", 1, EXPIRY, 10.01e8), "X 28-MAR-2027 10.01 C");
        assertEq(_name("X", 1, EXPIRY, type(uint96).max), "X 28-MAR-2027 792281625142643375935.43950335 C");
    }

    function testFuzz_differentInstrumentsHaveDifferentNames(
        uint40 expiry,
        uint96 strike,
        uint40 otherExpiry,
        uint96 otherStrike,
        bool call
    ) public pure {
        bool same = expiry == otherExpiry && strike == otherStrike && call;
        string memory one = _name("BTC", 1, expiry, strike);
        string memory other = _name("BTC", call ? 1 : 2, otherExpiry, otherStrike);
        assertEq(keccak256(bytes(one)) == keccak256(bytes(other)), same);
    }

    function testFuzz_neighboursHaveDifferentNames(
        uint40 expiry,
        uint96 strike
    ) public pure {
        expiry = uint40(bound(expiry, 0, type(uint40).max - 1));
        strike = uint96(bound(strike, 0, type(uint96).max - 1));
        bytes32 name = keccak256(bytes(_name("BTC", 1, expiry, strike)));
        assertNotEq(name, keccak256(bytes(_name("BTC", 1, expiry + 1, strike))));
        assertNotEq(name, keccak256(bytes(_name("BTC", 1, expiry, strike + 1))));
        assertNotEq(name, keccak256(bytes(_name("BTC", 2, expiry, strike))));
    }

    function _name(
        bytes12 underlying,
        uint8 kind,
        uint40 expiry,
        uint96 strike
    ) private pure returns (string memory) {
        return InstrumentName.write(_instrument(underlying, kind, expiry, strike));
    }
}
