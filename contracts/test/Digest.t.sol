// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Founding} from "../src/Founding.sol";
import {HedgeReport, ReportCore} from "../src/HedgeReport.sol";
import {ConsortiumMembers} from "../src/governance/ConsortiumMembers.sol";
import {IGovernedFeed} from "../src/interfaces/IGovernedFeed.sol";
import {Tolerances} from "../src/interfaces/IReportJudge.sol";
import {Config} from "../src/ledger/Config.sol";
import {ReportHead} from "../src/types/ReportHead.sol";
import {ILedger} from "./support/ILedger.sol";
import {SettlementFixture} from "./support/SettlementFixture.sol";

/// @dev What Python hashed, packed and signed, accepted by the contracts at the addresses and on the chain that it was
/// signed for.
contract DigestTest is SettlementFixture {
    string private _json;

    function setUp() public override {
        vm.warp(START);
        _json = vm.readFile("test/vectors/report.json");
        vm.chainId(vm.parseJsonUint(_json, ".chainId"));
        judge = _judge();
        memberAddresses = vm.parseJsonAddressArray(_json, ".members.accounts");
        memberKeys = vm.parseJsonUintArray(_json, ".members.privateKeys");
        groupPrivateKey = vm.parseJsonUint(_json, ".groupPrivateKey");
        assertEq(vm.addr(groupPrivateKey), vm.parseJsonAddress(_json, ".groupKey"));
        members = ConsortiumMembers(
            _createAt(
                vm.parseJsonAddress(_json, ".members.contract"),
                abi.encodePacked(
                    type(ConsortiumMembers).creationCode,
                    abi.encode(memberAddresses, vm.parseJsonUint(_json, ".members.quorum"), DELAY)
                )
            )
        );
        Founding memory founding = _founding();
        founding.consortium = vm.parseJsonBytes32(_json, ".report.consortium");
        founding.epoch = uint64(vm.parseJsonUint(_json, ".report.epoch"));
        settlement = ILedger(
            _createAt(
                vm.parseJsonAddress(_json, ".contract"),
                abi.encodePacked(vm.getCode("HedgeSettlement.sol:HedgeSettlement"), abi.encode(founding))
            )
        );
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

    function test_theFormForTheChainIsTheFixtures() public view {
        (ReportCore memory core, bytes32[] memory words) = _compact(_vector());
        (ReportCore memory packed, bytes32[] memory packedWords) = _vectorCompact();
        assertEq(abi.encode(core), abi.encode(packed));
        assertEq(words, packedWords);
        assertEq(core.head.reserved(), 0);
        assertEq(core.head.round(), vm.parseJsonUint(_json, ".report.round"));
        assertEq(core.head.epoch(), vm.parseJsonUint(_json, ".report.epoch"));
        assertEq(core.head.observedAt(), vm.parseJsonUint(_json, ".report.observedAt"));
        assertEq(core.head.validUntil(), vm.parseJsonUint(_json, ".report.validUntil"));
    }

    function test_settlesWhatPythonPackedAndSigned() public {
        HedgeReport memory report = _vector();
        vm.warp(report.observedAt);
        (ReportCore memory core, bytes32[] memory words) = _vectorCompact();
        assertTrue(settlement.settle(core, words, _word(".compact.r"), _word(".compact.vs")));
        (uint256 digest216,,) = settlement.accepted(1);
        assertEq(digest216, uint256(_word(".digest")) & type(uint216).max);
        (bool isAccepted,) = settlement.proves(report, 1);
        assertTrue(isAccepted);
    }

    function test_anyOtherBitIsAnotherSigner() public {
        HedgeReport memory report = _vector();
        vm.warp(report.observedAt);
        (ReportCore memory core, bytes32[] memory words) = _vectorCompact();
        words[words.length - 1] = bytes32(uint256(words[words.length - 1]) ^ (1 << 72));
        (bytes32 r, bytes32 vs) = (_word(".compact.r"), _word(".compact.vs"));
        vm.expectPartialRevert(bytes4(keccak256("NotGroupKey(address)")));
        settlement.settle(core, words, r, vs);
    }

    function test_chainForkChangesTheDigest() public {
        vm.chainId(1);
        assertNotEq(settlement.digestOf(_vector()), vm.parseJsonBytes32(_json, ".digest"));
    }

    function test_membersDomain() public view {
        (, string memory name, string memory version, uint256 chainId, address verifyingContract,,) =
            members.eip712Domain();
        assertEq(name, "MPC Hedge Members");
        assertEq(version, "1");
        assertEq(chainId, vm.parseJsonUint(_json, ".chainId"));
        assertEq(verifyingContract, address(members));
        // The fixture's digest of one action, by this domain.
        bytes32 action = _word(".members.actions.unpause.structHash");
        assertEq(_memberDigest(action), _word(".members.actions.unpause.digest"));
    }

    function test_rotationThatPythonSigned() public {
        _decideVector("rotateGroupKey");
        string memory path = ".members.actions.rotateGroupKey";
        address key = vm.parseJsonAddress(_json, string.concat(path, ".newGroupKey"));
        members.rotateGroupKey(
            _feed(path),
            key,
            uint64(vm.parseJsonUint(_json, string.concat(path, ".newEpoch"))),
            vm.parseJsonUint(_json, string.concat(path, ".overlap")),
            _word(string.concat(path, ".salt")),
            vm.parseJsonUint(_json, string.concat(path, ".deadline"))
        );
        assertEq(settlement.groupKey(), key);
    }

    function test_parametersThatPythonSigned() public {
        _decideVector("setParameters");
        // Tolerances change no sooner than a report can no longer be challenged.
        vm.warp(START + settlement.CHALLENGE_HORIZON());
        string memory path = ".members.actions.setParameters";
        Config memory config = _config(string.concat(path, ".config."));
        Tolerances memory tolerances = _tolerances(string.concat(path, ".tolerances."));
        members.setParameters(
            _feed(path),
            config,
            tolerances,
            _word(string.concat(path, ".salt")),
            vm.parseJsonUint(_json, string.concat(path, ".deadline"))
        );
        assertEq(abi.encode(settlement.config()), abi.encode(config));
        assertEq(abi.encode(settlement.tolerances()), abi.encode(tolerances));
    }

    function test_unpausingThatPythonSigned() public {
        _pause(settlement);
        _decideVector("unpause");
        string memory path = ".members.actions.unpause";
        members.unpause(
            _feed(path), _word(string.concat(path, ".salt")), vm.parseJsonUint(_json, string.concat(path, ".deadline"))
        );
        assertFalse(settlement.status().paused);
    }

    function test_membershipThatPythonSigned() public {
        _decideVector("setMembers");
        string memory path = ".members.actions.setMembers";
        address[] memory newMembers = vm.parseJsonAddressArray(_json, string.concat(path, ".members"));
        members.setMembers(
            newMembers,
            vm.parseJsonUint(_json, string.concat(path, ".quorum")),
            _word(string.concat(path, ".salt")),
            vm.parseJsonUint(_json, string.concat(path, ".deadline"))
        );
        assertEq(members.members(), newMembers);
    }

    function test_cancellingThatPythonSigned() public {
        bytes32 action = _word(".members.actions.unpause.structHash");
        (address[] memory signers, bytes[] memory signatures) = _approvalsOf("unpause");
        members.schedule(action, signers, signatures);
        (signers, signatures) = _approvalsOf("cancelAction");
        members.cancel(action, signers, signatures);
        assertTrue(members.scheduled(action).done);
    }

    function test_signaturesOfOneActionAreNotAnothers() public {
        (address[] memory signers, bytes[] memory signatures) = _approvalsOf("unpause");
        bytes32 other = _word(".members.actions.setMembers.structHash");
        vm.expectPartialRevert(ConsortiumMembers.SignatureInvalid.selector);
        members.schedule(other, signers, signatures);
    }

    /// @dev Runs a constructor at an address: the domains are fixed there.
    function _createAt(
        address target,
        bytes memory creation
    ) private returns (address) {
        vm.etch(target, creation);
        (bool created, bytes memory code) = target.call("");
        assertTrue(created);
        vm.etch(target, code);
        return target;
    }

    function _decideVector(
        string memory name
    ) private {
        (address[] memory signers, bytes[] memory signatures) = _approvalsOf(name);
        members.schedule(_word(string.concat(".members.actions.", name, ".structHash")), signers, signatures);
        vm.warp(block.timestamp + DELAY);
    }

    function _approvalsOf(
        string memory name
    ) private view returns (address[] memory signers, bytes[] memory signatures) {
        signatures = vm.parseJsonBytesArray(_json, string.concat(".members.actions.", name, ".signatures"));
        signers = new address[](signatures.length);
        for (uint256 i = 0; i < signers.length; ++i) {
            signers[i] = memberAddresses[i];
        }
    }

    function _feed(
        string memory path
    ) private view returns (IGovernedFeed) {
        return IGovernedFeed(vm.parseJsonAddress(_json, string.concat(path, ".feed")));
    }

    function _config(
        string memory path
    ) private view returns (Config memory) {
        return Config({
            maxAge: uint16(_number(path, "maxAge")),
            maxFutureSkew: uint16(_number(path, "maxFutureSkew")),
            maxValidity: uint24(_number(path, "maxValidity")),
            challengeWindow: uint24(_number(path, "challengeWindow")),
            maxInstruments: uint16(_number(path, "maxInstruments")),
            maxJump: uint16(_number(path, "maxJump")),
            jumpHorizon: uint16(_number(path, "jumpHorizon"))
        });
    }

    function _tolerances(
        string memory path
    ) private view returns (Tolerances memory) {
        return Tolerances({
            delta: uint24(_number(path, "delta")),
            gamma: uint24(_number(path, "gamma")),
            vega: uint24(_number(path, "vega")),
            premium: uint24(_number(path, "premium")),
            vol: uint24(_number(path, "vol")),
            hedgeReach: uint16(_number(path, "hedgeReach")),
            hedgeSlack: uint24(_number(path, "hedgeSlack"))
        });
    }

    function _number(
        string memory path,
        string memory key
    ) private view returns (uint256) {
        return vm.parseJsonUint(_json, string.concat(path, key));
    }

    function _word(
        string memory path
    ) private view returns (bytes32) {
        return vm.parseJsonBytes32(_json, path);
    }

    function _vectorCompact() private view returns (ReportCore memory core, bytes32[] memory words) {
        core = ReportCore({
            head: ReportHead.wrap(uint256(_word(".compact.head"))),
            book: _word(".report.book"),
            model: _word(".report.model"),
            inputs: _word(".report.inputs")
        });
        words = vm.parseJsonBytes32Array(_json, ".compact.words");
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
