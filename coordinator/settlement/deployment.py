"""A consortium's contracts brought to a chain, one after the other, each checked; and checked again whenever somebody asks.

Every step can be repeated: what stands at its address with the right code is kept. So an interrupted deployment is ended by
running it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from coordinator.settlement.factory import FACTORY, ensure_factory
from coordinator.settlement.founding import LEDGER, Plan, Planned
from coordinator.settlement.node import Node
from coordinator.settlement.sender import Sender
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.consortium import Settlement as SettlementSection
from mpc_party.protocol.errors import Reason

_log = structlog.get_logger("deployment")


@dataclass(frozen=True)
class Deployed:
    """One contract on the chain. `gas`: 0 where it was kept. `codehash`: keccak256 of its code, immutables included."""

    name: str
    address: str
    codehash: bytes
    gas: int
    kept: bool


@dataclass(frozen=True)
class Deployment:
    """All of a consortium's contracts: the section for its file, what each is, and what it cost with the proxy's part."""

    section: SettlementSection
    contracts: tuple[Deployed, ...]
    gas: int
    block: int


def deploy(node: Node, sender: Sender, plan: Plan) -> Deployment:
    """Create what is not there yet, and check everything.

    Raises:
        SettlementError: SETTLEMENT_REVERTED by a constructor, with its error by name; CHAIN_MISMATCH where what stands there is
            not what was planned, or the chain lacks the proxy; CHAIN_UNREACHABLE, when running it again goes on.
    """
    gas = ensure_factory(node, sender)
    contracts = tuple(_create(node, sender, plan.salt, planned) for planned in plan.contracts)
    ledger = next(each for each in contracts if each.name == LEDGER)
    return Deployment(
        SettlementSection(chain_id=node.chain_id, contract=ledger.address),
        contracts,
        gas + sum(each.gas for each in contracts),
        node.ask(lambda: int(node.web3.eth.block_number)),
    )


def verify(node: Node, planned: Planned, *, fresh: bool) -> bytes:
    """Check a contract's code and what its getters say; gives its codehash.

    Args:
        node: of its chain.
        planned: what it should be.
        fresh: whether what members can decide must still be as founded.

    Raises:
        SettlementError: CHAIN_MISMATCH.
    """
    code = node.code(planned.address)
    if not planned.artifact.matches(code):
        what = "is not this release's contract" if code else "is missing"
        raise _mismatch(f"the code of {planned.name} at {planned.address} {what}")
    wanted = {**planned.fixed, **(planned.initial if fresh else {})}
    found = _read(node, planned, wanted)
    if wrong := [name for name, value in wanted.items() if found[name] != value]:
        said = ", ".join(f"{name} is {found[name]!r}, not {wanted[name]!r}" for name in wrong)
        raise _mismatch(f"{planned.name} at {planned.address} was founded otherwise: {said}")
    return bytes(keccak(code))


def _create(node: Node, sender: Sender, salt: bytes, planned: Planned) -> Deployed:
    kept = bool(node.code(planned.address))
    gas = 0
    if not kept:
        try:
            gas = int(sender.send(salt + planned.creation, FACTORY)["gasUsed"])
        except SettlementError as error:
            if error.reason is Reason.SETTLEMENT_REVERTED:
                _explain(node, sender, planned)
            raise
    codehash = verify(node, planned, fresh=not kept)
    _log.info("kept" if kept else "deployed", contract=planned.name, address=planned.address, gas=gas)
    return Deployed(planned.name, planned.address, codehash, gas, kept)


def _explain(node: Node, sender: Sender, planned: Planned) -> None:
    """The proxy swallows a constructor's error: run the creation without it, and let that one speak."""
    account = sender.account().address
    node.ask(lambda: node.web3.eth.call({"from": account, "data": _hex(planned.creation)}))


def _read(node: Node, planned: Planned, wanted: Mapping[str, Any]) -> dict[str, Any]:
    contract = node.web3.eth.contract(address=to_checksum_address(planned.address), abi=planned.artifact.abi)

    def ask(name: str) -> Any:  # noqa: ANN401 - whatever the getter gives
        value = node.ask(contract.functions[name]().call)
        if isinstance(value, Mapping):
            value = tuple(value.values())
        return bytes(value) if isinstance(value, bytes) else value

    return {name: ask(name) for name in wanted}


def _hex(data: bytes) -> Any:  # noqa: ANN401 - web3's HexStr
    return "0x" + data.hex()


def _mismatch(message: str) -> SettlementError:
    return SettlementError(
        message,
        reason=Reason.CHAIN_MISMATCH,
        remedy="deploy with the release and the options that it was deployed with, or with another --salt",
    )
