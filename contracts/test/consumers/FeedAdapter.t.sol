// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {FeedAdapter} from "../../src/consumers/FeedAdapter.sol";
import {Field} from "../../src/consumers/Field.sol";
import {IHedgeFeed, Reading} from "../../src/interfaces/IHedgeFeed.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {ChainlinkConsumer} from "./ChainlinkConsumer.sol";
import {ConsumersFixture} from "./ConsumersFixture.sol";
import {console} from "forge-std/console.sol";

/// @dev Answers, and what goes with them.
contract FeedAdapterTest is ConsumersFixture {
    function test_everyFieldInItsUnit() public {
        _publishFinal(_fields());
        _assertField(Field.IV, 650_000, 6, "iv");
        _assertField(Field.BS_DELTA, 512_345, 6, "bsDelta");
        _assertField(Field.HEDGE_DELTA, 498_765, 6, "hedgeDelta");
        _assertField(Field.GAMMA, 1_234_567, 6, "gamma");
        _assertField(Field.VEGA, 12_345_678, 8, "vega");
        _assertField(Field.PREMIUM, 4_567_890, 8, "premium");
        // 0.0456789 * 91234.56789012 = 4167.494703196...
        _assertField(Field.PRICE, 4167.49470319e8, 8, "price");
        _assertField(Field.MAINTENANCE_MARGIN, 150_000, 6, "maintenanceMargin");
        _assertField(Field.INITIAL_MARGIN, 200_000, 6, "initialMargin");
        _assertField(Field.FORWARD, 91_234.56789012e8, 8, "forward");
    }

    function testFuzz_answersAreTheWordsFields(
        WordPacker.Param memory fields
    ) public {
        fields.maintenanceMargin = uint24(bound(fields.maintenanceMargin, 0, type(uint24).max - 1));
        fields.initialMargin = uint24(bound(fields.initialMargin, 0, type(uint24).max - 1));
        fields.reserved = 0;
        _publishFinal(fields);
        assertEq(_answer(Field.IV), int256(uint256(fields.iv)));
        assertEq(_answer(Field.BS_DELTA), fields.bsDelta);
        assertEq(_answer(Field.HEDGE_DELTA), fields.hedgeDelta);
        assertEq(_answer(Field.GAMMA), int256(uint256(fields.gamma)));
        assertEq(_answer(Field.VEGA), int256(uint256(fields.vega)));
        assertEq(_answer(Field.PREMIUM), int256(uint256(fields.premium)));
        assertEq(_answer(Field.MAINTENANCE_MARGIN), int256(uint256(fields.maintenanceMargin)));
        assertEq(_answer(Field.INITIAL_MARGIN), int256(uint256(fields.initialMargin)));
        // Never above the exact product, and less than one unit below.
        uint256 exact = uint256(fields.premium) * FORWARD;
        uint256 price = uint256(_answer(Field.PRICE));
        assertLe(price * 1e8, exact);
        assertGt((price + 1) * 1e8, exact);
    }

    function test_theLargestPriceFits() public {
        WordPacker.Param memory fields = _fields();
        fields.premium = type(uint32).max;
        bytes32[] memory params = new bytes32[](2);
        params[0] = params[1] = WordPacker.param(fields);
        bytes32[] memory forwards = new bytes32[](1);
        forwards[0] = WordPacker.forward(EXPIRY, type(uint96).max);
        feed.publish(bothBook, 1, START, START + VALIDITY, forwards, params);
        skip(WINDOW);
        assertEq(_answer(Field.PRICE), int256((uint256(type(uint32).max) * type(uint96).max) / 1e8));
        assertEq(_answer(Field.FORWARD), int256(uint256(type(uint96).max)));
    }

    function test_nothingBeforeTheWindowHasPassed() public {
        FeedAdapter adapter = _adapter(Field.IV);
        _publish(_fields());
        skip(WINDOW - 1);
        vm.expectRevert(NO_DATA);
        adapter.latestRoundData();
        skip(1);
        assertEq(_answer(Field.IV), 650_000);
    }

    function test_theTimeIsTheMarketsAndNotTheAcceptances() public {
        _publish(bothBook, _fields(), START - 45);
        skip(WINDOW);
        (, int256 answer, uint256 startedAt, uint256 updatedAt,) = _adapter(Field.IV).latestRoundData();
        assertEq(answer, 650_000);
        assertEq(startedAt, START - 45);
        assertEq(updatedAt, START - 45);
    }

    /// @dev With a window of nothing and a market clock that runs ahead, consumers' subtractions must not underflow.
    function test_theTimeIsNeverInTheFuture() public {
        FeedAdapter adapter = _adapter(Field.PRICE);
        _publish(bothBook, _fields(), START + uint64(WINDOW) + 50);
        skip(WINDOW);
        (,,, uint256 updatedAt,) = adapter.latestRoundData();
        assertEq(updatedAt, START);
        assertEq(new ChainlinkConsumer(adapter, WINDOW).price(), 4167.49470319e8);
    }

    function test_aConsumersHeartbeatTellsTheAge() public {
        ChainlinkConsumer consumer = new ChainlinkConsumer(_adapter(Field.PRICE), VALIDITY);
        _publish(_fields());
        vm.warp(START + VALIDITY);
        assertEq(consumer.price(), 4167.49470319e8);
        skip(1);
        vm.expectRevert(abi.encodeWithSelector(ChainlinkConsumer.Stale.selector, VALIDITY + 1));
        consumer.price();
    }

    /// @dev Beside the feed's own work: two proxied calls into cold accounts, and the live flag.
    function test_gasOfTheTuple() public {
        _publishFinal(_fields());
        FeedAdapter adapter = _adapter(Field.PRICE);
        uint256 direct = _cold(address(feed), abi.encodeCall(IHedgeFeed.reading, (callId)), "feed.reading");
        uint256 tuple = _cold(address(adapter), abi.encodeCall(FeedAdapter.latestRoundData, ()), "latestRoundData");
        assertLt(tuple, direct + 10_000);
    }

    function test_gasOfTheBareNumber() public {
        _publishFinal(_fields());
        FeedAdapter adapter = _adapter(Field.PRICE);
        uint256 direct = _cold(address(feed), abi.encodeCall(IHedgeFeed.reading, (callId)), "feed.reading");
        uint256 bare = _cold(address(adapter), abi.encodeCall(FeedAdapter.latestAnswer, ()), "latestAnswer");
        assertLt(bare, direct + 10_000);
    }

    /// @return gas As if this call were the first of its transaction
    function _cold(
        address target,
        bytes memory call,
        string memory name
    ) private returns (uint256 gas) {
        address implementation = factory.implementation();
        vm.cool(address(feed));
        vm.cool(implementation);
        vm.cool(target);
        (bool success,) = target.staticcall(call);
        assertTrue(success);
        gas = vm.lastCallGas().gasTotalUsed;
        console.log(name, gas);
    }

    function _assertField(
        Field field,
        int256 expected,
        uint8 decimals,
        string memory name
    ) private {
        FeedAdapter adapter = _adapter(field);
        (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound) =
            adapter.latestRoundData();
        Reading memory reading = feed.reading(callId);
        assertEq(answer, expected, name);
        assertEq(roundId, reading.sequence);
        assertEq(answeredInRound, roundId);
        assertEq(startedAt, START);
        assertEq(updatedAt, START);
        assertEq(adapter.latestAnswer(), expected);
        assertEq(adapter.decimals(), decimals);
        assertEq(adapter.version(), 1);
        assertEq(adapter.description(), string.concat("BTC 28-MAR-2027 90000 C / ", name));
    }

    function _answer(
        Field field
    ) private returns (int256 answer) {
        (, answer,,,) = _adapter(field).latestRoundData();
    }
}
