"""The consortium's contract: deploy, recognise, submit, read back."""

import threading
from collections.abc import Mapping
from typing import Any, Final

import structlog
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3.contract import Contract
from web3.exceptions import TransactionNotFound

from coordinator.artifact import Artifact, load_artifact
from coordinator.settlement.node import Node
from coordinator.settlement.sender import Sender
from coordinator.settlement.types import (
    Deployment,
    Patience,
    Receipt,
    SettlementError,
    StoredReport,
    contract_config,
)
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium import Settlement as SettlementSection
from mpc_party.protocol.eip712 import report_digest
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import split_words

WORDS_PER_CALL: Final = 512
LOG_BLOCKS: Final = 1000  # that a search for a report goes back

_log = structlog.get_logger("settlement")


class Settlement:
    """One consortium's contract at one node, seen with one account.

    Thread-safe: one transaction at a time.

    Args:
        rpc_url: of any JSON-RPC node.
        consortium: with a group key; with a [settlement] section for all but `deploy`.
        account: pays for transactions; None to read only.

    Raises:
        SettlementError: CHAIN_UNREACHABLE.
    """

    def __init__(
        self,
        rpc_url: str,
        consortium: Consortium,
        account: LocalAccount | None = None,
        patience: Patience | None = None,
    ) -> None:
        patience = patience or Patience()
        self._consortium = consortium
        self._artifact: Artifact = load_artifact()
        self._node = Node(rpc_url, patience.call, self._artifact)
        self._sender = Sender(self._node, account, patience)
        self._lock = threading.RLock()
        self._contract: Contract | None = None
        self.chain_id = self._node.chain_id

    # Deploying

    def deploy(self, quorum: int | None = None) -> Deployment:
        """Deploy the contract for this consortium and check what came of it.

        Args:
            quorum: members that govern together; None: all but t, which t corrupt members can neither be nor stop.

        Raises:
            SettlementError: CHAIN_UNREACHABLE, or SETTLEMENT_REVERTED by the constructor.
            ConfigError: no group key yet, or no such quorum.
        """
        members = self._consortium.members
        needed = len(members) - self._consortium.threshold if quorum is None else quorum
        if not self._consortium.threshold < needed <= len(members):
            raise ConfigError(
                f"a quorum of {needed} of {len(members)} members: it must be above the threshold"
            )
        factory = self._node.web3.eth.contract(abi=self._artifact.abi, bytecode=self._artifact.bytecode)
        constructor = factory.constructor(
            self._consortium.id_bytes,
            self._consortium.group_address,
            self._consortium.epoch,
            [member.account for member in members],
            needed,
            contract_config(self._consortium),
        )
        with self._lock:
            receipt = self._sender.send(constructor.data_in_transaction, None)
            address = to_checksum_address(receipt["contractAddress"])
            section = SettlementSection(chain_id=self.chain_id, contract=str(address))
            self._contract = self._checked_contract(section)
        return Deployment(section, _receipt(receipt))

    def check(self) -> None:
        """Check that the consortium's contract is there and is ours.

        Raises:
            SettlementError: CHAIN_MISMATCH (another chain, no code, other code, another consortium, epoch or group
                key) or CHAIN_UNREACHABLE.
            ConfigError: the consortium file has no [settlement] yet.
        """
        self._connected()

    # Reports

    def latest_round(self) -> int:
        """Number of the latest accepted report, 0 before the first."""
        contract = self._connected()
        return int(self._node.ask(contract.functions.latestRound().call))

    def latest_observed_at(self) -> int:
        """Market time of the latest accepted report, 0 before the first."""
        return 0 if self.latest_round() == 0 else self.read_back().observed_at

    def submit(self, report: HedgeReport, signature: bytes) -> Receipt:
        """Bring a signed report to the contract, unless it is there already.

        Raises:
            SettlementError: SETTLEMENT_REVERTED, with the contract's own error by name and what to do;
                CHAIN_UNREACHABLE, when trying again is safe: a report is never sent twice while the first
                transaction may still be on its way.
        """
        with self._lock:
            contract = self._connected()
            digest = self.digest(report)
            if (known := self._accepted(report, digest)) is not None:
                return known
            data = contract.encode_abi("submit", [_abi_fields(report), signature])
            receipt = self._sender.send(HexBytes(data), str(contract.address), digest)
            return _receipt(receipt)

    def read_back(self, block: int | None = None) -> StoredReport:
        """All that the contract holds of its latest report, at one block: the latest where None.

        Raises:
            SettlementError: SETTLEMENT_REVERTED (NoReport) before the first; CHAIN_UNREACHABLE.
        """
        contract = self._connected()
        at = self._node.ask(lambda: self._node.web3.eth.block_number) if block is None else block

        def read(function: Any) -> Any:  # noqa: ANN401 - web3's own types
            return self._node.ask(lambda: function.call(block_identifier=at))

        header = read(contract.functions.latest())
        fields = header if isinstance(header, Mapping) else dict(zip(_HEADER, header, strict=True))
        count = int(fields["instruments"])
        params = b"".join(
            bytes(word)
            for start in range(0, count, WORDS_PER_CALL)
            for word in read(contract.functions.params(start, min(WORDS_PER_CALL, count - start)))
        )
        return StoredReport(
            round=fields["round"],
            epoch=fields["epoch"],
            observed_at=fields["observedAt"],
            valid_until=fields["validUntil"],
            accepted_at=fields["acceptedAt"],
            digest=bytes(fields["digest"]),
            book=bytes(fields["book"]),
            model=bytes(fields["model"]),
            inputs=bytes(fields["inputs"]),
            forwards=b"".join(bytes(word) for word in read(contract.functions.forwards())),
            params=params,
        )

    def require_stored(self, report: HedgeReport) -> StoredReport:
        """Read the contract back and require what it holds to be this report, bit for bit.

        Raises:
            SettlementError: CHAIN_MISMATCH naming the fields that differ.
        """
        stored = self.read_back()
        if wrong := stored.differences(report, self.digest(report)):
            raise SettlementError(
                f"the contract holds round {stored.round} with other {', '.join(wrong)} than was signed",
                reason=Reason.CHAIN_MISMATCH,
            )
        return stored

    def digest(self, report: HedgeReport) -> bytes:
        """EIP-712 digest of a report on this chain and contract."""
        return report_digest(report, self.chain_id, str(self._connected().address))

    def balance(self) -> int:
        """What the account has, in wei."""
        account = self._sender.account()
        return self._node.ask(lambda: int(self._node.web3.eth.get_balance(account.address)))

    def follow_clock(self, timestamp: int) -> None:
        """Bring a development chain to at least this time; see `Node.follow_clock`."""
        with self._lock:
            self._node.follow_clock(timestamp)

    # Inside

    def _connected(self) -> Contract:
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

    def _checked_contract(self, section: SettlementSection) -> Contract:
        if section.chain_id != self.chain_id:
            raise _mismatch(
                f"the node is on chain {self.chain_id}, the consortium's contract on {section.chain_id}"
            )
        address = to_checksum_address(section.contract)
        code = bytes(self._node.ask(lambda: self._node.web3.eth.get_code(address)))
        if not code:
            raise _mismatch(f"there is no contract at {address} on chain {self.chain_id}")
        if not self._artifact.matches(code):
            raise _mismatch(f"the code at {address} is not that of this release's settlement contract")
        contract = self._node.web3.eth.contract(address=address, abi=self._artifact.abi)
        found = {
            "consortium": bytes(self._node.ask(contract.functions.consortium().call)),
            "epoch": self._node.ask(contract.functions.epoch().call),
            "group key": str(self._node.ask(contract.functions.groupKey().call)),
        }
        wanted = {
            "consortium": self._consortium.id_bytes,
            "epoch": self._consortium.epoch,
            "group key": self._consortium.group_address,
        }
        if wrong := [name for name, value in wanted.items() if found[name] != value]:
            raise _mismatch(f"the contract at {address} is of another {', '.join(wrong)}")
        return contract

    def _accepted(self, report: HedgeReport, digest: bytes) -> Receipt | None:
        """How this report came to the contract, if it did."""
        if (receipt := self._sender.resume(digest)) is not None:
            return _receipt(receipt)
        if self.latest_round() != report.round:
            return None
        stored = self.read_back()
        return self._find(digest) if (stored.round, stored.digest) == (report.round, digest) else None

    def _find(self, digest: bytes) -> Receipt:
        """The transaction that brought a report; unknown if it is further back than one may ask of a node."""
        contract = self._connected()
        try:
            head = self._node.ask(lambda: self._node.web3.eth.block_number)
            logs = self._node.ask(
                lambda: contract.events.ReportAccepted.get_logs(
                    from_block=max(0, head - LOG_BLOCKS), argument_filters={"digest": digest}
                )
            )
            if logs:
                transaction = logs[0]["transactionHash"]
                return _receipt(
                    self._node.ask(lambda: self._node.web3.eth.get_transaction_receipt(transaction))
                )
        except (SettlementError, TransactionNotFound) as error:
            _log.warning("cannot find the transaction of a report", error=str(error))
        return Receipt(None, None, None)


_HEADER = (
    "round", "epoch", "observedAt", "validUntil", "acceptedAt", "instruments", "expiries", "digest", "book", "model",
    "inputs",
)  # fmt: skip


def _abi_fields(report: HedgeReport) -> tuple[object, ...]:
    forwards, params = (list(split_words(words)) for words in (report.forwards, report.params))
    return (
        report.consortium, report.epoch, report.round, report.observed_at, report.valid_until, report.book,
        report.model, report.inputs, forwards, params,
    )  # fmt: skip


def _receipt(receipt: Mapping[str, Any]) -> Receipt:
    return Receipt(bytes(receipt["transactionHash"]), int(receipt["blockNumber"]), int(receipt["gasUsed"]))


def _mismatch(message: str) -> SettlementError:
    return SettlementError(
        message,
        reason=Reason.CHAIN_MISMATCH,
        remedy="check --rpc-url and the [settlement] section of the consortium file",
    )
