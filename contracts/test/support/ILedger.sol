// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {HedgeReport, ReportCore, SignedHeader} from "../../src/HedgeReport.sol";
import {IGovernedFeed} from "../../src/interfaces/IGovernedFeed.sol";
import {IHedgeFeedProof} from "../../src/interfaces/IHedgeFeedProof.sol";
import {Law, Tolerances} from "../../src/interfaces/IReportJudge.sol";
import {ISettlementEvents} from "../../src/interfaces/ISettlementEvents.sol";
import {ISlashable} from "../../src/interfaces/ISlashable.sol";
import {Config} from "../../src/ledger/Config.sol";
import {RoundLedger} from "../../src/ledger/RoundLedger.sol";
import {ParamWord} from "../../src/types/ParamWord.sol";

/// @dev The settlement contract as tests call it. Importing the contract itself would send every test through the
/// compiler's IR pipeline, which takes minutes.
interface ILedger is IHedgeFeedProof, IGovernedFeed, ISlashable, ISettlementEvents {
    function settle(
        ReportCore calldata core,
        bytes32[] calldata words,
        bytes32 r,
        bytes32 vs
    ) external returns (bool);

    function settleAndStore(
        ReportCore calldata core,
        bytes32[] calldata words,
        bytes32 r,
        bytes32 vs
    ) external returns (bool);

    function store(
        ReportCore calldata core,
        bytes32[] calldata words,
        uint256 sequence
    ) external;

    function challenge(
        HedgeReport calldata report,
        bytes calldata signature,
        Law law,
        uint256[] calldata instrumentIds
    ) external payable returns (bool);

    function equivocate(
        SignedHeader calldata one,
        SignedHeader calldata other
    ) external;

    function sweep() external;

    function isValidSignature(
        bytes32 hash,
        bytes calldata signature
    ) external view returns (bytes4);

    function accepted(
        uint256 sequence
    ) external view returns (uint256 digest216, uint256 acceptedAt, bool isFinal);

    function snapshot(
        uint256 sequence,
        uint256 start,
        uint256 count
    ) external view returns (uint64 round, uint256 bookId, uint256 acceptedAt, ParamWord[] memory params);

    function digestOf(
        HedgeReport calldata report
    ) external view returns (bytes32);

    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        );

    function status() external view returns (RoundLedger.Status memory);
    function config() external view returns (Config memory);
    function tolerances() external view returns (Tolerances memory);
    function tolerancesAt(
        uint256 time
    ) external view returns (Tolerances memory);
    function tolerancesSince() external view returns (uint256);
    function pace() external view returns (uint256);
    function storedPace() external view returns (uint256);
    function latestRound() external view returns (uint64);
    function finalSequence() external view returns (uint256);
    function groupKey() external view returns (address);
    function epoch() external view returns (uint64);
    function previousKey() external view returns (address key, uint64 keyEpoch, uint256 until);
    function consortium() external view returns (bytes32);
    function domainSeparator() external view returns (bytes32);
    function OVERLAP_LIMIT() external view returns (uint256);
    function CHALLENGE_HORIZON() external view returns (uint256);
    function CHALLENGE_BOND() external view returns (uint256);
}
