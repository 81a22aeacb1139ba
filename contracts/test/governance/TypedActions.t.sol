// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsortiumMembers} from "../../src/governance/ConsortiumMembers.sol";
import {MembersFixture} from "./MembersFixture.sol";

/// @dev What members sign, hashed from the JSON that a wallet is shown (`eth_signTypedData_v4`) by an implementation
/// that has nothing to do with ours; and that the contract then does it.
contract TypedActionsTest is MembersFixture {
    // Forge's chain; the IR pipeline may read `block.chainid` only after it was changed.
    uint256 private constant _HOME = 31_337;

    function test_rotateGroupKey() public {
        address key = makeAddr("new key");
        string memory types = string.concat(
            _type("RotateGroupKey"),
            _field("feed", "address"),
            _field("newGroupKey", "address"),
            _field("newEpoch", "uint64"),
            _field("overlap", "uint256"),
            _saltAndDeadline()
        );
        string memory message = string.concat(
            _member("feed", vm.toString(address(feed))),
            _member("newGroupKey", vm.toString(key)),
            _member("newEpoch", "4"),
            _member("overlap", "3600"),
            _saltAndDeadlineMembers()
        );
        bytes32 structHash = _rotateHash(feed, key, 4, 3600, SALT, START);
        _scheduleBy(structHash, _digest("RotateGroupKey", types, message));
        vm.expectEmit(address(members));
        emit ConsortiumMembers.ActionExecuted(structHash);
        members.rotateGroupKey(feed, key, 4, 3600, SALT, START);
        assertEq(feed.groupKey(), key);
        assertEq(feed.epoch(), 4);
        assertEq(feed.overlap(), 3600);
        assertEq(feed.caller(), address(members));
    }

    function test_setParameters() public {
        string memory types = string.concat(
            _type("SetParameters"),
            _field("feed", "address"),
            _field("config", "Config"),
            _field("tolerances", "Tolerances"),
            _saltAndDeadline(),
            ",",
            _configType(),
            ",",
            _tolerancesType()
        );
        string memory message = string.concat(
            _member("feed", vm.toString(address(feed))),
            "\"config\":{\"maxAge\":1,\"maxFutureSkew\":2,\"maxValidity\":3,\"challengeWindow\":4,\"maxInstruments\":5,"
            "\"maxJump\":6,\"jumpHorizon\":7},\"tolerances\":{\"delta\":2000,\"gamma\":32000,\"vega\":2000,"
            "\"premium\":2000,\"vol\":8000,\"hedgeReach\":800,\"hedgeSlack\":20000},",
            _saltAndDeadlineMembers()
        );
        _scheduleBy(
            _parametersHash(feed, _config(), _tolerances(), SALT, START), _digest("SetParameters", types, message)
        );
        members.setParameters(feed, _config(), _tolerances(), SALT, START);
        assertEq(feed.parametersHash(), keccak256(abi.encode(_config(), _tolerances())));
        assertEq(feed.caller(), address(members));
    }

    function test_unpause() public {
        _pause(feed);
        string memory types = string.concat(_type("Unpause"), _field("feed", "address"), _saltAndDeadline());
        string memory message = string.concat(_member("feed", vm.toString(address(feed))), _saltAndDeadlineMembers());
        _scheduleBy(_unpauseHash(feed, SALT, START), _digest("Unpause", types, message));
        members.unpause(feed, SALT, START);
        assertFalse(feed.paused());
    }

    function test_setMembers() public {
        string memory types = string.concat(
            _type("SetMembers"), _field("members", "address[]"), _field("quorum", "uint256"), _saltAndDeadline()
        );
        string memory message = string.concat(
            "\"members\":[\"0x0000000000000000000000000000000000001000\","
            "\"0x0000000000000000000000000000000000001001\"],",
            _member("quorum", "2"),
            _saltAndDeadlineMembers()
        );
        _scheduleBy(_membersHash(_addresses(2), 2, SALT, START), _digest("SetMembers", types, message));
        vm.expectEmit(address(members));
        emit ConsortiumMembers.MembersSet(_addresses(2), 2);
        members.setMembers(_addresses(2), 2, SALT, START);
        assertEq(members.members(), _addresses(2));
        assertEq(members.quorum(), 2);
        assertFalse(members.isMember(memberAddresses[0]));
        assertTrue(members.isMember(_addresses(2)[1]));
    }

    function test_cancelAction() public {
        bytes32 action = _action();
        string memory types = string.concat(_type("CancelAction"), "{\"name\":\"action\",\"type\":\"bytes32\"}]");
        bytes32 digest = _digest("CancelAction", types, string.concat("\"action\":\"", vm.toString(action), "\""));
        (address[] memory signers, bytes[] memory signatures) = _sign(digest);
        vm.expectEmit(address(members));
        emit ConsortiumMembers.ActionCancelled(action);
        members.cancel(action, signers, signatures);
        assertTrue(members.scheduled(action).done);
    }

    /// @dev A signature for the consortium's contract on one chain is none on a fork of it, nor for another contract.
    function test_theDomainIsOfOneChainAndContract() public {
        (address[] memory signers, bytes[] memory signatures) = _approvals(_action(), QUORUM);
        ConsortiumMembers twin = new ConsortiumMembers(memberAddresses, QUORUM, DELAY);
        bytes memory refusal =
            abi.encodeWithSelector(ConsortiumMembers.SignatureInvalid.selector, 0, memberAddresses[0]);
        bytes32 action = _action();
        vm.expectRevert(refusal);
        twin.schedule(action, signers, signatures);
        vm.chainId(_HOME + 1);
        vm.expectRevert(refusal);
        members.schedule(action, signers, signatures);
        _schedule(action);
        vm.chainId(_HOME);
        assertNotEq(members.scheduled(action).since, 0, "signed anew for the fork, it counts there");
    }

    function test_theDomainIsPublished() public view {
        (, string memory name, string memory version, uint256 chainId, address verifier,,) = members.eip712Domain();
        assertEq(name, "MPC Hedge Members");
        assertEq(version, "1");
        assertEq(chainId, block.chainid);
        assertEq(verifier, address(members));
    }

    /// @dev Each argument of an action is signed: changed, it is another action, which nobody has scheduled.
    function testFuzz_everyArgumentIsSigned(
        uint8 which,
        uint256 noise
    ) public {
        noise = bound(noise, 1, type(uint32).max);
        address key = makeAddr("new key");
        _decide(_rotateHash(feed, key, 4, 3600, SALT, START));
        which = uint8(bound(which, 0, 4));
        address otherKey = which == 0 ? address(uint160(key) ^ uint160(noise)) : key;
        uint64 epoch = which == 1 ? uint64(4 ^ noise) : 4;
        uint256 overlap = which == 2 ? 3600 ^ noise : 3600;
        bytes32 salt = which == 3 ? SALT ^ bytes32(noise) : SALT;
        uint256 deadline = which == 4 ? START ^ noise : START;
        bytes32 action = _rotateHash(feed, otherKey, epoch, overlap, salt, deadline);
        vm.expectRevert(abi.encodeWithSelector(ConsortiumMembers.ActionNotScheduled.selector, action));
        members.rotateGroupKey(feed, otherKey, epoch, overlap, salt, deadline);
    }

    /// @dev Schedules by signatures over a digest that was found otherwise, and waits.
    function _scheduleBy(
        bytes32 structHash,
        bytes32 digest
    ) private {
        assertEq(_memberDigest(structHash), digest, "the fixture hashes as the wallet does");
        (address[] memory signers, bytes[] memory signatures) = _sign(digest);
        vm.expectEmit(address(members));
        emit ConsortiumMembers.ActionScheduled(structHash, START + DELAY);
        members.schedule(structHash, signers, signatures);
        vm.warp(START + DELAY);
    }

    function _sign(
        bytes32 digest
    ) private view returns (address[] memory signers, bytes[] memory signatures) {
        (signers, signatures) = (new address[](QUORUM), new bytes[](QUORUM));
        for (uint256 i = 0; i < QUORUM; ++i) {
            (signers[i], signatures[i]) = (memberAddresses[i], _signature(memberKeys[i], digest));
        }
    }

    function _digest(
        string memory primaryType,
        string memory types,
        string memory message
    ) private view returns (bytes32) {
        string memory domainType = string.concat(
            _type("EIP712Domain"),
            _field("name", "string"),
            _field("version", "string"),
            _field("chainId", "uint256"),
            "{\"name\":\"verifyingContract\",\"type\":\"address\"}],"
        );
        string memory domain = string.concat(
            "{\"name\":\"MPC Hedge Members\",\"version\":\"1\",\"chainId\":",
            vm.toString(block.chainid),
            ",\"verifyingContract\":\"",
            vm.toString(address(members)),
            "\"}"
        );
        return vm.eip712HashTypedData(
            string.concat(
                string.concat("{\"types\":{", domainType, types, "},\"primaryType\":\"", primaryType),
                string.concat("\",\"domain\":", domain, ",\"message\":{", message, "}}")
            )
        );
    }

    function _configType() private pure returns (string memory) {
        return string.concat(
            string.concat(
                _type("Config"),
                _field("maxAge", "uint16"),
                _field("maxFutureSkew", "uint16"),
                _field("maxValidity", "uint24"),
                _field("challengeWindow", "uint24")
            ),
            _field("maxInstruments", "uint16"),
            _field("maxJump", "uint16"),
            "{\"name\":\"jumpHorizon\",\"type\":\"uint16\"}]"
        );
    }

    function _tolerancesType() private pure returns (string memory) {
        return string.concat(
            string.concat(
                _type("Tolerances"),
                _field("delta", "uint24"),
                _field("gamma", "uint24"),
                _field("vega", "uint24"),
                _field("premium", "uint24")
            ),
            _field("vol", "uint24"),
            _field("hedgeReach", "uint16"),
            "{\"name\":\"hedgeSlack\",\"type\":\"uint24\"}]"
        );
    }

    function _type(
        string memory name
    ) private pure returns (string memory) {
        return string.concat("\"", name, "\":[");
    }

    function _field(
        string memory name,
        string memory kind
    ) private pure returns (string memory) {
        return string.concat("{\"name\":\"", name, "\",\"type\":\"", kind, "\"},");
    }

    function _saltAndDeadline() private pure returns (string memory) {
        return string.concat(_field("salt", "bytes32"), "{\"name\":\"deadline\",\"type\":\"uint256\"}]");
    }

    function _member(
        string memory name,
        string memory value
    ) private pure returns (string memory) {
        return string.concat("\"", name, "\":\"", value, "\",");
    }

    function _saltAndDeadlineMembers() private pure returns (string memory) {
        return string.concat("\"salt\":\"", vm.toString(SALT), "\",\"deadline\":\"", vm.toString(START), "\"");
    }
}
