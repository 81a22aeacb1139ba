"""The consortium's ledger: recognise, submit, read back."""

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import structlog
from eth_account.signers.local import LocalAccount
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3.contract import Contract
from web3.exceptions import TransactionNotFound

from coordinator.artifact import Artifact, load_artifact
from coordinator.settlement.deployment import Deployment, deploy
from coordinator.settlement.feed_state import unpack_state
from coordinator.settlement.founding import SuiteOptions, make_plan
from coordinator.settlement.ledger_reader import REJECTED, LedgerReader
from coordinator.settlement.node import Node
from coordinator.settlement.registry import register_book
from coordinator.settlement.sender import Sender
from coordinator.settlement.storing import store_accepted
from coordinator.settlement.types import (
    Breach,
    Patience,
    Publish,
    Receipt,
    SettlementError,
    StoredReport,
)
from mpc_party.protocol.compact import compact, compact_signature
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium import Settlement as SettlementSection
from mpc_party.protocol.eip712 import report_digest
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import split_words

_NOBODY: Final = "0x" + 40 * "0"

_log = structlog.get_logger("settlement")


class Settlement:
    """One consortium's ledger at one node, seen with one account.

    Thread-safe: one transaction at a time.

    Args:
        rpc_url: of any JSON-RPC node.
        consortium: with a group key; with a [settlement] section for all but `deploy`.
        account: pays for transactions; None to read only.
        patience: with the node, the chain and the contract's pace.
        publish: whether the contract is to keep the reports' words.

    Raises:
        SettlementError: CHAIN_UNREACHABLE.
    """

    def __init__(
        self,
        rpc_url: str,
        consortium: Consortium,
        account: LocalAccount | None = None,
        patience: Patience | None = None,
        publish: Publish = Publish.DIGEST,
    ) -> None:
        self._patience = patience or Patience()
        self._consortium = consortium
        self._publish = publish
        self._artifact: Artifact = load_artifact()
        self.node = Node(rpc_url, self._patience.call, self._artifact)
        self.sender = Sender(self.node, account, self._patience)
        self._lock = threading.RLock()
        self._contract: Contract | None = None
        self.chain_id = self.node.chain_id

    # Deploying

    def deploy(self, options: SuiteOptions | None = None) -> Deployment:
        """Deploy the consortium's contracts, or what is missing of them, and check what came of it.

        Raises:
            SettlementError: as of `deployment.deploy`.
            ConfigError: no group key yet, or an option that no contract takes.
        """
        plan = make_plan(self._consortium, options or SuiteOptions())
        with self._lock:
            deployment = deploy(self.node, self.sender, plan)
            self._contract = self._checked_contract(deployment.section)
        return deployment

    def check(self) -> None:
        """Check that the consortium's contract is there and is ours.

        Raises:
            SettlementError: CHAIN_MISMATCH (another chain, no code, other code, another consortium, epoch or group
                key) or CHAIN_UNREACHABLE.
            ConfigError: the consortium file has no [settlement] yet.
        """
        self.contract()

    # Reports

    def latest_round(self) -> int:
        """Number of the latest report that the contract has accepted or its breaker has rejected, 0 before the first."""
        contract = self.contract()
        return int(self.node.ask(contract.functions.latestRound().call))

    def latest_observed_at(self) -> int:
        """Market time of the latest accepted report, 0 before the first."""
        return int(self._reader().status()["observedAt"])

    def seconds_until_next(self) -> float:
        """How long the contract's pace will still refuse any report, by this machine's clock; at most one pace."""
        pace = int(self.node.ask(self.contract().functions.pace().call))
        accepted_at = int(self._reader().status()["acceptedAt"])
        return min(max(accepted_at + pace - time.time(), 0.0), float(pace))

    def submit(self, report: HedgeReport, signature: bytes, book: bytes | None = None) -> Receipt:
        """Bring a signed report to the contract, unless it is there already.

        Args:
            report: what was signed.
            signature: the group key's, 65 bytes.
            book: its instrument words; without them its words are not stored, whatever the mode.

        Raises:
            SettlementError: SETTLEMENT_REVERTED, with the contract's own error by name and what to do; REPORT_REJECTED, the
                breaker has flagged it, with the breach and the word; CHAIN_UNREACHABLE, when trying again is safe: a
                report is never sent twice while the first transaction may still be on its way.
        """
        with self._lock:
            digest = self.digest(report)
            known = self._known(report, digest)
            if self._publish is Publish.STORED and book is not None:
                return self._submit_stored(report, signature, digest, book, known)
            return known or self._bring("settle", report, signature, digest)

    def _submit_stored(
        self, report: HedgeReport, signature: bytes, digest: bytes, book: bytes, known: Receipt | None
    ) -> Receipt:
        """Also where somebody else brings it in short before, or while, we do."""
        if bytes(keccak(book)) != report.book:
            raise SettlementError(f"the book is not that of round {report.round}", reason=Reason.INTERNAL)
        register_book(self.node, self.sender, self.contract(), book)
        if known is None:
            try:
                return self._bring("settleAndStore", report, signature, digest)
            except SettlementError as error:
                if error.error == "StoredTooSoon":
                    _log.info("published as a digest: the contract stores no faster", round=report.round)
                    return self._bring("settle", report, signature, digest)
                known = self._known(report, digest) if error.error == "RoundNotNewer" else None
                if known is None:
                    raise
        store_accepted(self.node, self.sender, self.contract(), self._reader(), report, digest)
        return known

    def find(self, report: HedgeReport) -> Receipt | None:
        """How this report came to the contract, None where the contract does not have it.

        Raises:
            SettlementError: REPORT_REJECTED: the breaker has rejected it; CHAIN_UNREACHABLE.
        """
        with self._lock:
            return self._known(report, self.digest(report))

    def read_back(self, block: int | None = None) -> StoredReport:
        """All that the contract has of its latest accepted report, at one block; see `LedgerReader.read_back`."""
        return self._reader().read_back(block)

    def require_stored(self, report: HedgeReport) -> StoredReport:
        """Read the contract back and require what it has to be this report, bit for bit, by its own account, too.

        Raises:
            SettlementError: CHAIN_MISMATCH naming the fields that differ.
        """
        stored = self.read_back()
        wrong = stored.differences(report, self.digest(report))
        contract = self.contract()
        proves = contract.functions.proves(_abi_fields(report), stored.sequence)
        if not wrong and not self.node.ask(proves.call)[0]:
            wrong = ["digest"]
        if wrong:
            raise SettlementError(
                f"the contract holds round {stored.round} with other {', '.join(wrong)} than was signed",
                reason=Reason.CHAIN_MISMATCH,
            )
        return stored

    def digest(self, report: HedgeReport) -> bytes:
        """EIP-712 digest of a report on this chain and contract."""
        return report_digest(report, self.chain_id, str(self.contract().address))

    def balance(self) -> int:
        """What the account has, in wei."""
        account = self.sender.account()
        return self.node.ask(lambda: int(self.node.web3.eth.get_balance(account.address)))

    def follow_clock(self, timestamp: int) -> None:
        """Bring a development chain to at least this time; see `Node.follow_clock`."""
        with self._lock:
            self.node.follow_clock(timestamp)

    def contract(self) -> Contract:
        """The ledger, checked as `check` says."""
        with self._lock:
            if self._contract is None:
                section = self._consortium.settlement
                if section is None:
                    self._consortium.require_ready()
                    raise ConfigError(
                        "the consortium file has no [settlement]", reason=Reason.CONSORTIUM_INCOMPLETE
                    )
                self._contract = self._checked_contract(section)
            return self._contract

    # Inside

    def _checked_contract(self, section: SettlementSection) -> Contract:
        if section.chain_id != self.chain_id:
            raise _mismatch(
                f"the node is on chain {self.chain_id}, the consortium's contract on {section.chain_id}"
            )
        address = to_checksum_address(section.contract)
        code = self.node.code(address)
        if not code:
            raise _mismatch(f"there is no contract at {address} on chain {self.chain_id}")
        if not self._artifact.matches(code):
            raise _mismatch(f"the code at {address} is not that of this release's settlement contract")
        contract = self.node.web3.eth.contract(address=address, abi=self._artifact.abi)
        epoch = int(self.node.ask(contract.functions.epoch().call))
        found = {
            "consortium": bytes(self.node.ask(contract.functions.consortium().call)),
            "epoch": epoch,
            "group key": str(self.node.ask(contract.functions.groupKey().call)),
        }
        wanted = {
            "consortium": self._consortium.id_bytes,
            "epoch": self._consortium.epoch,
            "group key": self._consortium.group_address,
        }
        if wrong := [name for name, value in wanted.items() if found[name] != value]:
            if found["group key"] == _NOBODY:
                raise SettlementError(
                    f"a proof of fraud has taken the group key of the contract at {address} out of force",
                    reason=Reason.CHAIN_MISMATCH,
                    remedy="the members must put another key in force",
                )
            message = f"the contract at {address} is of another {', '.join(wrong)}"
            if "epoch" in wrong and "consortium" not in wrong:
                raise _other_epoch(message, epoch, self._consortium.epoch)
            raise _mismatch(message)
        return contract

    def _reader(self) -> LedgerReader:
        return LedgerReader(self.node, self.contract(), self._consortium.id_bytes)

    def _bring(self, function: str, report: HedgeReport, signature: bytes, digest: bytes) -> Receipt:
        contract, short = self.contract(), compact(report)
        data = HexBytes(
            contract.encode_abi(function, [short.core, list(short.words), *compact_signature(signature)])
        )
        deadline = time.monotonic() + self._patience.pace
        late = False
        while True:
            try:
                receipt = self.sender.send(data, str(contract.address), digest, pending=late)
            except SettlementError as error:
                if error.error != "ReportTooSoon" or time.monotonic() >= deadline:
                    raise
                ahead = int(error.arguments["acceptableAt"]) - int(error.arguments["timestamp"])
                # Of the latest block, which may be old; and by its clock, which a block at a time moves.
                time.sleep(min(max(ahead, 0.2), 1.0) if late else 0.2)
                late = True
            else:
                return self._outcome(receipt, digest)

    def _outcome(self, receipt: Mapping[str, Any], digest: bytes) -> Receipt:
        """What a transaction that succeeded says of this report; others may have come with it.

        Raises:
            SettlementError: REPORT_REJECTED.
        """
        for log in receipt["logs"]:
            event = [bytes(topic) for topic in log["topics"]]
            if log["address"] == self.contract().address and event[:1] == [REJECTED] and event[2] == digest:
                raise _rejected(log)
        return Receipt(
            bytes(receipt["transactionHash"]), int(receipt["blockNumber"]), int(receipt["gasUsed"])
        )

    def _known(self, report: HedgeReport, digest: bytes) -> Receipt | None:
        """How this report came to the contract, if it did and is still there."""
        if (receipt := self.sender.resume(digest)) is not None:
            return self._outcome(receipt, digest)
        reader = self._reader()
        status = reader.status()
        if int(status["round"]) < report.round:
            return None
        logs = reader.logs(digest)
        for log in logs:
            if bytes(log["topics"][0]) == REJECTED:
                raise _rejected(log)
        sequence = (
            unpack_state(int.from_bytes(logs[-1]["data"])).sequence if logs else int(status["sequence"])
        )
        if not reader.holds(sequence, digest):
            return None  # another report of that round, or one that was dropped with what was pending
        if not logs:
            return Receipt(None, None, None)
        transaction = logs[-1]["transactionHash"]
        try:
            return self._outcome(
                self.node.ask(lambda: self.node.web3.eth.get_transaction_receipt(transaction)), digest
            )
        except TransactionNotFound:
            return Receipt(bytes(transaction), int(logs[-1]["blockNumber"]), None)


def _abi_fields(report: HedgeReport) -> tuple[object, ...]:
    forwards, params = (list(split_words(words)) for words in (report.forwards, report.params))
    return (
        report.consortium, report.epoch, report.round, report.observed_at, report.valid_until, report.book,
        report.model, report.inputs, forwards, params,
    )  # fmt: skip


def _rejected(log: Mapping[str, Any]) -> SettlementError:
    data = bytes(log["data"])
    number, index = int.from_bytes(data[:32]), int.from_bytes(data[32:64])
    breach = Breach(number).name if number < len(Breach) else str(number)
    return SettlementError(
        f"the contract's breaker rejects the report: {breach} at word {index}",
        reason=Reason.REPORT_REJECTED,
        remedy="the feed is flagged until a good report is accepted; look at the market data behind this one",
        error=breach,
        arguments={"index": index},
    )


def _other_epoch(message: str, found: int, wanted: int) -> SettlementError:
    """Members and contract change epochs one after the other, and somebody is between the two."""
    behind = found < wanted
    return SettlementError(
        f"{message}: it is in epoch {found}, the consortium file of epoch {wanted}",
        reason=Reason.CHAIN_MISMATCH,
        remedy="carry out the rotation that the members have signed: `mpc-coordinator act execute`"
        if behind
        else "take the present consortium file, from a member of the new epoch",
    )


def _mismatch(message: str) -> SettlementError:
    return SettlementError(
        message,
        reason=Reason.CHAIN_MISMATCH,
        remedy="check --rpc-url and the [settlement] section of the consortium file",
    )
