// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IHedgeFeed} from "../interfaces/IHedgeFeed.sol";
import {FeedAdapter} from "./FeedAdapter.sol";
import {Field} from "./Field.sol";
import {LibClone} from "solady/utils/LibClone.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title Makes {FeedAdapter}s: one per feed, instrument and field, at an address that follows from these
/// @notice Open to anyone, without an owner. It vouches for no feed: check that {FeedAdapter-feed} is the consortium's
/// contract before relying on an adapter.
contract FeedAdapterFactory {
    /// @notice The code that all adapters of this factory run
    // solhint-disable-next-line immutable-vars-naming
    address public immutable implementation;

    event AdapterCreated(address indexed adapter, IHedgeFeed indexed feed, uint256 indexed instrumentId, Field field);

    error FeedHasNoCode(IHedgeFeed feed);

    constructor() {
        implementation = address(new FeedAdapter());
    }

    /// @notice Makes an adapter, or gives the one that is there already.
    /// @dev Reverts with {FeedHasNoCode}, and as {IInstrumentRegistry-instrument} does where the feed knows no such
    /// instrument.
    /// @param feed A consortium's ledger
    /// @param instrumentId The instrument's number there
    /// @param field What of it the adapter answers with
    function create(
        IHedgeFeed feed,
        uint256 instrumentId,
        Field field
    ) external returns (FeedAdapter) {
        if (address(feed).code.length == 0) revert FeedHasNoCode(feed);
        feed.instrument(instrumentId);
        (bool known, address adapter) =
            LibClone.createDeterministicClone(implementation, _arguments(feed, instrumentId, field), bytes32(0));
        if (!known) emit AdapterCreated(adapter, feed, instrumentId, field);
        return FeedAdapter(adapter);
    }

    /// @notice Where the adapter is, or would be: it is there if the address has code.
    function adapterOf(
        IHedgeFeed feed,
        uint256 instrumentId,
        Field field
    ) external view returns (FeedAdapter) {
        return FeedAdapter(
            LibClone.predictDeterministicAddress(
                implementation, _arguments(feed, instrumentId, field), bytes32(0), address(this)
            )
        );
    }

    /// @dev One word, as {FeedAdapter} reads it; registries number from 1 on, so that 88 bits are never used up.
    function _arguments(
        IHedgeFeed feed,
        uint256 instrumentId,
        Field field
    ) private pure returns (bytes memory) {
        return abi.encodePacked(feed, SafeCastLib.toUint88(instrumentId), field);
    }
}
