// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumMembers} from "../../src/governance/ConsortiumMembers.sol";
import {IGovernedFeed} from "../../src/interfaces/IGovernedFeed.sol";
import {Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {Config} from "../../src/ledger/Config.sol";
import {Test} from "forge-std/Test.sol";

/// @dev Four members, quorum three, and their typed actions, hashed here independently of the contract. Asks the
/// cheatcodes for the time: the compiler's IR pipeline reads `block.timestamp` where it is used, which may be after a
/// warp.
abstract contract MembersSigner is Test {
    uint256 internal constant QUORUM = 3;
    uint256 internal constant MEMBERS = 4;

    string internal constant CONFIG_TYPE = "Config(uint16 maxAge,uint16 maxFutureSkew,uint24 maxValidity,"
        "uint24 challengeWindow,uint16 maxInstruments,uint16 maxJump,uint16 jumpHorizon)";
    string internal constant TOLERANCES_TYPE = "Tolerances(uint24 delta,uint24 gamma,uint24 vega,uint24 premium,"
        "uint24 vol,uint16 hedgeReach,uint24 hedgeSlack)";

    ConsortiumMembers internal members;
    uint256[] internal memberKeys;
    address[] internal memberAddresses;
    uint256 private _salts;

    /// @dev Keys in ascending order of their addresses, as signatures must be handed in.
    function _makeMembers(
        uint256 delay
    ) internal {
        for (uint256 i = 0; i < MEMBERS; ++i) {
            memberKeys.push(uint256(keccak256(abi.encode("member", i))));
        }
        for (uint256 i = 1; i < MEMBERS; ++i) {
            for (uint256 j = i; j > 0 && vm.addr(memberKeys[j - 1]) > vm.addr(memberKeys[j]); --j) {
                (memberKeys[j - 1], memberKeys[j]) = (memberKeys[j], memberKeys[j - 1]);
            }
        }
        for (uint256 i = 0; i < MEMBERS; ++i) {
            memberAddresses.push(vm.addr(memberKeys[i]));
        }
        members = new ConsortiumMembers(memberAddresses, QUORUM, delay);
    }

    function _signature(
        uint256 key,
        bytes32 digest
    ) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _memberDigest(
        bytes32 structHash
    ) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("MPC Hedge Members"),
                keccak256("1"),
                block.chainid,
                address(members)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    /// @dev The first `count` members, and their signatures.
    function _approvals(
        bytes32 structHash,
        uint256 count
    ) internal view returns (address[] memory signers, bytes[] memory signatures) {
        signers = new address[](count);
        signatures = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            signers[i] = memberAddresses[i];
            signatures[i] = _signature(memberKeys[i], _memberDigest(structHash));
        }
    }

    function _schedule(
        bytes32 structHash
    ) internal {
        (address[] memory signers, bytes[] memory signatures) = _approvals(structHash, QUORUM);
        members.schedule(structHash, signers, signatures);
    }

    /// @dev Schedules and waits. Times that outlive a `vm.warp` are asked of `vm`: the compiler's IR pipeline takes
    /// `block.timestamp` for constant within a call, and reads it again afterwards.
    function _decide(
        bytes32 structHash
    ) internal {
        _schedule(structHash);
        vm.warp(vm.getBlockTimestamp() + members.actionDelay());
    }

    function _salt() internal returns (bytes32) {
        return bytes32(++_salts);
    }

    function _rotateHash(
        IGovernedFeed feed,
        address key,
        uint64 epoch,
        uint256 overlap,
        bytes32 salt,
        uint256 deadline
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "RotateGroupKey(address feed,address newGroupKey,uint64 newEpoch,uint256 overlap,bytes32 salt,"
                    "uint256 deadline)"
                ),
                feed,
                key,
                epoch,
                overlap,
                salt,
                deadline
            )
        );
    }

    function _rotateKey(
        IGovernedFeed feed,
        address key,
        uint64 epoch,
        uint256 overlap
    ) internal {
        bytes32 salt = _salt();
        uint256 deadline = vm.getBlockTimestamp();
        _decide(_rotateHash(feed, key, epoch, overlap, salt, deadline));
        members.rotateGroupKey(feed, key, epoch, overlap, salt, deadline);
    }

    function _unpauseHash(
        IGovernedFeed feed,
        bytes32 salt,
        uint256 deadline
    ) internal pure returns (bytes32) {
        return
            keccak256(
                abi.encode(keccak256("Unpause(address feed,bytes32 salt,uint256 deadline)"), feed, salt, deadline)
            );
    }

    function _pause(
        IGovernedFeed feed
    ) internal {
        vm.prank(memberAddresses[0]);
        members.pause(feed);
    }

    function _unpause(
        IGovernedFeed feed
    ) internal {
        bytes32 salt = _salt();
        uint256 deadline = vm.getBlockTimestamp();
        _decide(_unpauseHash(feed, salt, deadline));
        members.unpause(feed, salt, deadline);
    }

    function _parametersHash(
        IGovernedFeed feed,
        Config memory config,
        Tolerances memory tolerances,
        bytes32 salt,
        uint256 deadline
    ) internal pure returns (bytes32) {
        bytes32 kind = keccak256(
            abi.encodePacked(
                "SetParameters(address feed,Config config,Tolerances tolerances,bytes32 salt,uint256 deadline)",
                CONFIG_TYPE,
                TOLERANCES_TYPE
            )
        );
        return keccak256(
            abi.encode(
                kind,
                feed,
                keccak256(abi.encode(keccak256(bytes(CONFIG_TYPE)), config)),
                keccak256(abi.encode(keccak256(bytes(TOLERANCES_TYPE)), tolerances)),
                salt,
                deadline
            )
        );
    }

    function _setParameters(
        IGovernedFeed feed,
        Config memory config,
        Tolerances memory tolerances
    ) internal {
        bytes32 salt = _salt();
        uint256 deadline = vm.getBlockTimestamp();
        _decide(_parametersHash(feed, config, tolerances, salt, deadline));
        members.setParameters(feed, config, tolerances, salt, deadline);
    }

    function _membersHash(
        address[] memory newMembers,
        uint256 newQuorum,
        bytes32 salt,
        uint256 deadline
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("SetMembers(address[] members,uint256 quorum,bytes32 salt,uint256 deadline)"),
                keccak256(abi.encodePacked(newMembers)),
                newQuorum,
                salt,
                deadline
            )
        );
    }
}
