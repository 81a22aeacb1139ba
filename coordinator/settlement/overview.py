"""All of a consortium's contracts at a glance: what stands where, whether it is this release's code, and how it does."""

from dataclasses import dataclass
from typing import Any

from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from coordinator.artifact import load_artifact
from coordinator.settlement.contract import Settlement
from coordinator.settlement.founding import (
    BOND,
    JUDGE,
    LEDGER,
    MEMBERS,
    SuiteOptions,
    make_plan,
    plan_companions,
)
from coordinator.settlement.ledger_reader import LedgerReader
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConfigError, Reason


@dataclass(frozen=True)
class Standing:
    """One contract: where it should be, and whether it is there as this release has it."""

    name: str
    address: str
    codehash: bytes | None
    genuine: bool


@dataclass(frozen=True)
class Overview:
    """The contracts, and how the ledger and the bond do. Seconds and wei; rounds and sequences are 0 before the first.

    `slashed`: the last epoch whose key was proved to have lied, 0 for none. `pooled` and `secured`: None without a bond.
    """

    contracts: tuple[Standing, ...]
    live: bool
    paused: bool
    flagged: bool
    slashed: int
    epoch: int
    group_key: str
    window: int
    pace: int
    sequence: int
    final_sequence: int
    final_round: int | None
    stored: int
    final_stored: int
    quorum: int
    members: int
    action_delay: int
    pooled: int | None
    secured: int | None

    @property
    def genuine(self) -> bool:
        """Whether all contracts are this release's."""
        return all(each.genuine for each in self.contracts)


def overview(settlement: Settlement, consortium: Consortium, options: SuiteOptions) -> Overview:
    """Look at every contract.

    The ledger is the file's; judge and members are those that it names; bond and vault stand where these options put them,
    whatever epoch the contracts were founded in.

    Raises:
        ConfigError: an option that no contract takes.
        SettlementError: CHAIN_MISMATCH where the ledger is not the consortium's; CHAIN_UNREACHABLE.
    """
    ledger = settlement.contract()
    node = settlement.node

    def ask(name: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the getter gives
        return node.ask(ledger.functions[name](*arguments).call)

    addresses = {JUDGE: str(ask("JUDGE")), MEMBERS: str(ask("MEMBERS")), LEDGER: str(ledger.address)}
    contracts = tuple(_standing(settlement, name, address) for name, address in addresses.items())
    companions = tuple(
        _standing(settlement, each.name, each.address)
        for each in plan_companions(consortium, addresses[LEDGER], options)
    )
    # Where nothing stands there, these may be other options than those of the deployment.
    complete = _founded_so(consortium, options, addresses[LEDGER])
    contracts += tuple(each for each in companions if complete or each.codehash is not None)

    reader = LedgerReader(node, ledger, consortium.id_bytes)
    status = reader.status()
    final = int(ask("finalSequence"))
    bond = next((each for each in contracts if each.name == BOND and each.genuine), None)
    members = node.web3.eth.contract(
        address=to_checksum_address(addresses[MEMBERS]), abi=load_artifact(MEMBERS).abi
    )
    return Overview(
        contracts=contracts,
        live=bool(ask("isLive")),
        paused=bool(status["paused"]),
        flagged=bool(status["flagged"]),
        slashed=int(ask("lastSlashedEpoch")),
        epoch=int(ask("epoch")),
        group_key=str(ask("groupKey")),
        window=_window(ask("config")),
        pace=int(ask("pace")),
        sequence=int(status["sequence"]),
        final_sequence=final,
        final_round=_round_of(reader, settlement, final),
        stored=int(status["stored"]),
        final_stored=int(ask("latestSequence")),
        quorum=int(node.ask(members.functions.quorum().call)),
        members=len(node.ask(members.functions.members().call)),
        action_delay=int(node.ask(members.functions.actionDelay().call)),
        pooled=None if bond is None else _of_bond(settlement, bond, "pooled"),
        secured=None if bond is None else _of_bond(settlement, bond, "secured"),
    )


def _founded_so(consortium: Consortium, options: SuiteOptions, ledger: str) -> bool:
    """Whether the ledger stands where this file and these options put it; not once members, key or epoch have changed."""
    try:
        return make_plan(consortium, options).address(LEDGER) == ledger
    except ConfigError:  # a quorum of the members before may be none of the present ones
        return False


def _standing(settlement: Settlement, name: str, address: str) -> Standing:
    code = settlement.node.code(address)
    return Standing(name, address, bytes(keccak(code)) if code else None, load_artifact(name).matches(code))


def _round_of(reader: LedgerReader, settlement: Settlement, sequence: int) -> int | None:
    """Round of an accepted report; None where there is none, or the node no longer shows it."""
    if sequence == 0:
        return 0
    node = settlement.node
    kept = node.ask(settlement.contract().functions.accepted(sequence).call)[0]
    try:
        return reader.accepted_log(sequence, int(kept), node.ask(lambda: int(node.web3.eth.block_number)))[
            1
        ].round
    except SettlementError as error:
        if error.reason is not Reason.CHAIN_MISMATCH:
            raise
        return None


def _of_bond(settlement: Settlement, bond: Standing, name: str) -> int:
    contract = settlement.node.web3.eth.contract(
        address=to_checksum_address(bond.address), abi=load_artifact(BOND).abi
    )
    return int(settlement.node.ask(contract.functions[name]().call))


def _window(config: Any) -> int:  # noqa: ANN401 - a struct as web3 gives it
    return int(config["challengeWindow"] if hasattr(config, "keys") else config[3])
