// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AggregatorV3Interface} from "../../src/interfaces/AggregatorV3Interface.sol";

/// @dev What protocols on Chainlink's interface do with an answer, checked arithmetic included.
contract ChainlinkConsumer {
    AggregatorV3Interface private immutable _SOURCE;
    uint256 private immutable _HEARTBEAT;

    error PriceNotPositive(int256 answer);
    error RoundNotComplete();
    error Stale(uint256 age);

    constructor(
        AggregatorV3Interface source,
        uint256 heartbeat
    ) {
        _SOURCE = source;
        _HEARTBEAT = heartbeat;
    }

    function price() external view returns (uint256) {
        (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound) =
            _SOURCE.latestRoundData();
        if (answer <= 0) revert PriceNotPositive(answer);
        if (startedAt == 0 || updatedAt == 0 || answeredInRound < roundId) revert RoundNotComplete();
        if (block.timestamp - updatedAt > _HEARTBEAT) revert Stale(block.timestamp - updatedAt);
        // casting to 'uint256' is safe because it is above zero
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint256(answer);
    }

    /// @dev Catches strings alone, as written for a feed that knows no custom errors.
    function caught() external view returns (string memory reason) {
        try _SOURCE.latestRoundData() returns (uint80, int256, uint256, uint256, uint80) {
            return "";
        } catch Error(string memory message) {
            return message;
        }
    }
}
