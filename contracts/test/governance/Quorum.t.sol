// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumMembers} from "../../src/governance/ConsortiumMembers.sol";
import {MembersFixture} from "./MembersFixture.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @dev A member that is a contract: it takes a password.
contract Wallet is IERC1271 {
    bytes32 private immutable _PASSWORD = keccak256("password");

    function isValidSignature(
        bytes32,
        bytes calldata signature
    ) external view returns (bytes4) {
        return keccak256(signature) == _PASSWORD ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
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
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(memberKeys[1], _memberDigest(_action()));
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
        (address[] memory signers,) = _withWallet();
        members.schedule(_action(), signers, _signaturesWith(signers, "password"));
        assertNotEq(members.scheduled(_action()).since, 0);
    }

    function test_aContractThatSaysNo() public {
        (address[] memory signers, address wallet) = _withWallet();
        _refusedWallet(signers, wallet, "another password");
        bytes4 right = IERC1271.isValidSignature.selector;
        bytes[5] memory answers = [
            abi.encode(bytes4(0xffffffff)),
            // The right four bytes, and something behind them that no bytes4 has.
            abi.encodePacked(right, bytes27(0), uint8(1)),
            abi.encodePacked(right),
            abi.encodePacked(right, bytes27(0)),
            bytes("")
        ];
        for (uint256 i = 0; i < answers.length; ++i) {
            vm.mockCall(wallet, abi.encodeWithSelector(right), answers[i]);
            _refusedWallet(signers, wallet, "password");
        }
        vm.clearMockedCalls();
        vm.mockCallRevert(wallet, abi.encodeWithSelector(right), abi.encode(right));
        _refusedWallet(signers, wallet, "password");
        vm.clearMockedCalls();
        // JUMPDEST PUSH1 0 JUMP: for ever.
        vm.etch(wallet, hex"5b600056");
        _refusedWallet(signers, wallet, "password");
    }

    /// @dev A member that burns all gas holds nobody up: the others are enough.
    function test_aContractCannotHoldTheOthersUp() public {
        (address[] memory signers, address wallet) = _withWallet();
        vm.etch(wallet, hex"5b600056");
        (address[] memory others, bytes[] memory signatures) = (new address[](2), new bytes[](2));
        uint256 count = 0;
        for (uint256 i = 0; i < signers.length; ++i) {
            if (signers[i] == wallet) continue;
            others[count] = signers[i];
            signatures[count++] = _signature(_keyOf(signers[i]), _memberDigest(_action()));
        }
        members.schedule{gas: 200_000}(_action(), others, signatures);
        assertNotEq(members.scheduled(_action()).since, 0);
    }

    /// @dev A member whose account gets code (EIP-7702) signs as that code says, and no longer with its key.
    function test_anAccountThatGetsCode() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), QUORUM);
        vm.etch(signers[1], address(new Wallet()).code);
        _refused(
            signers, signatures, abi.encodeWithSelector(ConsortiumMembers.SignatureInvalid.selector, 1, signers[1])
        );
        signatures[1] = "password";
        members.schedule(_action(), signers, signatures);
    }

    /// @dev Makes a consortium of two of the members and a contract, quorum two; gives all three in ascending order.
    function _withWallet() private returns (address[] memory signers, address wallet) {
        wallet = address(new Wallet());
        signers = new address[](3);
        (signers[0], signers[1], signers[2]) = (memberAddresses[0], memberAddresses[1], wallet);
        for (uint256 i = 2; i > 0 && signers[i] < signers[i - 1]; --i) {
            (signers[i], signers[i - 1]) = (signers[i - 1], signers[i]);
        }
        members = new ConsortiumMembers(signers, 2, DELAY);
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
        address wallet,
        bytes memory password
    ) private {
        uint256 place = 0;
        while (signers[place] != wallet) ++place;
        bytes32 action = _action();
        bytes[] memory signatures = _signaturesWith(signers, password);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.SignatureInvalid.selector, place, wallet));
        // Enough that the 64th part of it, which a call leaves behind, suffices to go on.
        members.schedule{gas: 5_000_000}(action, signers, signatures);
    }

    function _keyOf(
        address account
    ) private view returns (uint256) {
        for (uint256 i = 0; i < MEMBERS; ++i) {
            if (memberAddresses[i] == account) return memberKeys[i];
        }
        return 0;
    }

    /// @dev The members of a set of four bits.
    function _some(
        bytes32 action,
        uint256 chosen
    ) private view returns (address[] memory signers, bytes[] memory signatures) {
        uint256 count = 0;
        for (uint256 i = 0; i < MEMBERS; ++i) {
            count += (chosen >> i) & 1;
        }
        (signers, signatures) = (new address[](count), new bytes[](count));
        for (uint256 i = MEMBERS; i > 0; --i) {
            if ((chosen >> (i - 1)) & 1 == 0) continue;
            signers[--count] = memberAddresses[i - 1];
            signatures[count] = _signature(memberKeys[i - 1], _memberDigest(action));
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
}
