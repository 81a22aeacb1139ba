"""A consortium's contracts on a node of the test's own: judge, members, ledger and bond, as they are deployed for real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3

from coordinator.artifact import load_artifact
from coordinator.report_file import ReportFile, make_report_file
from mpc_party.protocol.compact import compact, compact_signature
from mpc_party.protocol.consortium import Settlement
from mpc_party.protocol.eip712 import domain_separator, report_struct_hash, typed_digest
from mpc_party.protocol.messages import Proposal
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import PARAM_FIELDS
from tests.support.chains import rpc
from tests.support.signed_group import SignedGroup, book_words

WINDOW = 600
DELAY = 3600
HOUR = 3600
DAY = 86_400
ETHER = 10**18
CHALLENGE_BOND = ETHER // 10
REWARD = 2_000  # of 10,000
UNBONDING = 9 * DAY
SINK = "0x000000000000000000000000000000000000dEaD"
CONFIG = (3600, 60, 3600, WINDOW, 1024, 2000, 3600)
TOLERANCES = (2000, 32_000, 2000, 2000, 8000, 800, 20_000)


@dataclass
class Stage:
    """The contracts and who acts on them; `rich` is the node's own account."""

    url: str
    group: SignedGroup
    members: Sequence[str]
    quorum: int = 2
    web3: Web3 = field(init=False)
    judge: Any = field(init=False)
    governance: Any = field(init=False)
    ledger: Any = field(init=False)
    bond: Any = field(init=False)

    def __post_init__(self) -> None:
        self.web3 = Web3(HTTPProvider(self.url))
        self.judge = self.deploy("ReportJudge")
        self.governance = self.deploy("ConsortiumMembers", list(self.members), self.quorum, DELAY)
        founding = (
            self.group.consortium.id_bytes,
            self.group.consortium.group_address,
            1,
            self.governance.address,
            CONFIG,
            TOLERANCES,
            self.judge.address,
            CHALLENGE_BOND,
            SINK,
        )
        self.ledger = self.deploy("HedgeSettlement", founding)
        self.bond = self.deploy("ConsortiumBond", self.ledger.address, SINK, REWARD, UNBONDING)
        self.group.at(Settlement(31_337, self.ledger.address))

    @property
    def rich(self) -> str:
        return self.web3.eth.accounts[0]

    def deploy(self, name: str, *arguments: object) -> Any:
        artifact = load_artifact(name)
        return self.deploy_code(artifact.abi, artifact.bytecode, *arguments)

    def deploy_code(self, abi: list[Any], code: bytes, *arguments: object) -> Any:
        built = self.web3.eth.contract(abi=abi, bytecode=code).constructor(*arguments)
        receipt = self.web3.eth.wait_for_transaction_receipt(built.transact({"from": self.rich}))
        assert receipt["status"] == 1
        return self.web3.eth.contract(address=receipt["contractAddress"], abi=abi)

    def send(self, call: Any, sender: str | None = None, value: int = 0) -> Any:
        receipt = self.web3.eth.wait_for_transaction_receipt(
            call.transact({"from": sender or self.rich, "value": value})
        )
        assert receipt["status"] == 1
        return receipt

    def fund(self, address: str, ether: float = 10) -> str:
        rpc(self.url, "anvil_setBalance", address, hex(int(ether * ETHER)))
        return address

    def stranger(self, ether: float = 10) -> LocalAccount:
        account = Account.create()
        self.fund(account.address, ether)
        return account

    def now(self) -> int:
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def wait(self, seconds: int) -> None:
        rpc(self.url, "evm_increaseTime", seconds)
        rpc(self.url, "evm_mine")

    def sign(self, report: HedgeReport) -> bytes:
        """The group key's signature, whatever the words are."""
        separator = domain_separator(31_337, self.ledger.address)
        return self.group.sign(typed_digest(separator, report_struct_hash(report)))

    def report(self, number: int, *, strikes: int = 5, **changes: object) -> tuple[Proposal, HedgeReport]:
        """What honest desks compute now, or something else."""
        proposal = self.group.proposal(number, self.now(), strikes)
        return proposal, msgspec.structs.replace(self.group.report(proposal), **changes)

    def file(self, proposal: Proposal, report: HedgeReport) -> ReportFile:
        return unchecked_file(report, book_words(proposal), self.sign(report), self.ledger.address)

    def settle(self, report: HedgeReport, *, store: bool = False) -> Any:
        """Bring a report to the ledger as anyone may."""
        short = compact(report)
        name = "settleAndStore" if store else "settle"
        arguments = (short.core, list(short.words), *compact_signature(self.sign(report)))
        return self.send(self.ledger.functions[name](*arguments))

    def register(self, proposal: Proposal) -> None:
        """Register a book, as whoever wants reports about it stored."""
        book = book_words(proposal)
        words = [book[at : at + 32] for at in range(0, len(book), 32)]
        self.send(self.ledger.functions.register(words))
        self.send(self.ledger.functions.registerBook([self.ledger.functions.idOf(w).call() for w in words]))


def unchecked_file(report: HedgeReport, book: bytes, signature: bytes, contract: str) -> ReportFile:
    """A report file of whatever the group key has signed."""
    sound = msgspec.structs.replace(
        report, params=(b"\0\x07\xa1\x20" + bytes(28)) * (len(report.params) // 32)
    )
    made = make_report_file(sound, book, signature, 31_337, contract)
    digest = typed_digest(domain_separator(31_337, contract), report_struct_hash(report))
    params = [f"0x{report.params[at : at + 32].hex()}" for at in range(0, len(report.params), 32)]
    return msgspec.structs.replace(
        made, report=msgspec.structs.replace(made.report, params=params), digest=f"0x{digest.hex()}"
    )


def with_field(report: HedgeReport, row: int, name: str, add: int) -> HedgeReport:
    """The report with one field of one param word changed."""
    at = 32 * row
    for item in PARAM_FIELDS:
        if item.name == name:
            break
        at += item.width
    words = bytearray(report.params)
    value = int.from_bytes(words[at : at + item.width], signed=item.lowest < 0) + add
    words[at : at + item.width] = value.to_bytes(item.width, signed=item.lowest < 0)
    return msgspec.structs.replace(report, params=bytes(words))
