// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsortiumMembers} from "../interfaces/IConsortiumMembers.sol";
import {IGovernedFeed} from "../interfaces/IGovernedFeed.sol";
import {Tolerances} from "../interfaces/IReportJudge.sol";
import {Config} from "../ledger/Config.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Governance by k of n members, who sign typed actions off the chain, behind a timelock
/// @notice An action is scheduled by the members' signatures and carried out by anybody, from `actionDelay` seconds
/// later on and for 14 days. It carries a salt, so that the same thing can be decided twice, and a deadline by which
/// it must have been scheduled. An action that was scheduled is void once the members change, or once k of them cancel
/// it.
/// @dev A member may be a contract: ERC-1271 says what it has signed. Signers come in strictly ascending order, so
/// that none counts twice. Every action names the feed that it is about: one set of members can govern several.
contract ConsortiumMembers is EIP712, IConsortiumMembers {
    /// @notice A scheduled action's state
    struct Scheduled {
        /// Unix seconds, 0 where it was never scheduled
        uint40 since;
        /// Which membership scheduled it
        uint32 generation;
        /// Carried out or cancelled
        bool done;
    }

    /// @notice No consortium has more members
    uint256 public constant MEMBERS_LIMIT = 32;
    /// @notice Seconds after its time within which an action must be carried out
    uint256 public constant ACTION_GRACE = 14 days;
    /// @notice No timelock is longer, in seconds
    uint256 public constant ACTION_DELAY_LIMIT = 30 days;

    string private constant _CONFIG_TYPE = "Config(uint16 maxAge,uint16 maxFutureSkew,uint24 maxValidity,"
        "uint24 challengeWindow,uint16 maxInstruments,uint16 maxJump,uint16 jumpHorizon)";
    string private constant _TOLERANCES_TYPE = "Tolerances(uint24 delta,uint24 gamma,uint24 vega,uint24 premium,"
        "uint24 vol,uint16 hedgeReach,uint24 hedgeSlack)";
    bytes32 private constant _ROTATE_TYPE_HASH = keccak256(
        "RotateGroupKey(address feed,address newGroupKey,uint64 newEpoch,uint256 overlap,bytes32 salt,uint256 deadline)"
    );
    bytes32 private constant _MEMBERS_TYPE_HASH =
        keccak256("SetMembers(address[] members,uint256 quorum,bytes32 salt,uint256 deadline)");
    bytes32 private constant _CONFIG_TYPE_HASH = keccak256(bytes(_CONFIG_TYPE));
    bytes32 private constant _TOLERANCES_TYPE_HASH = keccak256(bytes(_TOLERANCES_TYPE));
    bytes32 private constant _PARAMETERS_TYPE_HASH = keccak256(
        abi.encodePacked(
            "SetParameters(address feed,Config config,Tolerances tolerances,bytes32 salt,uint256 deadline)",
            _CONFIG_TYPE,
            _TOLERANCES_TYPE
        )
    );
    bytes32 private constant _UNPAUSE_TYPE_HASH = keccak256("Unpause(address feed,bytes32 salt,uint256 deadline)");
    bytes32 private constant _CANCEL_TYPE_HASH = keccak256("CancelAction(bytes32 action)");

    uint256 private immutable _ACTION_DELAY;

    uint256 private _quorum;
    uint32 private _generation;
    address[] private _members;
    mapping(address account => bool) private _isMember;
    mapping(bytes32 action => Scheduled) private _scheduled;
    mapping(IGovernedFeed feed => uint256) private _pausedAt;

    event MembersSet(address[] members, uint256 quorum);
    event ActionScheduled(bytes32 indexed action, uint256 executableAt);
    event ActionExecuted(bytes32 indexed action);
    event ActionCancelled(bytes32 indexed action);
    event PausedBy(address indexed member, address indexed feed);

    error NoMembers();
    error TooManyMembers(uint256 members, uint256 maximum);
    error MemberZero(uint256 index);
    error MemberDuplicate(address member);
    error QuorumOutOfRange(uint256 quorum, uint256 members);
    error ActionDelayTooLong(uint256 delay, uint256 maximum);
    error NotMember(address account);
    error SignatureCountMismatch(uint256 signers, uint256 signatures);
    error QuorumNotMet(uint256 signatures, uint256 quorum);
    error SignerNotMember(uint256 index, address signer);
    error SignersNotAscending(uint256 index, address signer, address previous);
    error SignatureInvalid(uint256 index, address signer);
    error ActionKnown(bytes32 action);
    error ActionNotScheduled(bytes32 action);
    error ActionTooEarly(bytes32 action, uint256 executableAt, uint256 timestamp);
    error ActionExpired(bytes32 action, uint256 deadline, uint256 timestamp);
    error ScheduledBeforePause(bytes32 action, uint256 pausedAt);
    error ActionOfOtherMembers(bytes32 action);

    constructor(
        address[] memory initialMembers,
        uint256 initialQuorum,
        uint256 delay
    ) EIP712("MPC Hedge Members", "1") {
        if (delay > ACTION_DELAY_LIMIT) revert ActionDelayTooLong(delay, ACTION_DELAY_LIMIT);
        _ACTION_DELAY = delay;
        _setMembers(initialMembers, initialQuorum);
    }

    /// @notice Puts an action on its way.
    /// @param action EIP-712 struct hash of the typed action that the members signed
    /// @param signers At least the quorum's number of members, ascending by address
    /// @param signatures Theirs, over the action's EIP-712 digest: 65 bytes r, s, v, or what a contract of theirs
    /// takes
    function schedule(
        bytes32 action,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external {
        if (_scheduled[action].since != 0) revert ActionKnown(action);
        _requireQuorum(action, signers, signatures);
        _scheduled[action] = Scheduled({since: uint40(block.timestamp), generation: _generation, done: false});
        emit ActionScheduled(action, block.timestamp + _ACTION_DELAY);
    }

    /// @notice Voids an action for ever, scheduled or not, by the members' signatures over `CancelAction`; at once.
    function cancel(
        bytes32 action,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external {
        if (_scheduled[action].done) revert ActionKnown(action);
        _requireQuorum(keccak256(abi.encode(_CANCEL_TYPE_HASH, action)), signers, signatures);
        _scheduled[action] = Scheduled({since: uint40(block.timestamp), generation: _generation, done: true});
        emit ActionCancelled(action);
    }

    /// @notice Puts another group key in force, or the same one in a new epoch.
    /// @param newEpoch The current epoch plus one
    /// @param overlap Seconds for which the key before stays valid
    function rotateGroupKey(
        IGovernedFeed feed,
        address newGroupKey,
        uint64 newEpoch,
        uint256 overlap,
        bytes32 salt,
        uint256 deadline
    ) external {
        _consume(
            keccak256(abi.encode(_ROTATE_TYPE_HASH, feed, newGroupKey, newEpoch, overlap, salt, deadline)), deadline
        );
        feed.rotateGroupKey(newGroupKey, newEpoch, overlap);
    }

    /// @notice Sets what a feed accepts, and what its reports may be off by.
    function setParameters(
        IGovernedFeed feed,
        Config calldata newConfig,
        Tolerances calldata newTolerances,
        bytes32 salt,
        uint256 deadline
    ) external {
        bytes32 configHash = keccak256(abi.encode(_CONFIG_TYPE_HASH, newConfig));
        bytes32 tolerancesHash = keccak256(abi.encode(_TOLERANCES_TYPE_HASH, newTolerances));
        _consume(
            keccak256(abi.encode(_PARAMETERS_TYPE_HASH, feed, configHash, tolerancesHash, salt, deadline)), deadline
        );
        feed.setParameters(newConfig, newTolerances);
    }

    /// @notice Ends a feed's pause, by an action that was scheduled in it: none that is left over ends a later one.
    function unpause(
        IGovernedFeed feed,
        bytes32 salt,
        uint256 deadline
    ) external {
        bytes32 action = keccak256(abi.encode(_UNPAUSE_TYPE_HASH, feed, salt, deadline));
        _consume(action, deadline);
        if (_scheduled[action].since < _pausedAt[feed]) revert ScheduledBeforePause(action, _pausedAt[feed]);
        feed.unpause();
    }

    /// @notice Stops a feed at once. Any one member, by a transaction of its own.
    function pause(
        IGovernedFeed feed
    ) external {
        if (!_isMember[msg.sender]) revert NotMember(msg.sender);
        _pausedAt[feed] = block.timestamp;
        feed.pause();
        emit PausedBy(msg.sender, address(feed));
    }

    /// @notice Puts other members in charge; whatever else was scheduled is void.
    function setMembers(
        address[] calldata newMembers,
        uint256 newQuorum,
        bytes32 salt,
        uint256 deadline
    ) external {
        bytes32 list = keccak256(abi.encodePacked(newMembers));
        _consume(keccak256(abi.encode(_MEMBERS_TYPE_HASH, list, newQuorum, salt, deadline)), deadline);
        _setMembers(newMembers, newQuorum);
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
        return _quorum;
    }

    /// @inheritdoc IConsortiumMembers
    function actionDelay() external view returns (uint256) {
        return _ACTION_DELAY;
    }

    /// @notice What is known of an action
    function scheduled(
        bytes32 action
    ) external view returns (Scheduled memory) {
        return _scheduled[action];
    }

    /// @dev Uses an action up, or reverts. For functions that then carry it out.
    /// @param deadline By which it must have been scheduled, from the typed action
    function _consume(
        bytes32 action,
        uint256 deadline
    ) private {
        Scheduled memory known = _scheduled[action];
        if (known.since == 0 || known.done) revert ActionNotScheduled(action);
        if (known.generation != _generation) revert ActionOfOtherMembers(action);
        if (known.since > deadline) revert ActionExpired(action, deadline, known.since);
        uint256 executableAt = known.since + _ACTION_DELAY;
        if (block.timestamp < executableAt) revert ActionTooEarly(action, executableAt, block.timestamp);
        if (block.timestamp > executableAt + ACTION_GRACE) {
            revert ActionExpired(action, executableAt + ACTION_GRACE, block.timestamp);
        }
        _scheduled[action].done = true;
        emit ActionExecuted(action);
    }

    /// @dev Voids what the members before had scheduled.
    function _setMembers(
        address[] memory newMembers,
        uint256 newQuorum
    ) private {
        uint256 count = newMembers.length;
        if (count == 0) revert NoMembers();
        if (count > MEMBERS_LIMIT) revert TooManyMembers(count, MEMBERS_LIMIT);
        if (newQuorum == 0 || newQuorum > count) revert QuorumOutOfRange(newQuorum, count);
        for (uint256 i = _members.length; i > 0; --i) {
            _isMember[_members[i - 1]] = false;
            _members.pop();
        }
        for (uint256 i = 0; i < count; ++i) {
            address member = newMembers[i];
            if (member == address(0)) revert MemberZero(i);
            if (_isMember[member]) revert MemberDuplicate(member);
            _isMember[member] = true;
            _members.push(member);
        }
        _quorum = newQuorum;
        ++_generation;
        emit MembersSet(newMembers, newQuorum);
    }

    function _requireQuorum(
        bytes32 structHash,
        address[] calldata signers,
        bytes[] calldata signatures
    ) private view {
        uint256 count = signers.length;
        if (count != signatures.length) revert SignatureCountMismatch(count, signatures.length);
        if (count < _quorum) revert QuorumNotMet(count, _quorum);
        bytes32 digest = _hashTypedDataV4(structHash);
        address previous = address(0);
        // Bounded: signers are members, and distinct.
        for (uint256 i = 0; i < count; ++i) {
            address signer = signers[i];
            if (signer <= previous) revert SignersNotAscending(i, signer, previous);
            if (!_isMember[signer]) revert SignerNotMember(i, signer);
            if (!SignatureChecker.isValidSignatureNowCalldata(signer, digest, signatures[i])) {
                revert SignatureInvalid(i, signer);
            }
            previous = signer;
        }
    }
}
