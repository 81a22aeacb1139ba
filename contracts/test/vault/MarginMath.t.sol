// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {InstrumentWord} from "../../src/types/InstrumentWord.sol";
import {AuctionMath} from "../../src/vault/AuctionMath.sol";
import {MarginMath} from "../../src/vault/MarginMath.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Test} from "forge-std/Test.sol";

/// @dev Against products taken apart in 512 bits: another order of operations, and no bound relied upon.
contract MarginMathTest is Test {
    function testFuzz_amountsOfMarks(
        uint96 quantity,
        uint96 forward,
        uint32 premium,
        uint24 margin,
        uint256 decimals
    ) public pure {
        decimals = bound(decimals, 6, 18);
        uint256 scale = MarginMath.scaleOf(decimals);
        uint256 rate = MarginMath.coverRate(premium, margin);
        assertEq(rate, uint256(premium) + uint256(margin) * 1e8 / 1e6);
        _check(quantity, forward, rate, decimals, scale);
    }

    function testFuzz_amountsOfPrices(
        uint96 quantity,
        uint128 price,
        uint256 decimals
    ) public pure {
        decimals = bound(decimals, 6, 18);
        _check(quantity, price, MarginMath.ONE, decimals, MarginMath.scaleOf(decimals));
    }

    /// @dev quote = q/1e8 * p/1e8 * r/1e8; units = quote * 10^decimals.
    function _check(
        uint256 quantity,
        uint256 price,
        uint256 rate,
        uint256 decimals,
        uint256 scale
    ) private pure {
        uint256 down = MarginMath.amountDown(quantity, price, rate, scale);
        uint256 up = MarginMath.amountUp(quantity, price, rate, scale);
        assertEq(down, Math.mulDiv(quantity * price, rate * 10 ** decimals, 1e24));
        bool exact = mulmod(quantity * price, rate * 10 ** decimals, 1e24) == 0;
        assertEq(up, exact ? down : down + 1);
    }

    function test_inNumbers() public pure {
        uint256 scale = MarginMath.scaleOf(6);
        // 2.5 options at 123.45 are 308.625
        assertEq(MarginMath.amountUp(2.5e8, 123.45e8, MarginMath.ONE, scale), 308.625e6);
        // 0.5 of a forward of 50,000 at 10 % mark and 15 % margin: 6,250
        assertEq(MarginMath.amountUp(0.5e8, 50_000e8, MarginMath.coverRate(0.1e8, 0.15e6), scale), 6250e6);
        // A hundred-millionth of an option at a hundred-millionth is less than a unit
        assertEq(MarginMath.amountUp(1, 1, 1, scale), 1);
        assertEq(MarginMath.amountDown(1, 1, 1, scale), 0);
        assertEq(MarginMath.amountUp(0, 1, 1, scale), 0);
        assertEq(MarginMath.amountUp(1e8, 1e8, 1e8, MarginMath.scaleOf(18)), 1e18);
    }

    /// @dev Splitting a position never makes it owe less, nor a long be worth more.
    function testFuzz_roundingIsAgainstTheHolder(
        uint96 a,
        uint96 b,
        uint96 forward,
        uint32 premium
    ) public pure {
        uint256 scale = MarginMath.scaleOf(6);
        (a, b) = (a / 2, b / 2);
        uint256 whole = uint256(a) + b;
        assertGe(
            MarginMath.amountUp(a, forward, premium, scale) + MarginMath.amountUp(b, forward, premium, scale),
            MarginMath.amountUp(whole, forward, premium, scale)
        );
        assertLe(
            MarginMath.amountDown(a, forward, premium, scale) + MarginMath.amountDown(b, forward, premium, scale),
            MarginMath.amountDown(whole, forward, premium, scale)
        );
    }

    function testFuzz_payoffs(
        uint96 strike,
        uint96 forward
    ) public pure {
        uint256 call = MarginMath.payoff(_word(1, strike), forward);
        uint256 put = MarginMath.payoff(_word(2, strike), forward);
        // Parity, and never both
        assertEq(int256(call) - int256(put), int256(uint256(forward)) - int256(uint256(strike)));
        assertTrue(call == 0 || put == 0);
    }

    function _word(
        uint8 kind,
        uint96 strike
    ) private pure returns (InstrumentWord) {
        return InstrumentWord.wrap(bytes32(abi.encodePacked(bytes12("BTC"), kind, uint40(1), strike, uint16(0))));
    }
}

contract AuctionMathTest is Test {
    uint256 private constant FEE = 0.01e6;

    function _assessment(
        int256 balance
    ) private pure returns (AuctionMath.Assessment memory found) {
        found.balance = balance;
        (found.owed, found.maintenance, found.initial, found.sold) = (5000, 10_000, 12_500, 1);
    }

    function _clock(
        uint256 elapsed
    ) private pure returns (AuctionMath.Clock memory) {
        return AuctionMath.Clock({elapsed: elapsed, solventTime: 1000, insolventTime: 500});
    }

    function test_priceFallsFromMarkToZero() public pure {
        AuctionMath.Assessment memory found = _assessment(9000);
        AuctionMath.Terms memory terms = AuctionMath.terms(found, _clock(0), FEE, 1e9);
        assertEq(terms.price, 4000);
        assertEq(terms.cash, 5000);
        assertEq(terms.subsidy, 0);
        // (12,500 - 9,000) / (3,500 + 3,960)
        assertEq(terms.maxShare, 469_169);
        terms = AuctionMath.terms(found, _clock(250), FEE, 1e9);
        assertEq(terms.price, 3000);
        terms = AuctionMath.terms(found, _clock(999), FEE, 1e9);
        assertEq(terms.price, 4);
        terms = AuctionMath.terms(found, _clock(1000), FEE, 1e9);
        assertEq(terms.price, 0);
        assertEq(terms.maxShare, 1e6);
    }

    function test_subsidyRisesToTheMaintenanceMargin() public pure {
        AuctionMath.Assessment memory found = _assessment(4000);
        assertEq(AuctionMath.value(found), -1000);
        assertEq(AuctionMath.terms(found, _clock(1000), FEE, 1e9).subsidy, 0);
        // M - (B - L) = 5,000 + 1,000
        assertEq(AuctionMath.terms(found, _clock(1250), FEE, 1e9).subsidy, 3000);
        AuctionMath.Terms memory terms = AuctionMath.terms(found, _clock(1500), FEE, 1e9);
        assertEq(terms.subsidy, 6000);
        assertEq(terms.cash, 10_000);
        assertEq(AuctionMath.terms(found, _clock(1500), FEE, 77).subsidy, 77);
    }

    function test_aDebtIsNotForSale() public pure {
        AuctionMath.Assessment memory found = _assessment(-3000);
        assertEq(AuctionMath.cash(found), 0);
        assertEq(AuctionMath.value(found), -5000);
        assertEq(AuctionMath.terms(found, _clock(1500), FEE, 1e9).cash, 10_000);
    }

    /// @dev What remains after the largest share has its initial margin.
    function testFuzz_largestShareRestores(
        uint64 balance,
        uint64 owed,
        uint64 margin,
        uint64 more,
        uint16 elapsed
    ) public pure {
        AuctionMath.Assessment memory found;
        found.owed = owed;
        found.maintenance = found.owed + margin;
        found.initial = found.maintenance + more;
        vm.assume(found.maintenance > 0);
        balance = uint64(bound(balance, 0, found.maintenance < type(uint64).max ? found.maintenance - 1 : balance));
        found.balance = int256(uint256(balance));
        AuctionMath.Terms memory terms = AuctionMath.terms(found, _clock(bound(elapsed, 0, 1500)), FEE, 1e30);
        assertLe(terms.maxShare, 1e6);
        uint256 paid = AuctionMath.shareUp(terms.price, terms.maxShare);
        uint256 left = balance - AuctionMath.shareDown(balance, terms.maxShare) + paid - paid * FEE / 1e6;
        uint256 needed = AuctionMath.shareDown(found.initial, 1e6 - terms.maxShare);
        // The fee is rounded apart.
        assertGe(left + 1, needed);
    }

    /// @dev Later is never dearer for the taker.
    function testFuzz_cashRisesWithTime(
        uint64 balance,
        uint64 owed,
        uint64 margin,
        uint16 earlier,
        uint16 later
    ) public pure {
        AuctionMath.Assessment memory found;
        found.owed = owed;
        // One more than nothing, so that there is something to lack.
        found.maintenance = found.owed + margin + 1;
        found.initial = found.maintenance;
        found.balance = int256(bound(balance, 0, found.maintenance - 1));
        later = uint16(bound(later, 0, 1500));
        earlier = uint16(bound(earlier, 0, later));
        int256 before = AuctionMath.terms(found, _clock(earlier), FEE, 1e30).cash;
        assertGe(AuctionMath.terms(found, _clock(later), FEE, 1e30).cash, before);
    }
}
