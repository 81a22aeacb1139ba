// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Order} from "./VaultTypes.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {EIP712} from "solady/utils/EIP712.sol";

/// @title Orders that makers sign
/// @notice A maker signs by EIP-712, with a key or as a contract (ERC-1271), how much it would trade at which price;
/// others take all of it or parts, until it is filled, expired or cancelled. Nothing else is kept of an order than its
/// fills.
abstract contract Orders is EIP712 {
    bytes32 private constant _ORDER_TYPE_HASH = keccak256(
        "Order(address maker,address taker,address feed,uint64 instrument,bool isBuy,bool reduceOnly,"
        "uint96 quantity,uint128 price,uint256 salt,uint64 deadline)"
    );
    // More than any order's quantity leaves to fill
    uint256 private constant _CANCELLED = type(uint256).max;

    mapping(bytes32 digest => uint256) private _filled;

    event OrderCancelled(bytes32 indexed digest, address indexed maker);

    error QuantityZero();
    error OrderExpired(uint256 deadline);
    error TakerNotAllowed(address taker);
    error OwnOrder();
    error NotMaker(address caller);
    error OrderIsCancelled(bytes32 digest);
    error OrderOverfilled(bytes32 digest, uint256 left, uint256 quantity);
    error SignatureInvalid(address maker);

    /// @notice Makes an order untakeable for good; its maker only.
    function cancel(
        Order calldata order
    ) external {
        if (msg.sender != order.maker) revert NotMaker(msg.sender);
        bytes32 digest = orderDigest(order);
        _filled[digest] = _CANCELLED;
        emit OrderCancelled(digest, order.maker);
    }

    /// @notice How much of an order has been taken, 1e-8 of an option; the largest number where it was cancelled
    function filledOf(
        bytes32 digest
    ) external view returns (uint256) {
        return _filled[digest];
    }

    /// @notice EIP-712 domain separator; {eip712Domain} has its parts
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparator();
    }

    /// @notice What a maker signs
    function orderDigest(
        Order calldata order
    ) public view returns (bytes32) {
        bytes32 typeHash = _ORDER_TYPE_HASH;
        bytes32 structHash;
        // The order's ten fields are words in the type's order, so that its calldata is EIP-712's encoding; the
        // compiler would clean and copy them one by one. Dirty bits give a digest that nobody signed.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let encoded := mload(0x40)
            mstore(encoded, typeHash)
            calldatacopy(add(encoded, 0x20), order, 0x140)
            structHash := keccak256(encoded, 0x160)
        }
        return _hashTypedData(structHash);
    }

    /// @dev Checks all of an order that needs no balance, and books the fill.
    function _fill(
        Order calldata order,
        bytes calldata signature,
        uint256 quantity
    ) internal returns (bytes32 digest) {
        if (quantity == 0) revert QuantityZero();
        if (block.timestamp > order.deadline) revert OrderExpired(order.deadline);
        if (order.taker != address(0) && order.taker != msg.sender) revert TakerNotAllowed(msg.sender);
        if (order.maker == msg.sender) revert OwnOrder();
        digest = orderDigest(order);
        uint256 filled = _filled[digest];
        if (filled == _CANCELLED) revert OrderIsCancelled(digest);
        if (quantity > order.quantity - filled) revert OrderOverfilled(digest, order.quantity - filled, quantity);
        _filled[digest] = filled + quantity;
        if (!SignatureChecker.isValidSignatureNowCalldata(order.maker, digest, signature)) {
            revert SignatureInvalid(order.maker);
        }
    }

    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("Margin Vault", "1");
    }
}
