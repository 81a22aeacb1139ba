// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumMembers} from "../../src/governance/ConsortiumMembers.sol";
import {MembersFixture} from "./MembersFixture.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @dev A member that is a contract, and may be a bad one.
contract Wallet is IERC1271 {
    enum Mood {
        HONEST,
        REVERTS,
        WRONG_ANSWER,
        DIRTY_ANSWER,
        SHORT_ANSWER,
        EMPTY_ANSWER,
        BURNS_GAS
    }

    Mood private immutable _MOOD;
    bytes32 private immutable _PASSWORD = keccak256("password");

    constructor(
        Mood mood
    ) {
        _MOOD = mood;
    }

    function isValidSignature(
        bytes32,
        bytes calldata signature
    ) external view returns (bytes4) {
        if (_MOOD == Mood.REVERTS) revert("no");
        if (_MOOD == Mood.WRONG_ANSWER) return 0xffffffff;
        bytes4 right = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            mstore(0, right)
        }
        if (_MOOD == Mood.DIRTY_ANSWER) {
            // The right four bytes, and something behind them that no bytes4 has.
            assembly ("memory-safe") {
                mstore8(31, 1)
                return(0, 32)
            }
        }
        if (_MOOD == Mood.SHORT_ANSWER) {
            assembly ("memory-safe") {
                return(0, 4)
            }
        }
        if (_MOOD == Mood.EMPTY_ANSWER) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        while (_MOOD == Mood.BURNS_GAS) {}
        return keccak256(signature) == _PASSWORD ? right : bytes4(0xffffffff);
    }
}

/// @dev Whose signatures count.
contract QuorumTest is MembersFixture {
    function testFuzz_kOfN(
        uint8 chosen
    ) public {
        chosen = uint8(bound(chosen, 0, 15));
        (address[] memory signers, bytes[] memory signatures) = _some(_action(), chosen);
        bytes32 action = _action();
        if (signers.length < QUORUM) {
            vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.QuorumNotMet.selector, signers.length, QUORUM));
        }
        members.schedule(action, signers, signatures);
        assertEq(members.scheduled(action).since != 0, signers.length >= QUORUM);
    }

    function test_noneTwice() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), QUORUM);
        (signers[1], signatures[1]) = (signers[0], signatures[0]);
        _refused(
            signers,
            signatures,
            abi.encodeWithSelector(ConsortiumMembers.SignersNotAscending.selector, 1, signers[0], signers[0])
        );
    }

    function test_ascending() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), QUORUM);
        (signers[1], signers[2]) = (signers[2], signers[1]);
        (signatures[1], signatures[2]) = (signatures[2], signatures[1]);
        _refused(
            signers,
            signatures,
            abi.encodeWithSelector(ConsortiumMembers.SignersNotAscending.selector, 2, signers[2], signers[1])
        );
    }

    function test_theZeroAddressIsNoSigner() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), QUORUM);
        signers[0] = address(0);
        _refused(
            signers,
            signatures,
            abi.encodeWithSelector(ConsortiumMembers.SignersNotAscending.selector, 0, address(0), address(0))
        );
    }

    function testFuzz_strangersDoNotCount(
        uint256 key
    ) public {
        key = bound(key, 1, type(uint128).max);
        address stranger = vm.addr(key);
        vm.assume(!members.isMember(stranger));
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), MEMBERS);
        // Into its place by address, so that order is not what refuses it.
        uint256 place = 0;
        while (place < MEMBERS - 1 && memberAddresses[place + 1] < stranger) ++place;
        if (memberAddresses[0] > stranger) place = 0;
        (signers[place], signatures[place]) = (stranger, _signature(key, _memberDigest(_action())));
        _refused(
            signers, signatures, abi.encodeWithSelector(ConsortiumMembers.SignerNotMember.selector, place, stranger)
        );
    }

    /// @dev Also one more than the quorum: whoever hands in a bad signature beside enough good ones is told.
    function test_oneBadSignature() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), MEMBERS);
        signatures[3] = _signature(memberKeys[2], _memberDigest(_action()));
        _refused(
            signers, signatures, abi.encodeWithSelector(ConsortiumMembers.SignatureInvalid.selector, 3, signers[3])
        );
    }

    function test_malformedSignatures() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), QUORUM);
        bytes memory good = signatures[1];
        (bytes32 r, bytes32 s, uint8 v) = _parts(good);
        bytes32 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes[7] memory bad = [
            bytes(""),
            new bytes(64),
            new bytes(65),
            abi.encodePacked(good, uint8(0)),
            abi.encodePacked(r, s, v - 27),
            // The other form of the same signature.
            abi.encodePacked(r, uint256(order) - uint256(s), v ^ 7),
            // EIP-2098: not accepted here.
            abi.encodePacked(r, uint256(s) | (uint256(v - 27) << 255))
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            signatures[1] = bad[i];
            _refused(
                signers, signatures, abi.encodeWithSelector(ConsortiumMembers.SignatureInvalid.selector, 1, signers[1])
            );
        }
    }

    function test_asManySignaturesAsSigners() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), QUORUM);
        bytes[] memory fewer = new bytes[](QUORUM - 1);
        (fewer[0], fewer[1]) = (signatures[0], signatures[1]);
        _refused(
            signers,
            fewer,
            abi.encodeWithSelector(ConsortiumMembers.SignatureCountMismatch.selector, QUORUM, QUORUM - 1)
        );
        _refused(
            new address[](0),
            new bytes[](0),
            abi.encodeWithSelector(ConsortiumMembers.QuorumNotMet.selector, 0, QUORUM)
        );
    }

    // Members that are contracts

    function test_aContractSigns() public {
        address[] memory signers = _withWallet(Wallet.Mood.HONEST);
        bytes[] memory signatures = _signaturesWith(signers, "password");
        members.schedule(_action(), signers, signatures);
        assertNotEq(members.scheduled(_action()).since, 0);
    }

    function test_aContractThatSaysNo() public {
        address[] memory signers = _withWallet(Wallet.Mood.HONEST);
        _refusedWallet(signers, "another password");
        for (uint8 mood = uint8(Wallet.Mood.REVERTS); mood <= uint8(Wallet.Mood.BURNS_GAS); ++mood) {
            signers = _withWallet(Wallet.Mood(mood));
            _refusedWallet(signers, "password");
            // It holds nobody up: the others are enough.
            (address[] memory others, bytes[] memory signatures) = _without(signers);
            bytes32 action = _unpauseHash(feed, bytes32(uint256(mood)), START + 100);
            for (uint256 i = 0; i < others.length; ++i) {
                signatures[i] = _signature(_keyOf(others[i]), _memberDigest(action));
            }
            members.schedule(action, others, signatures);
        }
    }

    /// @dev A member whose account gets code (EIP-7702) signs as that code says, and no longer with its key.
    function test_anAccountThatGetsCode() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), QUORUM);
        vm.etch(signers[1], address(new Wallet(Wallet.Mood.HONEST)).code);
        _refused(
            signers, signatures, abi.encodeWithSelector(ConsortiumMembers.SignatureInvalid.selector, 1, signers[1])
        );
        signatures[1] = "password";
        members.schedule(_action(), signers, signatures);
    }

    /// @dev Makes a consortium of two of the members and a contract, quorum two; gives its members in ascending order.
    function _withWallet(
        Wallet.Mood mood
    ) private returns (address[] memory signers) {
        address wallet = address(new Wallet(mood));
        address[] memory list = new address[](3);
        (list[0], list[1], list[2]) = (memberAddresses[0], memberAddresses[1], wallet);
        members = new ConsortiumMembers(list, 2, DELAY);
        signers = new address[](3);
        uint256 count = 0;
        bool placed = false;
        for (uint256 i = 0; i < 2; ++i) {
            if (!placed && wallet < memberAddresses[i]) (signers[count++], placed) = (wallet, true);
            signers[count++] = memberAddresses[i];
        }
        if (!placed) signers[2] = wallet;
    }

    function _signaturesWith(
        address[] memory signers,
        bytes memory password
    ) private view returns (bytes[] memory signatures) {
        signatures = new bytes[](signers.length);
        for (uint256 i = 0; i < signers.length; ++i) {
            uint256 key = _keyOf(signers[i]);
            signatures[i] = key == 0 ? password : _signature(key, _memberDigest(_action()));
        }
    }

    function _refusedWallet(
        address[] memory signers,
        bytes memory password
    ) private {
        uint256 place = 0;
        while (_keyOf(signers[place]) != 0) ++place;
        bytes32 action = _action();
        bytes[] memory signatures = _signaturesWith(signers, password);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.SignatureInvalid.selector, place, signers[place]));
        // Enough that the 64th part of it, which a call leaves behind, suffices to go on.
        members.schedule{gas: 5_000_000}(action, signers, signatures);
    }

    function _without(
        address[] memory signers
    ) private view returns (address[] memory others, bytes[] memory signatures) {
        (others, signatures) = (new address[](2), new bytes[](2));
        uint256 count = 0;
        for (uint256 i = 0; i < signers.length; ++i) {
            if (_keyOf(signers[i]) != 0) others[count++] = signers[i];
        }
    }

    function _keyOf(
        address account
    ) private view returns (uint256) {
        for (uint256 i = 0; i < MEMBERS; ++i) {
            if (memberAddresses[i] == account) return memberKeys[i];
        }
        return 0;
    }

    function _some(
        bytes32 action,
        uint256 chosen
    ) private view returns (address[] memory signers, bytes[] memory signatures) {
        (signers, signatures) = (new address[](MEMBERS), new bytes[](MEMBERS));
        uint256 count = 0;
        for (uint256 i = 0; i < MEMBERS; ++i) {
            if (chosen & (1 << i) == 0) continue;
            (signers[count], signatures[count++]) =
            (memberAddresses[i], _signature(memberKeys[i], _memberDigest(action)));
        }
        assembly ("memory-safe") {
            mstore(signers, count)
            mstore(signatures, count)
        }
    }

    function _refused(
        address[] memory signers,
        bytes[] memory signatures,
        bytes memory refusal
    ) private {
        bytes32 action = _action();
        vm.expectRevert(refusal);
        members.schedule(action, signers, signatures);
        assertEq(members.scheduled(action).since, 0);
    }

    function _parts(
        bytes memory signature
    ) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
    }
}
