// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title Governance by k of n members, who sign typed actions off the chain
/// @notice Anyone may carry the signatures to the chain. Each action names the contract's current nonce and a deadline;
/// it works once, and voids every other action that was signed for the same nonce.
/// @dev Signatures come in strictly ascending order of their signers' addresses, so that none counts twice.
abstract contract MembersMultisig is EIP712 {
    uint256 private immutable _QUORUM;

    address[] private _members;
    mapping(address account => bool) private _isMember;
    uint256 private _nonce;

    event MembersSet(address[] members, uint256 quorum);

    error NoMembers();
    error MemberZero(uint256 index);
    error MemberDuplicate(address member);
    error QuorumOutOfRange(uint256 quorum, uint256 members);
    error ActionExpired(uint256 deadline, uint256 timestamp);
    error QuorumNotMet(uint256 signatures, uint256 quorum);
    error SignerNotMember(uint256 index, address signer);
    error SignersNotAscending(uint256 index, address signer, address previous);

    constructor(
        address[] memory initialMembers,
        uint256 initialQuorum
    ) {
        uint256 count = initialMembers.length;
        if (count == 0) revert NoMembers();
        if (initialQuorum == 0 || initialQuorum > count) revert QuorumOutOfRange(initialQuorum, count);
        for (uint256 i = 0; i < count; ++i) {
            address member = initialMembers[i];
            if (member == address(0)) revert MemberZero(i);
            if (_isMember[member]) revert MemberDuplicate(member);
            _isMember[member] = true;
            _members.push(member);
        }
        _QUORUM = initialQuorum;
        emit MembersSet(initialMembers, initialQuorum);
    }

    /// @notice The accounts that govern, in the consortium file's order
    function members() external view returns (address[] memory) {
        return _members;
    }

    function isMember(
        address account
    ) external view returns (bool) {
        return _isMember[account];
    }

    /// @notice How many members must sign an action
    function quorum() external view returns (uint256) {
        return _QUORUM;
    }

    /// @notice The nonce that the next action must carry
    function nonce() external view returns (uint256) {
        return _nonce;
    }

    /// @dev Uses up the nonce that the caller has put into `structHash` through {_currentNonce}.
    /// @param structHash EIP-712 struct hash of the action, nonce and deadline included
    /// @param signatures 65 bytes r, s, v each, at least the quorum's number, every one a member's
    function _authorize(
        bytes32 structHash,
        uint256 deadline,
        bytes[] calldata signatures
    ) internal {
        if (block.timestamp > deadline) revert ActionExpired(deadline, block.timestamp);
        if (signatures.length < _QUORUM) revert QuorumNotMet(signatures.length, _QUORUM);

        bytes32 digest = _hashTypedDataV4(structHash);
        address previous = address(0);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = ECDSA.recoverCalldata(digest, signatures[i]);
            if (signer <= previous) revert SignersNotAscending(i, signer, previous);
            if (!_isMember[signer]) revert SignerNotMember(i, signer);
            previous = signer;
        }
        ++_nonce;
    }

    function _currentNonce() internal view returns (uint256) {
        return _nonce;
    }
}
