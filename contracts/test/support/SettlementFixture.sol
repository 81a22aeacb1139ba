// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../../src/HedgeReport.sol";
import {HedgeSettlement} from "../../src/HedgeSettlement.sol";
import {Config} from "../../src/ReportBounds.sol";
import {WordPacker} from "./WordPacker.sol";
import {Test} from "forge-std/Test.sol";

/// @dev A settlement contract of four members (quorum three), and valid reports for it.
abstract contract SettlementFixture is Test {
    bytes32 internal constant CONSORTIUM = keccak256("consortium");
    uint64 internal constant EPOCH = 3;
    uint64 internal constant START = 1_767_254_400;
    uint256 internal constant QUORUM = 3;
    uint256 internal constant MEMBERS = 4;

    bytes32 internal constant ROTATE_TYPE =
        keccak256("RotateGroupKey(address newGroupKey,uint64 newEpoch,uint256 nonce,uint256 deadline)");
    bytes32 internal constant PAUSE_TYPE = keccak256("Pause(uint256 nonce,uint256 deadline)");
    bytes32 internal constant UNPAUSE_TYPE = keccak256("Unpause(uint256 nonce,uint256 deadline)");

    HedgeSettlement internal settlement;
    uint256 internal groupPrivateKey = uint256(keccak256("group key"));
    uint256[] internal memberKeys;
    address[] internal memberAddresses;

    function setUp() public virtual {
        vm.warp(START);
        _makeMembers();
        settlement = new HedgeSettlement(
            CONSORTIUM, vm.addr(groupPrivateKey), EPOCH, memberAddresses, QUORUM, _defaultConfig()
        );
    }

    function _defaultConfig() internal pure returns (Config memory) {
        return Config({
            maxAge: 600,
            maxFutureSkew: 60,
            maxValidity: 3600,
            maxInstruments: 700,
            minVol: 10_000,
            maxVol: 10_000_000,
            maxHedgeDelta: 2_000_000
        });
    }

    /// @dev Keys in ascending order of their addresses, as signatures must be handed in.
    function _makeMembers() private {
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
    }

    function _report(
        uint64 round,
        uint256 instruments
    ) internal view returns (HedgeReport memory report) {
        report.consortium = CONSORTIUM;
        report.epoch = settlement.epoch();
        report.round = round;
        report.observedAt = uint64(block.timestamp);
        report.validUntil = uint64(block.timestamp) + 1800;
        report.book = keccak256("book");
        report.model = keccak256("model");
        report.inputs = keccak256("inputs");
        report.forwards = new bytes32[](2);
        report.forwards[0] = WordPacker.forward(uint40(block.timestamp) + 1 days, 88_000e8);
        report.forwards[1] = WordPacker.forward(uint40(block.timestamp) + 8 days, 88_100e8);
        report.params = _params(round, instruments);
    }

    /// @dev Words that differ in every round and index.
    function _params(
        uint64 round,
        uint256 instruments
    ) internal pure returns (bytes32[] memory words) {
        words = new bytes32[](instruments);
        for (uint256 i = 0; i < instruments; ++i) {
            uint32 seed = uint32(uint256(keccak256(abi.encode(round, i))));
            words[i] = WordPacker.param(
                WordPacker.Param({
                    iv: 10_000 + seed % 9_990_001,
                    bsDelta: int24(int256(uint256(seed % 2_000_001)) - 1_000_000),
                    hedgeDelta: int24(int256(uint256(seed % 4_000_001)) - 2_000_000),
                    gamma: uint40(seed) * 200,
                    vega: seed,
                    premium: seed / 3,
                    maintenanceMargin: uint24(seed % 500_000),
                    initialMargin: uint24(seed % 500_000 + 100),
                    reserved: 0
                })
            );
        }
    }

    function _sign(
        HedgeReport memory report
    ) internal view returns (bytes memory) {
        return _signature(groupPrivateKey, settlement.digestOf(report));
    }

    function _signature(
        uint256 key,
        bytes32 digest
    ) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _submit(
        HedgeReport memory report
    ) internal {
        settlement.submit(report, _sign(report));
    }

    /// @dev Signs, then expects the refusal: signing asks the contract, and expectRevert watches the next call.
    function _submitExpecting(
        HedgeReport memory report,
        bytes memory refusal
    ) internal {
        bytes memory signature = _sign(report);
        vm.expectRevert(refusal);
        settlement.submit(report, signature);
    }

    function _digest(
        bytes32 structHash
    ) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", settlement.domainSeparator(), structHash));
    }

    /// @dev Signatures of the first `count` members.
    function _signatures(
        bytes32 structHash,
        uint256 count
    ) internal view returns (bytes[] memory signatures) {
        signatures = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            signatures[i] = _signature(memberKeys[i], _digest(structHash));
        }
    }

    function _pauseHash(
        uint256 deadline
    ) internal view returns (bytes32) {
        return keccak256(abi.encode(PAUSE_TYPE, settlement.nonce(), deadline));
    }

    function _unpauseHash(
        uint256 deadline
    ) internal view returns (bytes32) {
        return keccak256(abi.encode(UNPAUSE_TYPE, settlement.nonce(), deadline));
    }

    function _rotateHash(
        address key,
        uint64 epoch,
        uint256 deadline
    ) internal view returns (bytes32) {
        return keccak256(abi.encode(ROTATE_TYPE, key, epoch, settlement.nonce(), deadline));
    }

    function _pause() internal {
        bytes[] memory signatures = _signatures(_pauseHash(block.timestamp), QUORUM);
        settlement.pause(block.timestamp, signatures);
    }

    function _unpause() internal {
        bytes[] memory signatures = _signatures(_unpauseHash(block.timestamp), QUORUM);
        settlement.unpause(block.timestamp, signatures);
    }

    function _rotate(
        uint256 newPrivateKey
    ) internal {
        uint64 next = settlement.epoch() + 1;
        address key = vm.addr(newPrivateKey);
        bytes[] memory signatures = _signatures(_rotateHash(key, next, block.timestamp), QUORUM);
        settlement.rotateGroupKey(key, next, block.timestamp, signatures);
        groupPrivateKey = newPrivateKey;
    }
}
