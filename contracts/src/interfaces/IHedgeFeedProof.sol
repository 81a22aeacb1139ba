// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport} from "../HedgeReport.sol";
import {IHedgeFeed} from "./IHedgeFeed.sol";

/// @title A feed that also knows reports of which it keeps no more than the digest
interface IHedgeFeedProof is IHedgeFeed {
    /// @notice Whether a report is the one of that number, bit for bit.
    /// @dev Require its book to be registered, too (`bookIdOf`), and as many params as the book has: nobody could have
    /// challenged it otherwise.
    /// @return isAccepted It is; its challenge window may still be open
    /// @return isFinal And the window has passed
    function proves(
        HedgeReport calldata report,
        uint256 sequence
    ) external view returns (bool isAccepted, bool isFinal);
}
