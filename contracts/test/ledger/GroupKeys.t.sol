// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Founding} from "../../src/Founding.sol";
import {ConsortiumBond} from "../../src/bond/ConsortiumBond.sol";
import {ISettlementEvents} from "../../src/interfaces/ISettlementEvents.sol";
import {Config} from "../../src/ledger/Config.sol";
import {GroupKeys} from "../../src/ledger/GroupKeys.sol";
import {KeysFixture} from "./KeysFixture.sol";

/// @dev Which key counts when: for reports, and for proofs against them.
contract GroupKeysTest is KeysFixture {
    uint64 private constant _NEXT = EPOCH + 1;
    uint256 private constant _OVERLAP = 1000;
    // When the first rotation takes effect, and until when the key before counts.
    uint256 private constant _ROTATED = START + DELAY;
    uint256 private constant _UNTIL = _ROTATED + _OVERLAP;

    address private _challenger = makeAddr("challenger");
    uint256 private _oldKey;

    function setUp() public override {
        super.setUp();
        _oldKey = groupPrivateKey;
    }

    function test_deployed() public view {
        assertEq(settlement.groupKey(), vm.addr(_oldKey));
        assertEq(settlement.epoch(), EPOCH);
        _assertPrevious(address(0), 0, 0);
        assertEq(settlement.lastSlashedEpoch(), 0);
        assertEq(settlement.challengerOf(EPOCH), address(0));
        assertEq(settlement.challengerOf(0), address(0));
    }

    function test_foundingRefusals() public {
        Founding memory founding = _founding();
        founding.groupKey = address(0);
        vm.expectRevert(GroupKeys.GroupKeyZero.selector);
        _found(founding);
        founding = _founding();
        founding.epoch = 0;
        vm.expectRevert(abi.encodeWithSelector(GroupKeys.EpochOutOfRange.selector, 0));
        _found(founding);
        founding.epoch = uint64(1) << 48;
        vm.expectRevert(abi.encodeWithSelector(GroupKeys.EpochOutOfRange.selector, founding.epoch));
        _found(founding);
    }

    /// @dev The last epoch that a report's head can name takes reports, and has no next one.
    function test_theLastEpoch() public {
        Founding memory founding = _founding();
        founding.epoch = type(uint48).max;
        settlement = _found(founding);
        _settleBy(_oldKey, type(uint48).max, 1, "");
        vm.prank(address(members));
        vm.expectRevert(abi.encodeWithSelector(GroupKeys.EpochOutOfRange.selector, uint64(1) << 48));
        settlement.rotateGroupKey(vm.addr(NEW_KEY), uint64(1) << 48, 0);
    }

    // Rotation

    function test_rotation() public {
        bytes32 salt = _salt();
        _decide(_rotateHash(settlement, vm.addr(NEW_KEY), _NEXT, _OVERLAP, salt, START));
        vm.expectEmit(address(settlement));
        emit GroupKeys.GroupKeyRotated(vm.addr(_oldKey), vm.addr(NEW_KEY), _NEXT, _UNTIL);
        members.rotateGroupKey(settlement, vm.addr(NEW_KEY), _NEXT, _OVERLAP, salt, START);
        assertEq(settlement.groupKey(), vm.addr(NEW_KEY));
        assertEq(settlement.epoch(), _NEXT);
        _assertPrevious(vm.addr(_oldKey), EPOCH, _UNTIL);
    }

    function test_rotationRefusals() public {
        address key = vm.addr(NEW_KEY);
        vm.expectRevert(abi.encodeWithSelector(ISettlementEvents.NotMembers.selector, address(this)));
        settlement.rotateGroupKey(key, _NEXT, 0);
        // Nor a member by itself.
        vm.prank(memberAddresses[0]);
        vm.expectRevert(abi.encodeWithSelector(ISettlementEvents.NotMembers.selector, memberAddresses[0]));
        settlement.rotateGroupKey(key, _NEXT, 0);
        vm.startPrank(address(members));
        vm.expectRevert(GroupKeys.GroupKeyZero.selector);
        settlement.rotateGroupKey(address(0), _NEXT, 0);
        uint64[4] memory wrong = [0, EPOCH - 1, EPOCH, EPOCH + 2];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(GroupKeys.EpochNotNext.selector, wrong[i], EPOCH));
            settlement.rotateGroupKey(key, wrong[i], 0);
        }
        vm.expectRevert(abi.encodeWithSelector(GroupKeys.OverlapTooLong.selector, 1 days + 1, 1 days));
        settlement.rotateGroupKey(key, _NEXT, 1 days + 1);
        settlement.rotateGroupKey(key, _NEXT, 1 days);
        _assertPrevious(vm.addr(_oldKey), EPOCH, START + 1 days);
    }

    function test_rotationWhilePaused() public {
        _pause(settlement);
        _rotate(NEW_KEY, 0);
        assertEq(settlement.groupKey(), vm.addr(NEW_KEY));
        _settleBy(NEW_KEY, _NEXT, 1, abi.encodeWithSelector(ISettlementEvents.FeedPaused.selector));
        _slash(_challenger, NEW_KEY, _NEXT, "");
        assertEq(settlement.lastSlashedEpoch(), _NEXT, "a pause does not hold a challenge up");
    }

    function test_theOverlapAtTheExactSecond() public {
        _rotate(NEW_KEY, _OVERLAP);
        _settleBy(NEW_KEY, _NEXT, 1, "");
        uint256 state = vm.snapshotState();
        vm.warp(_UNTIL - 1);
        _settleBy(_oldKey, EPOCH, 2, "");
        vm.revertToState(state);
        vm.warp(_UNTIL);
        _settleBy(_oldKey, EPOCH, 2, abi.encodeWithSelector(GroupKeys.KeyRetired.selector, EPOCH, _UNTIL));
        _settleBy(NEW_KEY, _NEXT, 2, "");
    }

    function test_withoutOverlap() public {
        _rotate(NEW_KEY, 0);
        _settleBy(_oldKey, EPOCH, 1, abi.encodeWithSelector(GroupKeys.KeyRetired.selector, EPOCH, _ROTATED));
    }

    /// @dev Each key for its own epoch, also while both count.
    function test_keysDoNotSignForEachOther() public {
        _rotate(NEW_KEY, _OVERLAP);
        _settleBy(_oldKey, _NEXT, 1, abi.encodeWithSelector(GroupKeys.NotGroupKey.selector, vm.addr(_oldKey)));
        _settleBy(NEW_KEY, EPOCH, 1, abi.encodeWithSelector(GroupKeys.NotGroupKey.selector, vm.addr(NEW_KEY)));
    }

    function test_theSameKeyInANewEpoch() public {
        _rotate(_oldKey, _OVERLAP);
        assertEq(settlement.groupKey(), vm.addr(_oldKey));
        assertEq(settlement.epoch(), _NEXT);
        _settleBy(_oldKey, EPOCH, 1, "");
        vm.warp(_ROTATED + 10);
        _settleBy(_oldKey, _NEXT, 2, "");
        vm.warp(_UNTIL);
        _settleBy(_oldKey, EPOCH, 3, abi.encodeWithSelector(GroupKeys.KeyRetired.selector, EPOCH, _UNTIL));
    }

    function testFuzz_otherEpochs(
        uint64 reportEpoch
    ) public {
        reportEpoch = uint64(bound(reportEpoch, 0, type(uint48).max));
        vm.assume(reportEpoch != EPOCH);
        bytes memory refusal = abi.encodeWithSelector(GroupKeys.WrongEpoch.selector, reportEpoch, EPOCH);
        _settleBy(_oldKey, reportEpoch, 1, refusal);
        _slash(_challenger, _oldKey, reportEpoch, refusal);
    }

    /// @dev However long its overlap was to be.
    function test_anOverlapEndsWithTheNextRotation() public {
        _rotateAtOnce(NEW_KEY, 1 days);
        _rotateAtOnce(THIRD_KEY, 1 days);
        _settleBy(_oldKey, EPOCH, 1, abi.encodeWithSelector(GroupKeys.WrongEpoch.selector, EPOCH, EPOCH + 2));
        _settleBy(NEW_KEY, _NEXT, 1, "");
    }

    // Proofs

    function test_aReplacedKeyCanBeChallengedForEightDays() public {
        _rotate(NEW_KEY, _OVERLAP);
        uint256 end = _UNTIL + 8 days;
        vm.warp(end + 1);
        _slash(_challenger, _oldKey, EPOCH, abi.encodeWithSelector(GroupKeys.KeyRetired.selector, EPOCH, end));
        vm.warp(end);
        _slash(_challenger, _oldKey, EPOCH, "");
        assertEq(settlement.lastSlashedEpoch(), _NEXT, "the consortium as it is now pays");
        assertEq(settlement.challengerOf(_NEXT), _challenger);
        assertEq(settlement.groupKey(), address(0));
    }

    /// @dev Members who have decided upon rotations beforehand carry them out as soon as a proof is on its way.
    function test_rotationsInARowSaveNoKey() public {
        uint256[3] memory keys = [_oldKey, NEW_KEY, THIRD_KEY];
        _rotateAtOnce(NEW_KEY, 0);
        _rotateAtOnce(THIRD_KEY, 0);
        uint256 state = vm.snapshotState();
        for (uint64 i = 0; i < 3; ++i) {
            _slash(_challenger, keys[i], EPOCH + i, "");
            assertEq(settlement.lastSlashedEpoch(), EPOCH + 2);
            vm.revertToState(state);
        }
        _slash(_challenger, NEW_KEY, EPOCH, abi.encodeWithSelector(GroupKeys.NotGroupKey.selector, vm.addr(NEW_KEY)));
    }

    /// @dev Nor does the shortest window: it had once been the time for proofs.
    function test_aShorterWindowSavesNoKey() public {
        Config memory config = _defaultConfig();
        config.challengeWindow = 1;
        _rotate(NEW_KEY, 0);
        _setParameters(settlement, config, _defaultTolerances());
        vm.warp(_ROTATED + 8 days);
        _slash(_challenger, _oldKey, EPOCH, "");
        assertEq(settlement.challengerOf(_NEXT), _challenger);
    }

    function test_aSlashedKeyDoesNothingMore() public {
        _slash(_challenger, _oldKey, EPOCH, "");
        assertEq(settlement.groupKey(), address(0));
        assertEq(settlement.epoch(), EPOCH);
        assertEq(settlement.lastSlashedEpoch(), EPOCH);
        assertEq(settlement.challengerOf(EPOCH), _challenger);
        bytes memory refusal = abi.encodeWithSelector(GroupKeys.KeySlashed.selector, EPOCH);
        _settleBy(_oldKey, EPOCH, 1, refusal);
        _slash(makeAddr("late"), _oldKey, EPOCH, refusal);
        assertEq(settlement.challengerOf(EPOCH), _challenger);
    }

    /// @dev The key before counts no more either, though its overlap is not over.
    function test_aSlashEndsTheOverlap() public {
        _rotate(NEW_KEY, _OVERLAP);
        _slash(_challenger, NEW_KEY, _NEXT, "");
        bytes memory refusal = abi.encodeWithSelector(GroupKeys.KeySlashed.selector, _NEXT);
        _settleBy(_oldKey, EPOCH, 1, refusal);
        _slash(_challenger, _oldKey, EPOCH, refusal);
    }

    function test_afterASlashThereIsNoOverlap() public {
        _slash(_challenger, _oldKey, EPOCH, "");
        bytes32 salt = _salt();
        _decide(_rotateHash(settlement, vm.addr(NEW_KEY), _NEXT, _OVERLAP, salt, START));
        vm.expectEmit(address(settlement));
        emit GroupKeys.GroupKeyRotated(address(0), vm.addr(NEW_KEY), _NEXT, _ROTATED);
        members.rotateGroupKey(settlement, vm.addr(NEW_KEY), _NEXT, _OVERLAP, salt, START);
        _assertPrevious(address(0), 0, 0);
        _settleBy(_oldKey, EPOCH, 1, abi.encodeWithSelector(GroupKeys.WrongEpoch.selector, EPOCH, _NEXT));
        _settleBy(NEW_KEY, _NEXT, 1, "");
        assertEq(settlement.lastSlashedEpoch(), EPOCH, "remembered");
        assertEq(settlement.challengerOf(EPOCH), _challenger);
        assertEq(settlement.challengerOf(_NEXT), address(0));
    }

    /// @dev One lie costs one pool: what the slash has settled cannot be brought against the key after it.
    function test_noProofServesTwice() public {
        _rotateAtOnce(NEW_KEY, 1 days);
        _slash(_challenger, NEW_KEY, _NEXT, "");
        _rotateAtOnce(THIRD_KEY, 0);
        for (uint64 reportEpoch = EPOCH; reportEpoch <= _NEXT; ++reportEpoch) {
            _slash(
                _challenger,
                reportEpoch == EPOCH ? _oldKey : NEW_KEY,
                reportEpoch,
                abi.encodeWithSelector(GroupKeys.WrongEpoch.selector, reportEpoch, EPOCH + 2)
            );
        }
        assertEq(settlement.groupKey(), vm.addr(THIRD_KEY));
    }

    function test_twoSlashes() public {
        address second = makeAddr("second");
        _slash(_challenger, _oldKey, EPOCH, "");
        _rotateAtOnce(NEW_KEY, 0);
        _slash(second, NEW_KEY, _NEXT, "");
        assertEq(settlement.lastSlashedEpoch(), _NEXT);
        assertEq(settlement.challengerOf(EPOCH), _challenger);
        assertEq(settlement.challengerOf(_NEXT), second);
        _rotateAtOnce(THIRD_KEY, 0);
        assertEq(settlement.lastSlashedEpoch(), _NEXT);
        assertEq(settlement.challengerOf(EPOCH), _challenger);
        assertEq(settlement.challengerOf(_NEXT), second);
    }

    /// @dev The whole way: bonded, proved, seized, collected; then a new key, a new pool and another lie.
    function test_theBondPays() public {
        ConsortiumBond bond = new ConsortiumBond(settlement, SINK, 1000, 10 days);
        bond.bond{value: 10 ether}(memberAddresses[0]);
        _slash(_challenger, _oldKey, EPOCH, "");
        bond.seize();
        assertEq(bond.rewardOf(_challenger), 1 ether);
        _rotateAtOnce(NEW_KEY, 0);
        bond.bond{value: 5 ether}(memberAddresses[1]);
        assertEq(bond.secured(), 5 ether);
        _slash(_challenger, NEW_KEY, _NEXT, "");
        assertEq(bond.secured(), 0);
        bond.seize();
        vm.prank(_challenger);
        bond.collect();
        assertEq(_challenger.balance, 1.5 ether);
        bond.sweep();
        assertEq(address(bond).balance, 0);
    }

    /// @dev What the members' contract does, without waiting for it.
    function _rotateAtOnce(
        uint256 newKey,
        uint256 overlap
    ) private {
        uint64 next = settlement.epoch() + 1;
        vm.prank(address(members));
        settlement.rotateGroupKey(vm.addr(newKey), next, overlap);
    }

    function _assertPrevious(
        address key,
        uint64 keyEpoch,
        uint256 until
    ) private view {
        (address previous, uint64 previousEpoch, uint256 previousUntil) = settlement.previousKey();
        assertEq(previous, key);
        assertEq(previousEpoch, keyEpoch);
        assertEq(previousUntil, until);
    }
}
