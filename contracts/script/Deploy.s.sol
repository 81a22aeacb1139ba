// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Founding} from "../src/Founding.sol";
import {IConsortiumMembers} from "../src/interfaces/IConsortiumMembers.sol";
import {IReportJudge, Tolerances} from "../src/interfaces/IReportJudge.sol";
import {ToleranceFloors} from "../src/judge/ToleranceFloors.sol";
import {Config} from "../src/ledger/Config.sol";
import {VaultConfig} from "../src/vault/VaultTypes.sol";
import {Script} from "forge-std/Script.sol";
// solhint-disable-next-line no-console
import {console} from "forge-std/console.sol";

/// @title Deploys a consortium's judge, members, ledger and bond, and a margin vault for a collateral
/// @notice They come to stand where `mpc-coordinator deploy` puts them. The code is that of the checked-in artifacts,
/// byte for byte, and is created by the deterministic deployment proxy. (A `new X{salt: ...}` here would compile X
/// with this script's settings, which are not the artifacts', and so give other addresses.) What stands at its address
/// already is kept: the script can be run again.
///
///   CONSORTIUM=0x... GROUP_KEY=0x... EPOCH=1 MEMBERS=0x...,0x...,0x... QUORUM=2 forge script script/Deploy.s.sol
///     --rpc-url ... --broadcast
///
/// All else has the defaults of `mpc-coordinator deploy`; see {_inputs} for the names.
contract Deploy is Script {
    /// @notice A consortium's file, as far as contracts know it, and the operator's choices
    struct Inputs {
        bytes32 consortium;
        address groupKey;
        uint64 epoch;
        address[] members;
        uint256 quorum;
        uint256 actionDelay;
        Config config;
        Tolerances tolerances;
        uint256 challengeBond;
        address sink;
        uint256 reward;
        uint256 bondDelay;
        bytes32 salt;
        /// Of the vault; zero for none
        address collateral;
    }

    error ProxyMissing(address proxy);
    error NotCreated(string name, address expected);

    /// @notice Reads the environment and deploys what is missing.
    function run() external returns (address judge, address members, address ledger, address bond, address vault) {
        return deploy(_inputs());
    }

    function deploy(
        Inputs memory inputs
    ) public returns (address judge, address members, address ledger, address bond, address vault) {
        if (CREATE2_FACTORY.code.length == 0) revert ProxyMissing(CREATE2_FACTORY);
        judge = _create(inputs.salt, "ReportJudge", "");
        members =
            _create(inputs.salt, "ConsortiumMembers", abi.encode(inputs.members, inputs.quorum, inputs.actionDelay));
        ledger = _create(
            inputs.salt,
            "HedgeSettlement",
            abi.encode(
                Founding({
                    consortium: inputs.consortium,
                    groupKey: inputs.groupKey,
                    epoch: inputs.epoch,
                    members: IConsortiumMembers(members),
                    config: inputs.config,
                    tolerances: inputs.tolerances,
                    judge: IReportJudge(judge),
                    challengeBond: inputs.challengeBond,
                    sink: inputs.sink
                })
            )
        );
        bond = _create(inputs.salt, "ConsortiumBond", abi.encode(ledger, inputs.sink, inputs.reward, inputs.bondDelay));
        if (inputs.collateral != address(0)) {
            address[] memory feeds = new address[](1);
            feeds[0] = ledger;
            vault = _create(inputs.salt, "MarginVault", abi.encode(inputs.collateral, feeds, _vaultConfig()));
        }
    }

    function _create(
        bytes32 salt,
        string memory name,
        bytes memory arguments
    ) private returns (address created) {
        string memory artifact = vm.readFile(string.concat("artifacts/", name, ".json"));
        bytes memory creation = abi.encodePacked(vm.parseJsonBytes(artifact, ".bytecode"), arguments);
        created = vm.computeCreate2Address(salt, keccak256(creation), CREATE2_FACTORY);
        if (created.code.length != 0) {
            // solhint-disable-next-line no-console
            console.log(name, created, "was there already");
            return created;
        }
        vm.broadcast();
        // The proxy takes no ABI: a salt and the code behind it.
        // solhint-disable-next-line avoid-low-level-calls
        (bool success,) = CREATE2_FACTORY.call(abi.encodePacked(salt, creation));
        if (!success || created.code.length == 0) revert NotCreated(name, created);
        // solhint-disable-next-line no-console
        console.log(name, created);
    }

    function _inputs() private view returns (Inputs memory inputs) {
        inputs.consortium = vm.envBytes32("CONSORTIUM");
        inputs.groupKey = vm.envAddress("GROUP_KEY");
        inputs.epoch = uint64(vm.envUint("EPOCH"));
        inputs.members = vm.envAddress("MEMBERS", ",");
        inputs.quorum = vm.envUint("QUORUM");
        inputs.actionDelay = vm.envOr("ACTION_DELAY", uint256(1 days));
        inputs.challengeBond = vm.envOr("CHALLENGE_BOND", uint256(0.1 ether));
        inputs.sink = vm.envOr("SINK", address(0xdEaD));
        inputs.reward = vm.envOr("REWARD", uint256(2000));
        inputs.bondDelay = vm.envOr("BOND_DELAY", uint256(10 days));
        inputs.collateral = vm.envOr("COLLATERAL", address(0));
        inputs.config = _config();
        inputs.tolerances = _tolerances();
        // As `mpc-coordinator deploy` makes it of the consortium's identity and --salt.
        inputs.salt =
            keccak256(abi.encodePacked("mpc-hedge/deployment/v1", inputs.consortium, vm.envOr("SALT", uint256(0))));
    }

    /// @dev From the consortium file's [program].
    function _config() private view returns (Config memory) {
        uint256 validity = vm.envOr("REPORT_VALIDITY", uint256(1 hours));
        return Config({
            maxAge: uint16(validity < 1 hours ? validity : 1 hours),
            maxFutureSkew: 60,
            maxValidity: uint24(validity),
            challengeWindow: uint24(vm.envOr("CHALLENGE_WINDOW", uint256(600))),
            maxInstruments: uint16(vm.envOr("MAX_INSTRUMENTS", uint256(680))),
            maxJump: 1500,
            jumpHorizon: 900
        });
    }

    /// @dev Parties that compute with fewer than 16 fraction bits are as much coarser: {ToleranceFloors}.
    function _tolerances() private view returns (Tolerances memory tolerances) {
        tolerances = ToleranceFloors.defaults();
        uint256 bits = vm.envOr("FRACTION_BITS", uint256(16));
        uint24 scale = uint24(1 << (bits < 16 ? 16 - bits : 0));
        tolerances.delta *= scale;
        tolerances.gamma *= scale;
        tolerances.vega *= scale;
        tolerances.premium *= scale;
        tolerances.vol *= scale;
        tolerances.hedgeSlack *= scale;
    }

    function _vaultConfig() private pure returns (VaultConfig memory) {
        return VaultConfig({
            settlementLag: 1 hours,
            settlementDelay: 3 hours,
            proposalPeriod: 1 hours,
            fallbackDelay: 7 days,
            solventTime: 20 minutes,
            insolventTime: 20 minutes,
            tickGap: 2 minutes,
            feeRate: 0.01e6
        });
    }
}
