// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Auction} from "./Auction.sol";
import {Collateral} from "./Collateral.sol";
import {Expiry} from "./Expiry.sol";
import {Feeds} from "./Feeds.sol";
import {Settlement} from "./Settlement.sol";
import {Trading} from "./Trading.sol";
import {VaultConfig} from "./VaultTypes.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

/// @title Cash-settled European options, margined from final reports only
/// @notice Collateral in one token, options of one or several consortiums' ledgers. No owner, no upgrade, nothing that
/// anyone can change afterwards.
/// @dev Its parts: {Collateral} balances; {Feeds} readings; {Positions} who holds what; {Settlement} and {Expiry}
/// the end of an instrument; {Margin} what must stay; {Trading} opening and closing; {Auction} liquidation.
///
/// At all times the vault has at least as many tokens as positive balances, insurance fund and pools together.
///
/// What it does not do. Final reports are as old as their challenge window: whoever knows better what the market has
/// done since then can open, withdraw and bid at the older reading, and initial margins have to cover what it moves in
/// that time and an auction's. The feeds' reports must stay valid for longer than their challenge window, or no
/// reading is ever fresh. A short that grows in time is liquidated one such window later. Whoever signs a feed's
/// reports decides what its instruments are worth, and so over the accounts that trade them and over the insurance
/// fund, which is one for all feeds: feeds that are not trusted alike belong in vaults of their own. No loss reaches
/// the balance of an account that has nothing of the feed.
contract MarginVault is Trading, Auction, Expiry {
    /// @param token_ The collateral: an ERC-20 of 6 to 18 decimals without fees or rebasing
    /// @param feeds_ One to eight ledgers
    /// @param config Times and rates
    constructor(
        IERC20Metadata token_,
        address[] memory feeds_,
        VaultConfig memory config
    ) Collateral(token_) Feeds(feeds_) Settlement(config) Auction(config) {}
}
