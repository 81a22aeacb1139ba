// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MarginVault} from "../../../src/vault/MarginVault.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

contract MockToken is ERC20("Quote", "QUO") {
    uint8 private immutable _DECIMALS;

    constructor(
        uint8 decimals_
    ) {
        _DECIMALS = decimals_;
    }

    function mint(
        address to,
        uint256 amount
    ) external {
        _mint(to, amount);
    }

    function decimals() public view override returns (uint8) {
        return _DECIMALS;
    }
}

/// @dev Keeps one unit of every transfer.
contract FeeToken is MockToken(6) {
    function _update(
        address from,
        address to,
        uint256 amount
    ) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0)) super._update(to, address(0), 1);
    }
}

/// @dev Says no, and moves nothing.
contract FalseToken is MockToken(6) {
    function transferFrom(
        address,
        address,
        uint256
    ) public pure override returns (bool) {
        return false;
    }
}

/// @dev Returns nothing, as old tokens do.
contract SilentToken {
    mapping(address => uint256) public balanceOf;

    function mint(
        address to,
        uint256 amount
    ) external {
        balanceOf[to] += amount;
    }

    function transferFrom(
        address from,
        address to,
        uint256 amount
    ) external {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }

    function transfer(
        address to,
        uint256 amount
    ) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function decimals() external pure returns (uint8) {
        return 6;
    }
}

/// @dev Calls the vault back in the middle of a transfer, as a token with hooks would for whoever registers one.
contract ReentrantToken is MockToken(6) {
    bytes private _call;
    address private _target;
    bool public refused;
    bytes public answer;

    function arm(
        address target,
        bytes calldata call_
    ) external {
        (_target, _call) = (target, call_);
    }

    function _update(
        address from,
        address to,
        uint256 amount
    ) internal override {
        super._update(from, to, amount);
        if (_target == address(0)) return;
        address target = _target;
        _target = address(0);
        bool success;
        (success, answer) = target.call(_call);
        refused = !success;
    }
}

/// @dev A maker that is a contract: it has signed what it was told to.
contract ContractMaker {
    bytes32 public digest;

    function approve(
        MarginVault vault,
        MockToken token,
        uint256 amount,
        bytes32 digest_
    ) external {
        digest = digest_;
        token.approve(address(vault), amount);
        vault.deposit(amount);
    }

    function isValidSignature(
        bytes32 hash,
        bytes calldata
    ) external view returns (bytes4) {
        return hash == digest ? this.isValidSignature.selector : bytes4(0);
    }
}
