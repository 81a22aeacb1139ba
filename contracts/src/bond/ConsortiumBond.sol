// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISlashable} from "../interfaces/ISlashable.sol";
import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";

/// @title The consortium's pooled bond, in the chain's own currency
/// @notice Anyone may add to it in a member's name. Who takes its part out waits for longer than any report can be
/// challenged, and its part is at stake until then. A proof of fraud takes the whole pool: a share goes to the
/// challenger, the rest to a sink that no member controls, because a consortium that could prove against itself and
/// keep the rest would risk nothing.
/// @dev Shares, so that each holds a part of the pool. A seized pool starts a new generation, in which old shares are
/// nothing. The pool is counted, not read off the balance: ether that is forced in belongs to nobody and does not move
/// the price of a share.
contract ConsortiumBond is ReentrancyGuardTransient {
    /// @notice A part on its way out
    struct Unbonding {
        uint128 shares;
        uint64 generation;
        /// Unix seconds from which on it can be taken
        uint64 readyAt;
    }

    /// @notice Parts of 10,000
    uint256 public constant BASIS = 10_000;
    /// @notice Seconds: the least unbonding delay. A report can be challenged for 8 days after its observation, which
    /// may lie an hour ahead, whatever becomes of its key.
    uint256 public constant DELAY_MINIMUM = 9 days;
    /// @notice Seconds: the longest unbonding delay
    uint256 public constant DELAY_MAXIMUM = 365 days;

    /// @notice Seconds within which a part that can be taken must be: a part that could leave at any moment secures
    /// nothing
    uint256 public constant CLAIM_PERIOD = 2 days;

    /// @notice Whose proofs seize this bond
    ISlashable public immutable LEDGER;
    /// @notice Where goes what the challenger does not get
    address public immutable SINK;
    /// @notice The challenger's part, of {BASIS}
    uint256 public immutable REWARD;
    /// @notice Seconds from a request until its part can be taken
    uint256 public immutable DELAY;

    uint256 private _pool;
    uint256 private _totalShares;
    uint256 private _leavingShares;
    uint64 private _generation;
    uint64 private _seizedEpoch;
    mapping(uint256 generation => mapping(address account => uint256)) private _shares;
    mapping(address account => Unbonding) private _unbonding;
    mapping(address challenger => uint256) private _rewards;
    uint256 private _forfeited;

    event Bonded(address indexed account, address indexed payer, uint256 amount, uint256 shares);
    event UnbondingRequested(address indexed account, uint256 shares, uint256 readyAt);
    event UnbondingCancelled(address indexed account, uint256 shares);
    event Unbonded(address indexed account, uint256 amount, uint256 shares);
    event Seized(uint64 indexed epoch, address indexed challenger, uint256 reward, uint256 rest);
    event RewardPaid(address indexed challenger, uint256 amount);
    event Swept(uint256 amount);

    error DelayOutOfRange(uint256 delay, uint256 minimum, uint256 maximum);
    error RewardOutOfRange(uint256 reward, uint256 maximum);
    error AddressZero();
    error NothingToBond();
    error NotEnoughShares(uint256 wanted, uint256 held);
    error NothingUnbonding(address account);
    error UnbondingTooEarly(uint256 readyAt, uint256 timestamp);
    error UnbondingLapsed(uint256 until, uint256 timestamp);
    error SeizureOutstanding(uint64 epoch);
    error NothingToSeize(uint64 epoch);
    error NoReward(address account);
    error NothingToSweep();
    error PaymentFailed(address to, uint256 amount);

    /// @param reward The challenger's part of {BASIS}: above 0, and below all of it
    constructor(
        ISlashable ledger,
        address sink,
        uint256 reward,
        uint256 delay
    ) {
        if (address(ledger) == address(0) || sink == address(0)) revert AddressZero();
        if (reward == 0 || reward >= BASIS) revert RewardOutOfRange(reward, BASIS);
        if (delay < DELAY_MINIMUM || delay > DELAY_MAXIMUM) {
            revert DelayOutOfRange(delay, DELAY_MINIMUM, DELAY_MAXIMUM);
        }
        (LEDGER, SINK, REWARD, DELAY) = (ledger, sink, reward, delay);
        _generation = 1;
    }

    /// @notice Adds what is sent to the pool, in the name of `account`.
    /// @return shares What it gets for it
    function bond(
        address account
    ) external payable returns (uint256 shares) {
        _requireSettled();
        if (account == address(0)) revert AddressZero();
        uint256 pool = _pool;
        // The pool is empty just where there are no shares: all of it is seized, and the last to leave takes the
        // remainder.
        shares = _totalShares == 0 ? msg.value : (msg.value * _totalShares) / pool;
        if (shares == 0) revert NothingToBond();
        _pool = pool + msg.value;
        _totalShares += shares;
        _shares[_generation][account] += shares;
        emit Bonded(account, msg.sender, msg.value, shares);
    }

    /// @notice Asks for a part back. It stays at stake until it is taken; another request starts the delay anew for
    /// both.
    function requestUnbonding(
        uint256 shares
    ) external {
        _requireSettled();
        uint64 generation = _generation;
        uint256 held = _shares[generation][msg.sender];
        if (shares == 0 || shares > held) revert NotEnoughShares(shares, held);
        Unbonding storage request = _unbonding[msg.sender];
        uint256 before = request.generation == generation ? request.shares : 0;
        _shares[generation][msg.sender] = held - shares;
        uint64 readyAt = uint64(block.timestamp + DELAY);
        _unbonding[msg.sender] =
            Unbonding({shares: uint128(before + shares), generation: generation, readyAt: readyAt});
        _leavingShares += shares;
        emit UnbondingRequested(msg.sender, before + shares, readyAt);
    }

    /// @notice Takes a request back; also one that has lapsed.
    function cancelUnbonding() external {
        Unbonding memory request = _unbondingOf(msg.sender);
        delete _unbonding[msg.sender];
        _shares[request.generation][msg.sender] += request.shares;
        _leavingShares -= request.shares;
        emit UnbondingCancelled(msg.sender, request.shares);
    }

    /// @notice Pays out a part whose delay has passed, unless a proof of fraud came before.
    /// @return amount Wei
    function unbond() external nonReentrant returns (uint256 amount) {
        _requireSettled();
        Unbonding memory request = _unbondingOf(msg.sender);
        if (block.timestamp < request.readyAt) revert UnbondingTooEarly(request.readyAt, block.timestamp);
        if (block.timestamp > request.readyAt + CLAIM_PERIOD) {
            revert UnbondingLapsed(request.readyAt + CLAIM_PERIOD, block.timestamp);
        }
        delete _unbonding[msg.sender];
        amount = (_pool * request.shares) / _totalShares;
        _pool -= amount;
        _totalShares -= request.shares;
        _leavingShares -= request.shares;
        emit Unbonded(msg.sender, amount, request.shares);
        _pay(msg.sender, amount);
    }

    /// @notice Takes the pool after a proof of fraud: a part for the challenger to collect, the rest to be swept into
    /// the sink. Anybody may call. A challenger should, at once: it would get nothing if another proof, in the epoch
    /// after, came before.
    /// @dev Pays nobody, so that neither a sink nor a challenger that takes no ether can hold a seizure up.
    function seize() external {
        uint64 epoch = LEDGER.lastSlashedEpoch();
        if (epoch <= _seizedEpoch) revert NothingToSeize(epoch);
        address challenger = LEDGER.challengerOf(epoch);
        uint256 pool = _pool;
        uint256 reward = (pool * REWARD) / BASIS;
        _seizedEpoch = epoch;
        (_pool, _totalShares, _leavingShares) = (0, 0, 0);
        ++_generation;
        _rewards[challenger] += reward;
        _forfeited += pool - reward;
        emit Seized(epoch, challenger, reward, pool - reward);
    }

    /// @notice Pays a challenger what it is owed.
    function collect() external nonReentrant {
        uint256 amount = _rewards[msg.sender];
        if (amount == 0) revert NoReward(msg.sender);
        _rewards[msg.sender] = 0;
        emit RewardPaid(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @notice Sends to {SINK} what was seized and belongs to no challenger. Anybody may call.
    function sweep() external nonReentrant {
        uint256 amount = _forfeited;
        if (amount == 0) revert NothingToSweep();
        _forfeited = 0;
        emit Swept(amount);
        _pay(SINK, amount);
    }

    /// @notice Wei at stake
    function pooled() external view returns (uint256) {
        return _pool;
    }

    /// @notice Wei that cannot leave before {DELAY} has passed: what a report accepted now is secured by. Nothing
    /// while a seizure is outstanding: that pool is lost already, for what was signed before.
    function secured() external view returns (uint256) {
        if (_totalShares == 0 || LEDGER.lastSlashedEpoch() > _seizedEpoch) return 0;
        return (_pool * (_totalShares - _leavingShares)) / _totalShares;
    }

    /// @notice All shares, those on their way out included
    function totalShares() external view returns (uint256) {
        return _totalShares;
    }

    /// @notice Shares of an account that are not on their way out
    function sharesOf(
        address account
    ) external view returns (uint256) {
        return _shares[_generation][account];
    }

    /// @notice An account's part on its way out, all zero where there is none
    function unbondingOf(
        address account
    ) external view returns (Unbonding memory request) {
        request = _unbonding[account];
        if (request.generation != _generation) delete request;
    }

    /// @notice Wei that a challenger can collect
    function rewardOf(
        address challenger
    ) external view returns (uint256) {
        return _rewards[challenger];
    }

    /// @notice Wei that {sweep} sends to the sink
    function forfeited() external view returns (uint256) {
        return _forfeited;
    }

    /// @dev The chains that this is compiled for all have transient storage; solady's guard would use it on Ethereum
    /// alone.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }

    function _pay(
        address to,
        uint256 amount
    ) private {
        (bool success,) = to.call{value: amount}("");
        if (!success) revert PaymentFailed(to, amount);
    }

    function _unbondingOf(
        address account
    ) private view returns (Unbonding memory request) {
        request = _unbonding[account];
        if (request.shares == 0 || request.generation != _generation) revert NothingUnbonding(account);
    }

    /// @dev Nothing moves between a proof of fraud and its seizure.
    function _requireSettled() private view {
        uint64 epoch = LEDGER.lastSlashedEpoch();
        if (epoch > _seizedEpoch) revert SeizureOutstanding(epoch);
    }
}
