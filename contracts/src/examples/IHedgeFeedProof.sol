// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../HedgeReport.sol";
import {IHedgeFeed} from "../interfaces/IHedgeFeed.sol";

/// @title A feed that also knows reports of which it keeps no more than the digest
interface IHedgeFeedProof is IHedgeFeed {
    /// @return Whether this is the report of that number, bit for bit, and final
    function proves(
        HedgeReport calldata report,
        uint256 sequence
    ) external view returns (bool);
}
