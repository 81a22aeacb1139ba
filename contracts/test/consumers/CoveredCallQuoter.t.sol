// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {CoveredCallQuoter} from "../../src/examples/CoveredCallQuoter.sol";
import {IHedgeFeed} from "../../src/interfaces/IHedgeFeed.sol";
import {WordPacker} from "../support/WordPacker.sol";
import {ConsumersFixture} from "./ConsumersFixture.sol";
import {MockFeed} from "./MockFeed.sol";

contract CoveredCallQuoterTest is ConsumersFixture {
    uint256 private constant MAX_AGE = 600;

    CoveredCallQuoter private _quoter;

    function setUp() public override {
        super.setUp();
        _quoter = new CoveredCallQuoter(feed, callId, MAX_AGE);
    }

    function test_quote() public {
        uint256 sequence = _publishFinal(_fields());
        CoveredCallQuoter.Quote memory quote = _quoter.quote(2.5e18);
        assertEq(quote.hedge, 1.2469125e18);
        // 2.5 * 91234.56789012 = 228086.4197253 quote
        assertEq(quote.premium, 10_418.736758e8);
        assertEq(quote.initialMargin, 45_617.28394506e8);
        assertEq(quote.maintenanceMargin, 34_212.9629588e8);
        assertEq(quote.sequence, sequence);
        assertEq(quote.validUntil, START + VALIDITY);
    }

    function test_theLeastAmountIsRoundedUp() public {
        _publishFinal(_fields());
        CoveredCallQuoter.Quote memory quote = _quoter.quote(1);
        assertEq(quote.hedge, 1);
        assertEq(quote.premium, 1);
        assertEq(quote.initialMargin, 1);
        assertEq(quote.maintenanceMargin, 1);
        assertEq(_quoter.quote(0).hedge, 0);
    }

    /// @dev Two sales together are never charged more than the two alone: nobody gains by splitting.
    function testFuzz_splittingASaleIsNoBargain(
        uint128 first,
        uint128 second
    ) public {
        _publishFinal(_fields());
        CoveredCallQuoter.Quote memory one = _quoter.quote(first);
        CoveredCallQuoter.Quote memory two = _quoter.quote(second);
        CoveredCallQuoter.Quote memory both = _quoter.quote(uint256(first) + second);
        assertLe(both.hedge, one.hedge + two.hedge);
        assertLe(both.initialMargin, one.initialMargin + two.initialMargin);
        assertGe(both.initialMargin, both.maintenanceMargin);
        // Exact value, or up to one unit of each rounding above.
        uint256 exact = (uint256(first) + second) * FORWARD / 1e18 * 4_567_890 / 1e8;
        assertGe(both.premium, exact);
        assertLe(both.premium, exact + 2);
    }

    function test_notLive() public {
        _publishFinal(_fields());
        feed.setLive(false);
        vm.expectRevert(CoveredCallQuoter.FeedNotLive.selector);
        _quoter.quote(1e18);
    }

    function test_tooOldForThisVault() public {
        _publish(_fields());
        vm.warp(START + MAX_AGE);
        _quoter.quote(1e18);
        skip(1);
        vm.expectRevert(
            abi.encodeWithSelector(CoveredCallQuoter.ReadingTooOld.selector, START, MAX_AGE, START + MAX_AGE + 1)
        );
        _quoter.quote(1e18);
    }

    function test_expiredReport() public {
        CoveredCallQuoter patient = new CoveredCallQuoter(feed, callId, 30 days);
        _publish(_fields());
        vm.warp(START + VALIDITY);
        patient.quote(1e18);
        skip(1);
        vm.expectRevert(
            abi.encodeWithSelector(CoveredCallQuoter.ReadingExpired.selector, START + VALIDITY, START + VALIDITY + 1)
        );
        patient.quote(1e18);
    }

    function test_expiredInstrument() public {
        vm.warp(EXPIRY - WINDOW - 1);
        _publishFinal(_fields());
        _quoter.quote(1e18);
        skip(1);
        vm.expectRevert(abi.encodeWithSelector(CoveredCallQuoter.InstrumentExpired.selector, EXPIRY, EXPIRY));
        _quoter.quote(1e18);
    }

    function test_noReading() public {
        vm.expectRevert(abi.encodeWithSelector(IHedgeFeed.NoReading.selector, callId, 0));
        _quoter.quote(1e18);
        _publish(putBook, _fields(), uint64(block.timestamp));
        skip(WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IHedgeFeed.NoReading.selector, callId, 1));
        _quoter.quote(1e18);
    }

    function test_marginsThatWereNotComputed() public {
        WordPacker.Param memory fields = _fields();
        fields.maintenanceMargin = type(uint24).max;
        fields.initialMargin = type(uint24).max;
        _publishFinal(fields);
        vm.expectRevert(abi.encodeWithSelector(CoveredCallQuoter.MarginNotComputed.selector, 1));
        _quoter.quote(1e18);
    }

    function test_aNegativeHedgeIsNoReasonToSell() public {
        WordPacker.Param memory fields = _fields();
        fields.hedgeDelta = -1;
        _publishFinal(fields);
        vm.expectRevert(abi.encodeWithSelector(CoveredCallQuoter.HedgeNegative.selector, int24(-1)));
        _quoter.quote(1e18);
    }

    function test_constructorRefuses() public {
        vm.expectRevert(abi.encodeWithSelector(CoveredCallQuoter.NotACall.selector, putId));
        new CoveredCallQuoter(feed, putId, MAX_AGE);
        vm.expectRevert(CoveredCallQuoter.MaxAgeZero.selector);
        new CoveredCallQuoter(feed, callId, 0);
        address nobody = makeAddr("nobody");
        vm.expectRevert(abi.encodeWithSelector(CoveredCallQuoter.FeedHasNoCode.selector, nobody));
        new CoveredCallQuoter(IHedgeFeed(nobody), callId, MAX_AGE);
        vm.expectRevert(abi.encodeWithSelector(MockFeed.NoInstrument.selector, 9));
        new CoveredCallQuoter(feed, 9, MAX_AGE);
    }
}
