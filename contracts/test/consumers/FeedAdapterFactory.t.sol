// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {FeedAdapter} from "../../src/consumers/FeedAdapter.sol";
import {FeedAdapterFactory} from "../../src/consumers/FeedAdapterFactory.sol";
import {Field} from "../../src/consumers/Field.sol";
import {IHedgeFeed} from "../../src/interfaces/IHedgeFeed.sol";
import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {ConsumersFixture} from "./ConsumersFixture.sol";
import {MockFeed} from "./MockFeed.sol";
import {Vm} from "forge-std/Vm.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

contract FeedAdapterFactoryTest is ConsumersFixture {
    function test_theAddressIsKnownBefore() public {
        FeedAdapter predicted = factory.adapterOf(feed, callId, Field.VEGA);
        assertEq(address(predicted).code.length, 0);
        vm.expectEmit(address(factory));
        emit FeedAdapterFactory.AdapterCreated(address(predicted), feed, callId, Field.VEGA);
        FeedAdapter made = factory.create(feed, callId, Field.VEGA);
        assertEq(address(made), address(predicted));
        assertEq(address(made.feed()), address(feed));
        assertEq(made.instrumentId(), callId);
        assertEq(uint8(made.field()), uint8(Field.VEGA));
    }

    function test_makingItAgainChangesNothing() public {
        FeedAdapter first = factory.create(feed, callId, Field.IV);
        vm.recordLogs();
        vm.prank(makeAddr("somebody else"));
        assertEq(address(factory.create(feed, callId, Field.IV)), address(first));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 0);
    }

    function test_oneForEachFeedInstrumentAndField() public {
        MockFeed other = new MockFeed(KEPT, WINDOW);
        InstrumentWord[] memory words = new InstrumentWord[](2);
        words[0] = feed.instrument(callId);
        words[1] = feed.instrument(putId);
        other.register(words);
        IHedgeFeed[2] memory feeds = [IHedgeFeed(feed), IHedgeFeed(other)];
        address[] memory seen = new address[](2 * 2 * 10);
        uint256 count = 0;
        for (uint256 i = 0; i < feeds.length; ++i) {
            for (uint256 id = 1; id <= 2; ++id) {
                for (uint8 field = 0; field <= uint8(type(Field).max); ++field) {
                    FeedAdapter adapter = factory.create(feeds[i], id, Field(field));
                    assertEq(address(adapter.feed()), address(feeds[i]));
                    assertEq(adapter.instrumentId(), id);
                    assertEq(uint8(adapter.field()), field);
                    for (uint256 k = 0; k < count; ++k) {
                        assertNotEq(seen[k], address(adapter));
                    }
                    seen[count++] = address(adapter);
                }
            }
        }
        assertEq(count, seen.length);
    }

    function test_anAddressWithoutCodeIsNoFeed() public {
        IHedgeFeed nobody = IHedgeFeed(makeAddr("nobody"));
        vm.expectRevert(abi.encodeWithSelector(FeedAdapterFactory.FeedHasNoCode.selector, nobody));
        factory.create(nobody, 1, Field.IV);
    }

    function test_anInstrumentThatTheFeedDoesNotKnow() public {
        vm.expectRevert(abi.encodeWithSelector(MockFeed.NoInstrument.selector, 3));
        factory.create(feed, 3, Field.IV);
        vm.expectRevert(abi.encodeWithSelector(MockFeed.NoInstrument.selector, 0));
        factory.create(feed, 0, Field.IV);
    }

    /// @dev A feed that knows every number must not get an adapter of another instrument than it was asked for.
    function test_aNumberThatDoesNotFitIsRefused() public {
        uint256 large = (uint256(1) << 88) + callId;
        vm.mockCall(
            address(feed), abi.encodeWithSignature("instrument(uint256)", large), abi.encode(feed.instrument(callId))
        );
        vm.expectRevert(SafeCastLib.Overflow.selector);
        factory.create(feed, large, Field.IV);
        vm.expectRevert(SafeCastLib.Overflow.selector);
        factory.adapterOf(feed, large, Field.IV);
    }

    function testFuzz_argumentsComeBack(
        address feedAddress,
        uint88 id,
        uint8 field
    ) public {
        assumeNotPrecompile(feedAddress);
        assumeNotForgeAddress(feedAddress);
        vm.assume(feedAddress.code.length == 0);
        vm.etch(feedAddress, hex"00");
        vm.mockCall(feedAddress, abi.encodeWithSignature("instrument(uint256)", uint256(id)), abi.encode(bytes32(0)));
        Field what = Field(uint8(bound(field, 0, uint8(type(Field).max))));
        FeedAdapter adapter = factory.create(IHedgeFeed(feedAddress), id, what);
        assertEq(address(adapter), address(factory.adapterOf(IHedgeFeed(feedAddress), id, what)));
        assertEq(address(adapter.feed()), feedAddress);
        assertEq(adapter.instrumentId(), id);
        assertEq(uint8(adapter.field()), uint8(what));
    }
}
