// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, SignedHeader} from "../../src/HedgeReport.sol";
import {IReportJudge} from "../../src/interfaces/IReportJudge.sol";
import {ReportJudge} from "../../src/judge/ReportJudge.sol";
import {Auction} from "../../src/vault/Auction.sol";
import {Feeds} from "../../src/vault/Feeds.sol";
import {Margin} from "../../src/vault/Margin.sol";
import {MarginVault} from "../../src/vault/MarginVault.sol";
import {Order, VaultConfig} from "../../src/vault/VaultTypes.sol";
import {HonestDesk} from "../judge/support/HonestDesk.sol";
import {SettlementFixture} from "../support/SettlementFixture.sol";
import {MockToken} from "./mocks/MockTokens.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

/// @dev The vault over the ledger itself: margin follows what the group key has signed, once it is final.
contract RealLedgerTest is SettlementFixture {
    uint256 private constant COUNT = 12;
    uint256 private constant USD = 1e6;

    MarginVault private _vault;
    MockToken private _token;
    uint64 private _callId;
    uint256 private _index;
    address private _ann;
    uint256 private _annKey;
    address private _ben = makeAddr("ben");
    address private _cat = makeAddr("cat");
    uint64 private _round;
    uint96 private _forward = FIRST_FORWARD;
    uint64 private _orders;

    function setUp() public override {
        super.setUp();
        (, uint256[] memory ids) = _register(COUNT);
        // The call nearest to the money on the second expiry.
        _index = 9;
        _callId = uint64(ids[_index]);
        (_ann, _annKey) = makeAddrAndKey("ann");
        _token = new MockToken(6);
        address[] memory feeds = new address[](1);
        feeds[0] = address(settlement);
        _vault = new MarginVault(
            IERC20Metadata(address(_token)),
            feeds,
            VaultConfig({
                settlementLag: 1 hours,
                settlementDelay: 3 hours,
                proposalPeriod: 1 hours,
                fallbackDelay: 7 days,
                solventTime: 20 minutes,
                insolventTime: 20 minutes,
                tickGap: 10 minutes,
                feeRate: 0.01e6
            })
        );
        _fund(_ann, 24_000);
        _fund(_ben, 60_000);
        _fund(_cat, 200_000);
    }

    function _judge() internal override returns (IReportJudge) {
        return new ReportJudge();
    }

    /// @dev Open, lose, be taken over; every step on a final report, none on a pending one.
    function test_marginFollowsFinalReports() public {
        _reportAndFinish();
        uint256 mark = _mark();
        _openShort(mark);
        assertEq(_vault.accountOf(_ann).shorts, 1);
        // The market rises by a tenth twice; the second report is pending for a window, and counts no sooner.
        _move(110);
        _reportAndFinish();
        _move(110);
        _report_();
        vm.expectPartialRevert(Auction.NotLiquidatable.selector);
        _vault.startAuction(_ann);
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        _vault.startAuction(_ann);
        assertTrue(_vault.accountOf(_ann).tickedAt != 0);
        vm.warp(vm.getBlockTimestamp() + 5 minutes);

        vm.prank(_cat);
        _vault.bid(_ann, 1e6, type(int256).min);
        assertEq(_vault.accountOf(_cat).shorts, 1);
    }

    /// @dev A fraud stops the feed: nothing opens or is liquidated on it, and money comes out.
    function test_aStoppedFeed() public {
        _reportAndFinish();
        uint256 mark = _mark();
        _openShort(mark);
        _fund(_ann, 30_000);
        (HedgeReport memory one, HedgeReport memory other) = (_report(99, 2), _report(99, 2));
        other.params[0] ^= bytes32(uint256(1));
        SignedHeader memory first = _signedHeader(one);
        SignedHeader memory second = _signedHeader(other);
        settlement.equivocate(first, second);
        Order memory order = _order(mark);
        bytes memory signature = _signature(_annKey, _vault.orderDigest(order));
        vm.prank(_ben);
        vm.expectPartialRevert(Feeds.ReadingNotFresh.selector);
        _vault.open(order, signature, 1e8);
        vm.expectPartialRevert(Auction.NotLiquidatable.selector);
        _vault.startAuction(_ann);
        // Who holds nothing short takes all.
        int256 balance = _vault.accountOf(_ben).balance;
        vm.prank(_ben);
        _vault.withdraw(uint256(balance), _ben);
        // Who does, what is above twice its mark and margin.
        vm.prank(_ann);
        _vault.withdraw(1000 * USD, _ann);
        vm.prank(_ann);
        vm.expectPartialRevert(Margin.Undermargined.selector);
        _vault.withdraw(20_000 * USD, _ann);
    }

    function _openShort(
        uint256 mark
    ) private {
        Order memory order = _order(mark);
        bytes memory signature = _signature(_annKey, _vault.orderDigest(order));
        vm.prank(_ben);
        _vault.open(order, signature, 1e8);
    }

    function _order(
        uint256 price
    ) private returns (Order memory) {
        return Order({
            maker: _ann,
            taker: address(0),
            feed: address(settlement),
            instrument: _callId,
            isBuy: false,
            reduceOnly: false,
            quantity: 1e8,
            price: uint128(price),
            salt: ++_orders,
            deadline: uint64(vm.getBlockTimestamp())
        });
    }

    function _fund(
        address account,
        uint256 amount
    ) private {
        _token.mint(account, amount * USD);
        vm.startPrank(account);
        _token.approve(address(_vault), type(uint256).max);
        _vault.deposit(amount * USD);
        vm.stopPrank();
    }

    /// @return 1e-8 of the quote currency: premium times forward of the latest final reading
    function _mark() private view returns (uint256) {
        return uint256(settlement.reading(_callId).param.premium()) * settlement.reading(_callId).forward / 1e8;
    }

    function _move(
        uint96 percent
    ) private {
        _forward = _forward * percent / 100;
    }

    function _reportAndFinish() private {
        _report_();
        vm.warp(vm.getBlockTimestamp() + WINDOW);
    }

    function _report_() private {
        vm.warp(vm.getBlockTimestamp() + 30);
        ++_round;
        HedgeReport memory report = _report(_round, COUNT);
        for (uint256 i = 0; i < report.forwards.length; ++i) {
            report.forwards[i] = bytes32((uint256(report.forwards[i]) >> 96 << 96) | _forward);
        }
        for (uint256 i = 0; i < COUNT; ++i) {
            HonestDesk.Option memory option = _option(_round, i, COUNT);
            option.forward = _forward;
            report.params[i] = desk.word(option);
        }
        assertTrue(_publishStored(report));
    }
}
