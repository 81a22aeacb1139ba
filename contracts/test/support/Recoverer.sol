// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @dev OpenZeppelin's `ECDSA.recover` and nothing else, for tests that ask what others make of a signature.
contract Recoverer {
    function recover(
        bytes32 hash,
        bytes calldata signature
    ) external pure returns (address) {
        return ECDSA.recover(hash, signature);
    }
}
