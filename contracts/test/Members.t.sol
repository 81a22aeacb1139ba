// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../src/HedgeReport.sol";
import {HedgeSettlement} from "../src/HedgeSettlement.sol";
import {MembersMultisig} from "../src/MembersMultisig.sol";
import {Config} from "../src/ReportBounds.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @dev Deployment, rotation and pause: who may, how often, until when.
contract MembersTest is SettlementFixture {
    uint256 private constant NEW_KEY = uint256(keccak256("new group key"));

    // Deployment

    function test_deployed() public view {
        assertEq(settlement.consortium(), CONSORTIUM);
        assertEq(settlement.groupKey(), vm.addr(groupPrivateKey));
        assertEq(settlement.epoch(), EPOCH);
        assertEq(settlement.members(), memberAddresses);
        assertEq(settlement.quorum(), QUORUM);
        assertEq(settlement.nonce(), 0);
        assertFalse(settlement.paused());
        assertTrue(settlement.isMember(memberAddresses[0]));
        assertFalse(settlement.isMember(address(this)));
        assertEq(keccak256(abi.encode(settlement.config())), keccak256(abi.encode(_defaultConfig())));
    }

    function test_constructorRefusesMembers() public {
        address[] memory nobody = new address[](0);
        vm.expectRevert(MembersMultisig.NoMembers.selector);
        _deploy(nobody, 1);

        address[] memory some = new address[](3);
        (some[0], some[1], some[2]) = (address(1), address(2), address(0));
        vm.expectRevert(abi.encodeWithSelector(MembersMultisig.MemberZero.selector, 2));
        _deploy(some, 2);

        some[2] = address(1);
        vm.expectRevert(abi.encodeWithSelector(MembersMultisig.MemberDuplicate.selector, address(1)));
        _deploy(some, 2);
    }

    function test_constructorRefusesQuorum() public {
        vm.expectRevert(abi.encodeWithSelector(MembersMultisig.QuorumOutOfRange.selector, 0, MEMBERS));
        _deploy(memberAddresses, 0);
        vm.expectRevert(abi.encodeWithSelector(MembersMultisig.QuorumOutOfRange.selector, MEMBERS + 1, MEMBERS));
        _deploy(memberAddresses, MEMBERS + 1);
        _deploy(memberAddresses, MEMBERS);
    }

    function test_constructorRefusesZeroes() public {
        vm.expectRevert(HedgeSettlement.ConsortiumZero.selector);
        new HedgeSettlement(bytes32(0), address(1), EPOCH, memberAddresses, QUORUM, _defaultConfig());
        vm.expectRevert(HedgeSettlement.GroupKeyZero.selector);
        new HedgeSettlement(CONSORTIUM, address(0), EPOCH, memberAddresses, QUORUM, _defaultConfig());
    }

    function test_constructorRefusesConfig() public {
        Config memory config = _defaultConfig();
        config.maxAge = 0;
        _refusesConfig(config);
        config = _defaultConfig();
        config.maxValidity = 0;
        _refusesConfig(config);
        config = _defaultConfig();
        config.maxInstruments = 0;
        _refusesConfig(config);
        config = _defaultConfig();
        config.maxInstruments = 1025;
        _refusesConfig(config);
        config = _defaultConfig();
        config.minVol = 0;
        _refusesConfig(config);
        config = _defaultConfig();
        config.minVol = config.maxVol + 1;
        _refusesConfig(config);
        config = _defaultConfig();
        config.maxHedgeDelta = 0;
        _refusesConfig(config);
    }

    // Rotation

    function test_rotation() public {
        uint256 oldKey = groupPrivateKey;
        _submit(_report(1, 1));
        assertTrue(settlement.isFresh());

        uint64 next = EPOCH + 1;
        bytes[] memory signatures = _signatures(_rotateHash(vm.addr(NEW_KEY), next, START), QUORUM);
        vm.expectEmit(address(settlement));
        emit HedgeSettlement.GroupKeyRotated(vm.addr(oldKey), vm.addr(NEW_KEY), next);
        settlement.rotateGroupKey(vm.addr(NEW_KEY), next, START, signatures);

        assertEq(settlement.groupKey(), vm.addr(NEW_KEY));
        assertEq(settlement.epoch(), next);
        assertEq(settlement.nonce(), 1);
        assertFalse(settlement.isFresh(), "what the old key signed is not relied on any more");

        HedgeReport memory report = _report(2, 1);
        bytes memory old = _sign(report);
        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.NotGroupKey.selector, vm.addr(oldKey)));
        settlement.submit(report, old);

        groupPrivateKey = NEW_KEY;
        report.epoch = EPOCH;
        _submitExpecting(report, abi.encodeWithSelector(HedgeSettlement.WrongEpoch.selector, EPOCH, next));
        _submit(_report(2, 1));
        assertTrue(settlement.isFresh());
    }

    function test_roundsGoOnAfterRotation() public {
        _submit(_report(8, 1));
        _rotate(NEW_KEY);
        _submitExpecting(_report(8, 1), abi.encodeWithSelector(HedgeSettlement.RoundNotNewer.selector, 8, 8));
    }

    function test_rotationRefusesKeyAndEpoch() public {
        bytes[] memory none = new bytes[](0);
        vm.expectRevert(HedgeSettlement.GroupKeyZero.selector);
        settlement.rotateGroupKey(address(0), EPOCH + 1, START, none);
        address current = vm.addr(groupPrivateKey);
        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.GroupKeyUnchanged.selector, current));
        settlement.rotateGroupKey(current, EPOCH + 1, START, none);
        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.EpochNotNext.selector, EPOCH, EPOCH));
        settlement.rotateGroupKey(address(1), EPOCH, START, none);
        vm.expectRevert(abi.encodeWithSelector(HedgeSettlement.EpochNotNext.selector, EPOCH + 2, EPOCH));
        settlement.rotateGroupKey(address(1), EPOCH + 2, START, none);
    }

    // Pause

    function test_pauseAndUnpause() public {
        HedgeReport memory report = _report(1, 1);
        _submit(report);
        _pause();
        assertTrue(settlement.paused());
        assertFalse(settlement.isFresh());
        _submitExpecting(_report(2, 1), abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        assertEq(settlement.latest().round, 1, "still readable");

        _unpause();
        assertTrue(settlement.isFresh());
        _submit(_report(2, 1));
        assertEq(settlement.nonce(), 2);
    }

    function test_pauseTwice() public {
        _pause();
        bytes[] memory signatures = _signatures(_pauseHash(START), QUORUM);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        settlement.pause(START, signatures);
        _unpause();
        signatures = _signatures(_unpauseHash(START), QUORUM);
        vm.expectRevert(Pausable.ExpectedPause.selector);
        settlement.unpause(START, signatures);
    }

    // Authority

    function test_replayIsRefused() public {
        bytes[] memory signatures = _signatures(_pauseHash(START + 10), QUORUM);
        settlement.pause(START + 10, signatures);
        _unpause();
        // The digest has another nonce now, so that the old signatures recover to strangers.
        vm.expectRevert();
        settlement.pause(START + 10, signatures);
        assertFalse(settlement.paused());
    }

    function test_signaturesForOneActionDoNotServeAnother() public {
        _pause();
        bytes[] memory signatures = _signatures(_pauseHash(START), QUORUM);
        vm.expectRevert();
        settlement.unpause(START, signatures);
        assertTrue(settlement.paused());
    }

    function test_deadline() public {
        bytes[] memory signatures = _signatures(_pauseHash(START + 5), QUORUM);
        vm.warp(START + 6);
        vm.expectRevert(abi.encodeWithSelector(MembersMultisig.ActionExpired.selector, START + 5, START + 6));
        settlement.pause(START + 5, signatures);
        vm.warp(START + 5);
        settlement.pause(START + 5, signatures);
    }

    function testFuzz_quorum(
        uint256 count
    ) public {
        count = bound(count, 0, MEMBERS);
        bytes[] memory signatures = _signatures(_pauseHash(START), count);
        if (count < QUORUM) {
            vm.expectRevert(abi.encodeWithSelector(MembersMultisig.QuorumNotMet.selector, count, QUORUM));
        }
        settlement.pause(START, signatures);
        assertEq(settlement.paused(), count >= QUORUM);
        assertEq(settlement.nonce(), count >= QUORUM ? 1 : 0);
    }

    function test_oneMemberDoesNotCountTwice() public {
        bytes[] memory signatures = _signatures(_pauseHash(START), QUORUM);
        signatures[1] = signatures[0];
        vm.expectRevert(
            abi.encodeWithSelector(
                MembersMultisig.SignersNotAscending.selector, 1, memberAddresses[0], memberAddresses[0]
            )
        );
        settlement.pause(START, signatures);
    }

    function test_signersAscend() public {
        bytes[] memory signatures = _signatures(_pauseHash(START), QUORUM);
        (signatures[0], signatures[1]) = (signatures[1], signatures[0]);
        vm.expectRevert(
            abi.encodeWithSelector(
                MembersMultisig.SignersNotAscending.selector, 1, memberAddresses[0], memberAddresses[1]
            )
        );
        settlement.pause(START, signatures);
    }

    function testFuzz_strangersDoNotCount(
        uint256 key
    ) public {
        key = bound(key, 1, type(uint128).max);
        address stranger = vm.addr(key);
        vm.assume(!settlement.isMember(stranger));
        bytes[] memory signatures = _signatures(_pauseHash(START), 4);
        // Into its place by address, so that order is not what refuses it.
        uint256 place = 0;
        while (place < 3 && memberAddresses[place] < stranger) ++place;
        bytes[] memory mixed = new bytes[](place + 3);
        for (uint256 i = 0; i < mixed.length; ++i) {
            mixed[i] = i < place ? signatures[i] : signatures[i > 3 ? 3 : i];
        }
        mixed[place] = _signature(key, _digest(_pauseHash(START)));
        vm.expectRevert(abi.encodeWithSelector(MembersMultisig.SignerNotMember.selector, place, stranger));
        settlement.pause(START, mixed);
    }

    function test_malformedSignature() public {
        bytes[] memory signatures = _signatures(_pauseHash(START), QUORUM);
        signatures[2] = new bytes(64);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64));
        settlement.pause(START, signatures);
        signatures[2] = new bytes(65);
        vm.expectRevert(ECDSA.ECDSAInvalidSignature.selector);
        settlement.pause(START, signatures);
    }

    function _deploy(
        address[] memory members,
        uint256 quorum
    ) private {
        new HedgeSettlement(CONSORTIUM, address(1), EPOCH, members, quorum, _defaultConfig());
    }

    function _refusesConfig(
        Config memory config
    ) private {
        vm.expectRevert(HedgeSettlement.ConfigInvalid.selector);
        new HedgeSettlement(CONSORTIUM, address(1), EPOCH, memberAddresses, QUORUM, config);
    }
}
