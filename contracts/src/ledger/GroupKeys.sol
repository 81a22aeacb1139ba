// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISlashable} from "../interfaces/ISlashable.sol";
import {Authority, AuthorityLibrary} from "../types/Authority.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA as StrictECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ECDSA} from "solady/utils/ECDSA.sol";
import {EIP712} from "solady/utils/EIP712.sol";

/// @title The group key of each epoch, and signatures under it
/// @notice After a rotation the key before stays valid for a bounded overlap, so that reports on their way still
/// arrive. A key that was proved to have lied signs nothing any more, here or through ERC-1271.
abstract contract GroupKeys is EIP712, IERC1271, ISlashable {
    /// @notice No overlap is longer, in seconds
    uint256 public constant OVERLAP_LIMIT = 1 days;
    /// @notice Seconds after its observation in which a report can be challenged: longer than any window. A replaced
    /// key's reports can be for as long after its overlap: no rotation shortens the time for a proof.
    uint256 public constant CHALLENGE_HORIZON = 8 days;

    // Half of secp256k1's order
    uint256 private constant _HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    Authority internal _authority;
    // Keys that were replaced, but for slashed ones; `since` says until when their reports are accepted. All are kept:
    // two rotations in a row must not put a key beyond the reach of proofs.
    mapping(uint256 epoch => Authority) private _retired;
    uint64 private _lastSlashedEpoch;
    mapping(uint256 epoch => address challenger) private _challengers;

    event GroupKeyRotated(address indexed previous, address indexed current, uint64 epoch, uint256 overlapUntil);

    error GroupKeyZero();
    error EpochNotNext(uint64 newEpoch, uint64 current);
    error EpochOutOfRange(uint64 epoch);
    error OverlapTooLong(uint256 overlap, uint256 maximum);
    error WrongEpoch(uint256 epoch, uint64 current);
    error KeyRetired(uint256 epoch, uint256 since);
    error KeySlashed(uint64 epoch);
    error SignatureHighS(bytes32 vs);
    error NotGroupKey(address recovered);

    constructor(
        address groupKey_,
        uint64 epoch_
    ) {
        if (groupKey_ == address(0)) revert GroupKeyZero();
        // 0 is the epoch of nothing: {lastSlashedEpoch}.
        if (epoch_ == 0 || epoch_ > type(uint48).max) revert EpochOutOfRange(epoch_);
        _authority = AuthorityLibrary.pack(groupKey_, epoch_, block.timestamp, AuthorityLibrary.ACTIVE);
        emit GroupKeyRotated(address(0), groupKey_, epoch_, 0);
    }

    /// @notice The key before the present one, its epoch, and when (Unix seconds) its reports stop being accepted
    function previousKey() external view returns (address key, uint64 keyEpoch, uint256 until) {
        Authority previous = _retired[_authority.epoch() - 1];
        return (previous.account(), uint64(previous.epoch()), previous.since());
    }

    /// @inheritdoc ISlashable
    function lastSlashedEpoch() external view returns (uint64) {
        Authority authority = _authority;
        return authority.isSlashed() ? uint64(authority.epoch()) : _lastSlashedEpoch;
    }

    /// @inheritdoc ISlashable
    function challengerOf(
        uint64 slashedEpoch
    ) external view returns (address) {
        Authority authority = _authority;
        if (authority.isSlashed() && authority.epoch() == slashedEpoch) return authority.account();
        return _challengers[slashedEpoch];
    }

    /// @notice ERC-1271: whether the group key has signed `hash`.
    /// @dev The hash is taken as it is. It must be of a kind that names this contract and chain, as EIP-712's is:
    /// members sign nothing but reports, so that no other hash ever has a signature. Reverts on no input.
    function isValidSignature(
        bytes32 hash,
        bytes calldata signature
    ) external view returns (bytes4) {
        (address recovered, StrictECDSA.RecoverError failure,) = StrictECDSA.tryRecoverCalldata(hash, signature);
        Authority authority = _authority;
        bool valid = failure == StrictECDSA.RecoverError.NoError && !authority.isSlashed()
            && (recovered == authority.account() || _isPreviousKey(recovered, authority));
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    /// @notice The address of the key that members hold shares of; zero once it was proved to have lied
    function groupKey() public view returns (address) {
        Authority authority = _authority;
        return authority.isSlashed() ? address(0) : authority.account();
    }

    /// @notice Counts group keys and memberships
    function epoch() public view returns (uint64) {
        return uint64(_authority.epoch());
    }

    /// @dev Takes the key out of force and remembers who is owed. What the previous key signed no longer counts
    /// either.
    function _slash(
        address challenger
    ) internal {
        _authority = AuthorityLibrary.pack(challenger, _authority.epoch(), block.timestamp, AuthorityLibrary.SLASHED);
    }

    /// @dev The same key may go on in a new epoch: members change without it. After a slash there is no overlap.
    function _rotate(
        address newGroupKey,
        uint64 newEpoch,
        uint256 overlap
    ) internal {
        Authority authority = _authority;
        uint64 current = uint64(authority.epoch());
        if (newGroupKey == address(0)) revert GroupKeyZero();
        if (newEpoch != current + 1) revert EpochNotNext(newEpoch, current);
        if (newEpoch > type(uint48).max) revert EpochOutOfRange(newEpoch);
        if (overlap > OVERLAP_LIMIT) revert OverlapTooLong(overlap, OVERLAP_LIMIT);
        address previous = authority.account();
        if (authority.isSlashed()) {
            _lastSlashedEpoch = current;
            _challengers[current] = previous;
            (previous, overlap) = (address(0), 0);
        } else {
            uint256 until = block.timestamp + overlap;
            _retired[current] = AuthorityLibrary.pack(previous, current, until, AuthorityLibrary.ACTIVE);
        }
        _authority = AuthorityLibrary.pack(newGroupKey, newEpoch, block.timestamp, AuthorityLibrary.ACTIVE);
        emit GroupKeyRotated(previous, newGroupKey, newEpoch, block.timestamp + overlap);
    }

    /// @dev Reverts unless the key of `reportEpoch` has signed. `r` and `vs` as in EIP-2098; a high s is refused.
    function _requireKey(
        uint256 reportEpoch,
        bytes32 digest,
        bytes32 r,
        bytes32 vs
    ) internal view {
        Authority authority = _authority;
        if (authority.isSlashed()) revert KeySlashed(uint64(authority.epoch()));
        address key = authority.account();
        if (reportEpoch != authority.epoch()) {
            // Only the one before: an overlap does not outlive a second rotation.
            if (reportEpoch + 1 != authority.epoch()) revert WrongEpoch(reportEpoch, uint64(authority.epoch()));
            uint256 until;
            (key, until) = _retiredKeyOf(reportEpoch, authority);
            if (block.timestamp >= until) revert KeyRetired(reportEpoch, until);
        }
        _requireSigner(key, digest, r, vs);
    }

    function _requireSigner(
        address key,
        bytes32 digest,
        bytes32 r,
        bytes32 vs
    ) internal view {
        // The other of the two signatures that are one: no honest signer makes it.
        if (uint256(vs) & (type(uint256).max >> 1) > _HALF_ORDER) revert SignatureHighS(vs);
        address recovered = ECDSA.recover(digest, r, vs);
        if (recovered != key) revert NotGroupKey(recovered);
    }

    /// @dev The key whose reports of `reportEpoch` can be challenged now: {CHALLENGE_HORIZON} longer than they are
    /// accepted.
    function _challengeableKeyOf(
        uint256 reportEpoch
    ) internal view returns (address) {
        Authority authority = _authority;
        if (authority.isSlashed()) revert KeySlashed(uint64(authority.epoch()));
        if (reportEpoch == authority.epoch()) return authority.account();
        // A slash settles all that was signed before it: no pool is seized twice for one lie.
        if (reportEpoch <= _lastSlashedEpoch) revert WrongEpoch(reportEpoch, uint64(authority.epoch()));
        (address key, uint256 until) = _retiredKeyOf(reportEpoch, authority);
        until += CHALLENGE_HORIZON;
        if (block.timestamp > until) revert KeyRetired(reportEpoch, until);
        return key;
    }

    /// @dev As {_requireSigner}, for 65 bytes r, s, v.
    function _requireSignature(
        address key,
        bytes32 digest,
        bytes calldata signature
    ) internal pure {
        address recovered = StrictECDSA.recoverCalldata(digest, signature);
        if (recovered != key) revert NotGroupKey(recovered);
    }

    /// @dev The domain of everything that the group key signs. The separator is made anew where the chain's id has
    /// changed.
    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("MPC Hedge Report", "1");
    }

    /// @dev Whether `account`, which is not zero, is the key before the present one, and in its overlap.
    function _isPreviousKey(
        address account,
        Authority authority
    ) private view returns (bool) {
        Authority previous = _retired[authority.epoch() - 1];
        return account == previous.account() && block.timestamp < previous.since();
    }

    function _retiredKeyOf(
        uint256 reportEpoch,
        Authority authority
    ) private view returns (address key, uint256 until) {
        Authority retired = _retired[reportEpoch];
        if (retired.account() == address(0)) revert WrongEpoch(reportEpoch, uint64(authority.epoch()));
        return (retired.account(), retired.since());
    }
}
