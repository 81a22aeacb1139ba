// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Chainlink's interface of a price feed, as published, with the older `latestAnswer` beside it
/// @dev Signatures as in Chainlink's AggregatorV3Interface and AggregatorInterface.
// solhint-disable-next-line interface-starts-with-i
interface AggregatorV3Interface {
    function decimals() external view returns (uint8);

    function description() external view returns (string memory);

    function version() external view returns (uint256);

    function getRoundData(
        uint80 roundId_
    )
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    function latestAnswer() external view returns (int256);
}
