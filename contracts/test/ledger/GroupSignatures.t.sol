// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, ReportCore, SignedHeader} from "../../src/HedgeReport.sol";
import {GroupKeys} from "../../src/ledger/GroupKeys.sol";
import {ILedger} from "../support/ILedger.sol";
import {KeysFixture} from "./KeysFixture.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "solady/utils/ECDSA.sol";

/// @dev Only the group key's signature of this very report, for this very contract and chain, in its one form.
contract GroupSignaturesTest is KeysFixture {
    uint256 private constant _ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 private constant _PARITY = 1 << 255;
    // Forge's chain; the IR pipeline may read `block.chainid` only after it was changed.
    uint256 private constant _HOME = 31_337;
    bytes32 private constant _HASH = keccak256("some hash");

    // Forms

    /// @dev EIP-2098 has no room for an s of 2^255 or more; this is what it has room for above half of the order.
    function testFuzz_refusesHighS(
        uint256 s,
        bool odd
    ) public {
        s = bound(s, _ORDER / 2 + 1, _PARITY - 1);
        (bytes32 r,) = _signCompact(_report(1, 1));
        bytes32 vs = bytes32(s | (odd ? _PARITY : 0));
        _refuses(r, vs, abi.encodeWithSelector(GroupKeys.SignatureHighS.selector, vs));
    }

    /// @dev Half of the order is not high: it is refused as somebody else's.
    function test_theBoundOfS() public {
        HedgeReport memory report = _report(1, 1);
        (bytes32 r,) = _signCompact(report);
        address stranger = ecrecover(settlement.digestOf(report), 27, r, bytes32(_ORDER / 2));
        _refuses(r, bytes32(_ORDER / 2), abi.encodeWithSelector(GroupKeys.NotGroupKey.selector, stranger));
    }

    /// @dev A signature's twin, order less s, is cut to something else where it is written as 64 bytes.
    function test_refusesTheTwin() public {
        HedgeReport memory report = _report(1, 1);
        (bytes32 r, bytes32 vs) = _signCompact(report);
        uint256 twin = _ORDER - (uint256(vs) & ~_PARITY);
        assertGe(twin, _PARITY);
        address stranger = ecrecover(settlement.digestOf(report), 28, r, bytes32(twin & ~_PARITY));
        _refuses(r, bytes32(twin), abi.encodeWithSelector(GroupKeys.NotGroupKey.selector, stranger));
    }

    function test_refusesWhatIsNoSignature() public {
        (bytes32 r, bytes32 vs) = _signCompact(_report(1, 1));
        bytes memory refusal = abi.encodeWithSelector(ECDSA.InvalidSignature.selector);
        _refuses(0, 0, refusal);
        _refuses(0, vs, refusal);
        _refuses(r, 0, refusal);
        _refuses(r, bytes32(_PARITY), refusal);
        _refuses(bytes32(_ORDER), vs, refusal);
        _refuses(bytes32(type(uint256).max), vs, refusal);
    }

    function test_refusesTheOtherParity() public {
        (bytes32 r, bytes32 vs) = _signCompact(_report(1, 1));
        HedgeReport memory report = _report(1, 1);
        bool odd = uint256(vs) & _PARITY != 0;
        address stranger = ecrecover(settlement.digestOf(report), odd ? 27 : 28, r, bytes32(uint256(vs) & ~_PARITY));
        _refuses(r, vs ^ bytes32(_PARITY), abi.encodeWithSelector(GroupKeys.NotGroupKey.selector, stranger));
    }

    function testFuzz_refusesAnotherKey(
        uint256 key
    ) public {
        key = bound(key, 1, _ORDER - 1);
        vm.assume(key != groupPrivateKey);
        (bytes32 r, bytes32 vs) = vm.signCompact(key, settlement.digestOf(_report(1, 1)));
        _refuses(r, vs, abi.encodeWithSelector(GroupKeys.NotGroupKey.selector, vm.addr(key)));
    }

    /// @dev A proof is held to the same forms: one signature written in two ways is not two.
    function test_aProofIsHeldToTheSameForms() public {
        (SignedHeader memory one, SignedHeader memory other) = _lies(groupPrivateKey, EPOCH);
        uint256 high = _ORDER / 2 + 1;
        (bytes32 r, bytes32 vs) = (other.r, other.vs);
        other.vs = bytes32(high);
        vm.expectRevert(abi.encodeWithSelector(GroupKeys.SignatureHighS.selector, bytes32(high)));
        settlement.equivocate(one, other);
        (other.r, other.vs) = (0, 0);
        vm.expectRevert(ECDSA.InvalidSignature.selector);
        settlement.equivocate(one, other);
        (other.r, other.vs) = (one.r, one.vs);
        vm.expectPartialRevert(GroupKeys.NotGroupKey.selector);
        settlement.equivocate(one, other);
        (other.r, other.vs) = (r, vs);
        settlement.equivocate(one, other);
    }

    // ERC-1271

    function test_erc1271() public view {
        bytes memory good = _signature(groupPrivateKey, _HASH);
        assertTrue(_isValid(_HASH, good));
        assertFalse(_isValid(keccak256("another hash"), good));
        assertFalse(_isValid(_HASH, _signature(NEW_KEY, _HASH)));
    }

    function test_erc1271RefusesOtherForms() public view {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(groupPrivateKey, _HASH);
        bytes[7] memory bad = [
            bytes(""),
            new bytes(64),
            new bytes(65),
            abi.encodePacked(r, bytes32(_ORDER - uint256(s)), v ^ 7),
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, uint256(s) | (uint256(v - 27) << 255)),
            abi.encodePacked(r, s, v, uint8(0))
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            assertFalse(_isValid(_HASH, bad[i]), vm.toString(i));
        }
    }

    function testFuzz_erc1271NeverReverts(
        bytes32 hash,
        bytes calldata signature
    ) public view {
        assertFalse(_isValid(hash, signature));
    }

    function test_erc1271InTheOverlap() public {
        bytes memory old = _signature(groupPrivateKey, _HASH);
        _rotate(NEW_KEY, 1000);
        vm.warp(START + DELAY + 999);
        assertTrue(_isValid(_HASH, old));
        assertTrue(_isValid(_HASH, _signature(NEW_KEY, _HASH)));
        vm.warp(START + DELAY + 1000);
        assertFalse(_isValid(_HASH, old));
        assertTrue(_isValid(_HASH, _signature(NEW_KEY, _HASH)));
        _rotate(THIRD_KEY, 1 days);
        assertFalse(_isValid(_HASH, old));
        assertTrue(_isValid(_HASH, _signature(NEW_KEY, _HASH)));
        assertTrue(_isValid(_HASH, _signature(THIRD_KEY, _HASH)));
    }

    function test_erc1271OfASlashedKey() public {
        uint256 oldKey = groupPrivateKey;
        _rotate(NEW_KEY, 1000);
        address challenger = vm.addr(THIRD_KEY);
        _slash(challenger, NEW_KEY, EPOCH + 1, "");
        assertFalse(_isValid(_HASH, _signature(NEW_KEY, _HASH)));
        assertFalse(_isValid(_HASH, _signature(oldKey, _HASH)), "nor the one before, in its overlap");
        // Its address stands where the key's stood.
        assertFalse(_isValid(_HASH, _signature(THIRD_KEY, _HASH)), "nor is the challenger taken for it");
    }

    // The domain

    function test_theDomainIsPublished() public view {
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifier,
            bytes32 salt,
            uint256[] memory extensions
        ) = settlement.eip712Domain();
        assertEq(uint8(fields), 0x0f, "name, version, chain and contract");
        assertEq(name, "MPC Hedge Report");
        assertEq(version, "1");
        assertEq(chainId, block.chainid);
        assertEq(verifier, address(settlement));
        assertEq(salt, 0);
        assertEq(extensions.length, 0);
        assertEq(settlement.domainSeparator(), _separator(block.chainid, address(settlement)));
    }

    function testFuzz_aForkOfTheChain(
        uint64 fork
    ) public {
        fork = uint64(bound(fork, 1, type(uint64).max - 1));
        vm.assume(fork != _HOME);
        HedgeReport memory report = _report(1, 1);
        bytes32 digest = settlement.digestOf(report);
        (bytes32 r, bytes32 vs) = vm.signCompact(groupPrivateKey, digest);
        (SignedHeader memory one, SignedHeader memory other) = _lies(groupPrivateKey, EPOCH);

        vm.chainId(fork);
        assertEq(settlement.domainSeparator(), _separator(fork, address(settlement)));
        (,,, uint256 chainId,,,) = settlement.eip712Domain();
        assertEq(chainId, fork);
        assertNotEq(settlement.digestOf(report), digest);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        vm.expectPartialRevert(GroupKeys.NotGroupKey.selector);
        settlement.settle(core, words, r, vs);
        vm.expectPartialRevert(GroupKeys.NotGroupKey.selector);
        settlement.equivocate(one, other);
        assertTrue(_publish(report), "signed anew for the fork, it counts there");

        vm.chainId(_HOME);
        assertEq(settlement.domainSeparator(), _separator(_HOME, address(settlement)));
        assertEq(settlement.digestOf(report), digest);
    }

    function test_anotherContractTakesNoneOfIt() public {
        HedgeReport memory report = _report(1, 1);
        (bytes32 r, bytes32 vs) = _signCompact(report);
        (ReportCore memory core, bytes32[] memory words) = _compact(report);
        ILedger twin = ILedger(vm.deployCode("HedgeSettlement.sol:HedgeSettlement", abi.encode(_founding())));
        assertNotEq(twin.domainSeparator(), settlement.domainSeparator());
        vm.expectPartialRevert(GroupKeys.NotGroupKey.selector);
        twin.settle(core, words, r, vs);
        assertTrue(settlement.settle(core, words, r, vs));
    }

    function _refuses(
        bytes32 r,
        bytes32 vs,
        bytes memory refusal
    ) private {
        (ReportCore memory core, bytes32[] memory words) = _compact(_report(1, 1));
        vm.expectRevert(refusal);
        settlement.settle(core, words, r, vs);
    }

    function _isValid(
        bytes32 hash,
        bytes memory signature
    ) private view returns (bool) {
        bytes4 answer = settlement.isValidSignature(hash, signature);
        assertTrue(answer == IERC1271.isValidSignature.selector || answer == 0xffffffff);
        return answer == IERC1271.isValidSignature.selector;
    }

    function _separator(
        uint256 chainId,
        address verifier
    ) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("MPC Hedge Report"),
                keccak256("1"),
                chainId,
                verifier
            )
        );
    }
}
