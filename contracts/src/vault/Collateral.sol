// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MarginMath} from "./MarginMath.sol";
import {Account} from "./VaultTypes.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Balances in one token, and the insurance fund
/// @notice One token unit stands for one unit of the quote currency of every feed. A token that takes a fee on a
/// transfer is refused at the deposit; one that changes balances by itself must not be used, because no contract can
/// tell the difference in time.
abstract contract Collateral is ReentrancyGuardTransient {
    using SafeCast for int256;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    uint256 private constant _MIN_DECIMALS = 6;
    uint256 private constant _MAX_DECIMALS = 18;

    // Divides products of quantity, forward and rate, see {MarginMath}
    uint256 private immutable _SCALE;
    IERC20 private immutable _TOKEN;

    mapping(address account => Account) internal _accounts;
    // Token units
    uint256 internal _insurance;

    event Deposited(address indexed from, address indexed account, uint256 amount);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);
    event InsuranceFunded(address indexed from, uint256 amount);
    event DebtRepaid(address indexed account, uint256 amount);

    error DecimalsOutOfRange(uint8 decimals);
    error AmountZero();
    error RecipientZero();
    error TransferFell(uint256 amount, uint256 received);
    error BalanceTooSmall(address account, int256 balance, uint256 amount);

    constructor(
        IERC20Metadata token_
    ) {
        uint8 decimals = token_.decimals();
        if (decimals < _MIN_DECIMALS || decimals > _MAX_DECIMALS) revert DecimalsOutOfRange(decimals);
        _TOKEN = token_;
        _SCALE = MarginMath.scaleOf(decimals);
    }

    /// @notice Moves tokens of the caller, who has approved them, into its account.
    /// @param amount Token units, above zero
    function deposit(
        uint256 amount
    ) external {
        depositFor(msg.sender, amount);
    }

    /// @notice Moves free collateral of the caller's account out.
    /// @dev Reverts in an auction, and where less than the initial margin would stay behind; a pause of a feed changes
    /// how much that is, and nothing else.
    /// @param amount Token units, above zero
    /// @param to Who gets the tokens
    function withdraw(
        uint256 amount,
        address to
    ) external nonReentrant {
        if (amount == 0) revert AmountZero();
        if (to == address(0)) revert RecipientZero();
        _debit(msg.sender, amount);
        _requireFree(msg.sender);
        emit Withdrawn(msg.sender, to, amount);
        _TOKEN.safeTransfer(to, amount);
    }

    /// @notice Gives tokens of the caller to the insurance fund, for good.
    /// @param amount Token units, above zero
    function fundInsurance(
        uint256 amount
    ) external nonReentrant {
        _receive(amount);
        _insurance += amount;
        emit InsuranceFunded(msg.sender, amount);
    }

    /// @notice The token that everything is counted in
    function token() external view returns (address) {
        return address(_TOKEN);
    }

    /// @notice Token units in the insurance fund
    function insurance() external view returns (uint256) {
        return _insurance;
    }

    /// @notice Balance, counts of positions and the auction's clock of an account
    function accountOf(
        address account
    ) external view returns (Account memory) {
        return _accounts[account];
    }

    /// @notice Moves tokens of the caller into anyone's account; a debt of that account is paid first.
    /// @dev Always open: in an auction, while feeds are paused, after expiry.
    /// @param account Whose balance grows
    /// @param amount Token units, above zero
    function depositFor(
        address account,
        uint256 amount
    ) public nonReentrant {
        if (account == address(0)) revert RecipientZero();
        _receive(amount);
        _credit(account, amount);
        emit Deposited(msg.sender, account, amount);
    }

    /// @dev What a debtor gets goes to the insurance fund, which stood in for it, until the debt is paid.
    function _credit(
        address account,
        uint256 amount
    ) internal {
        Account storage holder = _accounts[account];
        int256 balance = holder.balance;
        if (balance < 0) {
            uint256 debt = uint256(-balance);
            uint256 repaid = amount < debt ? amount : debt;
            _insurance += repaid;
            emit DebtRepaid(account, repaid);
        }
        holder.balance = (balance + amount.toInt256()).toInt128();
    }

    function _debit(
        address account,
        uint256 amount
    ) internal {
        Account storage holder = _accounts[account];
        int256 balance = holder.balance;
        if (balance < amount.toInt256() && amount > 0) revert BalanceTooSmall(account, balance, amount);
        // At most the balance, which is an int128.
        holder.balance = int128(balance - int256(amount));
    }

    /// @dev Reverts in an auction, or where the account is not initially margined.
    function _requireFree(
        address account
    ) internal view virtual;

    /// @dev Token units of a quantity at a price and a rate, see {MarginMath}.
    function _amountDown(
        uint256 quantity,
        uint256 price,
        uint256 rate
    ) internal view returns (uint256) {
        return MarginMath.amountDown(quantity, price, rate, _SCALE);
    }

    function _amountUp(
        uint256 quantity,
        uint256 price,
        uint256 rate
    ) internal view returns (uint256) {
        return MarginMath.amountUp(quantity, price, rate, _SCALE);
    }

    function _receive(
        uint256 amount
    ) private {
        if (amount == 0) revert AmountZero();
        uint256 before = _TOKEN.balanceOf(address(this));
        _TOKEN.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = _TOKEN.balanceOf(address(this)) - before;
        if (received != amount) revert TransferFell(amount, received);
    }
}
