// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IGovernedFeed} from "../../src/interfaces/IGovernedFeed.sol";
import {Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {ToleranceFloors} from "../../src/judge/ToleranceFloors.sol";
import {Config} from "../../src/ledger/Config.sol";
import {MembersSigner} from "../support/MembersSigner.sol";

/// @dev Does what it is told, remembers by whom, and reverts if that is what it is asked for.
contract MockGovernedFeed is IGovernedFeed {
    bool public paused;
    address public groupKey;
    uint64 public epoch;
    uint256 public overlap;
    bytes32 public parametersHash;
    address public caller;
    bool private _refuses;

    error Refused();

    modifier unlessRefused() {
        if (_refuses) revert Refused();
        caller = msg.sender;
        _;
    }

    function refuse(
        bool refuses
    ) external {
        _refuses = refuses;
    }

    function pause() external unlessRefused {
        paused = true;
    }

    function unpause() external unlessRefused {
        paused = false;
    }

    function rotateGroupKey(
        address newGroupKey,
        uint64 newEpoch,
        uint256 newOverlap
    ) external unlessRefused {
        (groupKey, epoch, overlap) = (newGroupKey, newEpoch, newOverlap);
    }

    function setParameters(
        Config calldata newConfig,
        Tolerances calldata newTolerances
    ) external unlessRefused {
        parametersHash = keccak256(abi.encode(newConfig, newTolerances));
    }
}

/// @dev Four members, quorum three, a delay of a day and a feed that they govern.
abstract contract MembersFixture is MembersSigner {
    uint256 internal constant START = 1_767_254_400;
    uint256 internal constant DELAY = 1 days;
    bytes32 internal constant SALT = keccak256("salt");

    MockGovernedFeed internal feed;

    function setUp() public virtual {
        vm.warp(START);
        _makeMembers(DELAY);
        feed = new MockGovernedFeed();
    }

    function _config() internal pure returns (Config memory) {
        return Config({
            maxAge: 1,
            maxFutureSkew: 2,
            maxValidity: 3,
            challengeWindow: 4,
            maxInstruments: 5,
            maxJump: 6,
            jumpHorizon: 7
        });
    }

    function _tolerances() internal pure returns (Tolerances memory) {
        return ToleranceFloors.defaults();
    }

    /// @dev An unpausing that must be scheduled by START + 100.
    function _action() internal view returns (bytes32) {
        return _unpauseHash(feed, SALT, START + 100);
    }

    function _carryOut() internal {
        members.unpause(feed, SALT, START + 100);
    }

    function _cancelHash(
        bytes32 action
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("CancelAction(bytes32 action)"), action));
    }

    function _cancel(
        bytes32 action
    ) internal {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_cancelHash(action), QUORUM);
        members.cancel(action, signers, signatures);
    }

    function _setMembers(
        address[] memory newMembers,
        uint256 newQuorum
    ) internal {
        bytes32 salt = _salt();
        uint256 deadline = vm.getBlockTimestamp();
        _decide(_membersHash(newMembers, newQuorum, salt, deadline));
        members.setMembers(newMembers, newQuorum, salt, deadline);
    }

    /// @dev `count` distinct addresses, ascending.
    function _addresses(
        uint256 count
    ) internal pure returns (address[] memory list) {
        list = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = address(uint160(0x1000 + i));
        }
    }
}
