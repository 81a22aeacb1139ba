// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {FeedAdapter} from "../../src/consumers/FeedAdapter.sol";
import {Field} from "../../src/consumers/Field.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {ChainlinkConsumer} from "./ChainlinkConsumer.sol";
import {ConsumersFixture} from "./ConsumersFixture.sol";

/// @dev What an adapter does not answer, and in which words.
contract FeedAdapterRefusalsTest is ConsumersFixture {
    function test_beforeTheFirstReport() public {
        FeedAdapter adapter = _adapter(Field.IV);
        vm.expectRevert(NO_DATA);
        adapter.latestRoundData();
        vm.expectRevert(NO_DATA);
        adapter.latestAnswer();
        vm.expectRevert(NO_DATA);
        adapter.getRoundData(1);
        vm.expectRevert(NO_DATA);
        adapter.firstRound(10);
    }

    function test_aFeedThatIsNotLiveGivesHistoryOnly() public {
        FeedAdapter adapter = _adapter(Field.IV);
        uint256 sequence = _publishFinal(_fields());
        feed.setLive(false);
        vm.expectRevert(NO_DATA);
        adapter.latestRoundData();
        vm.expectRevert(NO_DATA);
        adapter.latestAnswer();
        (, int256 answer,,,) = adapter.getRoundData(uint80(sequence));
        assertEq(answer, 650_000);
        feed.setLive(true);
        (, answer,,,) = adapter.latestRoundData();
        assertEq(answer, 650_000);
    }

    /// @dev The tuple says how old the answer is; the bare number cannot.
    function test_anExpiredReportIsGivenWithItsAgeOnly() public {
        FeedAdapter adapter = _adapter(Field.IV);
        _publish(_fields());
        vm.warp(START + VALIDITY);
        assertEq(adapter.latestAnswer(), 650_000);
        skip(1);
        vm.expectRevert(NO_DATA);
        adapter.latestAnswer();
        skip(30 days);
        (, int256 answer,, uint256 updatedAt,) = adapter.latestRoundData();
        assertEq(answer, 650_000);
        assertEq(updatedAt, START);
    }

    function test_aMarginThatWasNotComputed() public {
        WordPacker.Param memory fields = _fields();
        fields.maintenanceMargin = type(uint24).max;
        fields.initialMargin = type(uint24).max;
        _publishFinal(fields);
        Field[2] memory margins = [Field.MAINTENANCE_MARGIN, Field.INITIAL_MARGIN];
        for (uint256 i = 0; i < margins.length; ++i) {
            FeedAdapter adapter = _adapter(margins[i]);
            vm.expectRevert(NO_DATA);
            adapter.latestRoundData();
            vm.expectRevert(NO_DATA);
            adapter.latestAnswer();
            vm.expectRevert(NO_DATA);
            adapter.getRoundData(1);
            vm.expectRevert(NO_DATA);
            adapter.firstRound(0);
        }
        assertEq(_adapter(Field.IV).latestAnswer(), 650_000);
    }

    function test_theAbsentMarginsNeighbourIsANumber() public {
        WordPacker.Param memory fields = _fields();
        fields.initialMargin = type(uint24).max - 1;
        _publishFinal(fields);
        assertEq(_adapter(Field.INITIAL_MARGIN).latestAnswer(), int256(uint256(type(uint24).max - 1)));
    }

    function test_consumersThatCatchStringsCatchIt() public {
        ChainlinkConsumer consumer = new ChainlinkConsumer(_adapter(Field.IV), VALIDITY);
        assertEq(consumer.caught(), string(NO_DATA));
        _publishFinal(_fields());
        assertEq(consumer.caught(), "");
    }

    /// @dev Whatever gas a caller leaves, there is the answer or a revert without words: never "No data present".
    function testFuzz_starvingTheCallDoesNotLookLikeMissingData(
        uint256 gas
    ) public {
        FeedAdapter adapter = _adapter(Field.IV);
        _publishFinal(_fields());
        gas = bound(gas, 2000, 60_000);
        vm.cool(address(feed));
        (bool success, bytes memory answer) =
            address(adapter).staticcall{gas: gas}(abi.encodeCall(FeedAdapter.latestRoundData, ()));
        assertEq(answer.length, success ? 160 : 0);
        vm.cool(address(feed));
        (success, answer) = address(adapter).staticcall{gas: gas}(abi.encodeCall(FeedAdapter.getRoundData, (1)));
        assertEq(answer.length, success ? 160 : 0);
    }

    function test_theImplementationAnswersNothing() public {
        _publishFinal(_fields());
        FeedAdapter bare = FeedAdapter(factory.implementation());
        vm.expectRevert();
        bare.latestRoundData();
        vm.expectRevert();
        bare.latestAnswer();
        vm.expectRevert();
        bare.getRoundData(1);
        vm.expectRevert();
        bare.description();
    }
}
