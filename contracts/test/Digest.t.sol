// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../src/HedgeReport.sol";
import {HedgeSettlement} from "../src/HedgeSettlement.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";

/// @dev What Python hashed and signed, accepted by the contract at the address and on the chain it was signed for.
contract DigestTest is SettlementFixture {
    string private _json;

    function setUp() public override {
        super.setUp();
        _json = vm.readFile("test/vectors/report.json");
        vm.chainId(vm.parseJsonUint(_json, ".chainId"));
        address target = vm.parseJsonAddress(_json, ".contract");
        bytes memory arguments = abi.encode(
            vm.parseJsonBytes32(_json, ".report.consortium"),
            vm.parseJsonAddress(_json, ".groupKey"),
            uint64(vm.parseJsonUint(_json, ".report.epoch")),
            memberAddresses,
            QUORUM,
            _defaultConfig()
        );
        // Runs the constructor at the address itself: the domain is fixed there.
        vm.etch(target, abi.encodePacked(type(HedgeSettlement).creationCode, arguments));
        (bool created, bytes memory code) = target.call("");
        assertTrue(created);
        vm.etch(target, code);
        settlement = HedgeSettlement(target);
    }

    function test_domainSeparator() public view {
        assertEq(settlement.domainSeparator(), vm.parseJsonBytes32(_json, ".domainSeparator"));
        (, string memory name, string memory version, uint256 chainId, address verifyingContract,,) =
            settlement.eip712Domain();
        assertEq(name, "MPC Hedge Report");
        assertEq(version, "1");
        assertEq(chainId, vm.parseJsonUint(_json, ".chainId"));
        assertEq(verifyingContract, address(settlement));
    }

    function test_reportDigest() public view {
        assertEq(settlement.digestOf(_vector()), vm.parseJsonBytes32(_json, ".digest"));
    }

    function test_acceptsPythonsSignature() public {
        HedgeReport memory report = _vector();
        vm.warp(report.observedAt);
        settlement.submit(report, vm.parseJsonBytes(_json, ".signature"));
        assertEq(settlement.latest().digest, vm.parseJsonBytes32(_json, ".digest"));
        assertEq(settlement.latest().book, report.book);
    }

    function test_chainForkChangesTheDigest() public {
        vm.chainId(1);
        assertNotEq(settlement.digestOf(_vector()), vm.parseJsonBytes32(_json, ".digest"));
    }

    function test_actionDigests() public view {
        address key = vm.parseJsonAddress(_json, ".actions.newGroupKey");
        uint64 epoch = uint64(vm.parseJsonUint(_json, ".actions.newEpoch"));
        uint256 deadline = vm.parseJsonUint(_json, ".actions.deadline");
        assertEq(_digest(_rotateHash(key, epoch, deadline)), vm.parseJsonBytes32(_json, ".actions.rotate"));
        assertEq(_digest(_pauseHash(deadline)), vm.parseJsonBytes32(_json, ".actions.pause"));
        assertEq(_digest(_unpauseHash(deadline)), vm.parseJsonBytes32(_json, ".actions.unpause"));
    }

    function _vector() private view returns (HedgeReport memory report) {
        report.consortium = vm.parseJsonBytes32(_json, ".report.consortium");
        report.epoch = uint64(vm.parseJsonUint(_json, ".report.epoch"));
        report.round = uint64(vm.parseJsonUint(_json, ".report.round"));
        report.observedAt = uint64(vm.parseJsonUint(_json, ".report.observedAt"));
        report.validUntil = uint64(vm.parseJsonUint(_json, ".report.validUntil"));
        report.book = vm.parseJsonBytes32(_json, ".report.book");
        report.model = vm.parseJsonBytes32(_json, ".report.model");
        report.inputs = vm.parseJsonBytes32(_json, ".report.inputs");
        report.forwards = vm.parseJsonBytes32Array(_json, ".report.forwards");
        report.params = vm.parseJsonBytes32Array(_json, ".report.params");
    }
}
