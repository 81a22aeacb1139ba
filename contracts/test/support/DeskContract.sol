// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HonestDesk} from "../judge/support/HonestDesk.sol";
import {WordPacker} from "./WordPacker.sol";

/// @dev {HonestDesk} behind a call: the compiler's IR pipeline runs out of stack where it is laid into a test.
contract DeskContract {
    function word(
        HonestDesk.Option calldata option
    ) external pure returns (bytes32) {
        HonestDesk.Errors memory none;
        HonestDesk.Option memory copied = option;
        return WordPacker.param(HonestDesk.param(copied, none));
    }
}
