// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../../src/HedgeReport.sol";
import {ForwardWord} from "../../src/types/ForwardWord.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";
import {SettlementFixture} from "./SettlementFixture.sol";
import {WordPacker} from "./WordPacker.sol";

/// @dev Words to change and to count, and that a contract stores what was submitted to it.
abstract contract SubmitFixture is SettlementFixture {
    function _fields() internal pure returns (WordPacker.Param memory) {
        return WordPacker.Param({
            iv: 650_000,
            bsDelta: 512_345,
            hedgeDelta: 498_765,
            gamma: 1_234_567,
            vega: 12_345_678,
            premium: 4_567_890,
            maintenanceMargin: 150_000,
            initialMargin: 200_000,
            reserved: 0
        });
    }

    function _ascending(
        uint256 count
    ) internal pure returns (bytes32[] memory words) {
        words = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            words[i] = WordPacker.forward(uint40(START + 1 + i), uint96(1 + i));
        }
    }

    function _assertStored(
        HedgeReport memory report
    ) internal view {
        ParamWord[] memory params = settlement.params(0, report.params.length);
        assertEq(params.length, report.params.length);
        for (uint256 i = 0; i < params.length; ++i) {
            assertEq(ParamWord.unwrap(params[i]), report.params[i]);
        }
        assertEq(ParamWord.unwrap(settlement.param(0)), report.params[0]);
        ForwardWord[] memory forwards = settlement.forwards();
        assertEq(forwards.length, report.forwards.length);
        for (uint256 i = 0; i < forwards.length; ++i) {
            assertEq(ForwardWord.unwrap(forwards[i]), report.forwards[i]);
        }
    }
}
