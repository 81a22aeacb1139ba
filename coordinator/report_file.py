"""The report file: one signed report with its book, as JSON, all that anybody needs beside the consortium file.

Hex is lower case with 0x. The words are those of the contract. Version 1.
"""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from coordinator.check import DecodedReport, decode_book
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.eip712 import report_digest, verify_signature
from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.files import read_limited, write_atomic
from mpc_party.protocol.messages import Uint64
from mpc_party.protocol.report import HedgeReport, check_report
from mpc_party.protocol.words import split_words

VERSION: Final = 1
MAX_BYTES: Final = 1 << 20
Word = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}\Z")]


class ReportBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of `HedgeReport`."""

    consortium: Word
    epoch: Uint64
    round: Uint64
    observed_at: Uint64
    valid_until: Uint64
    book: Word
    model: Word
    inputs: Word
    forwards: Annotated[list[Word], Meta(min_length=1, max_length=64)]
    params: Annotated[list[Word], Meta(min_length=1, max_length=1024)]


class ReportFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `instruments`: the book's words, in order; `digest`: EIP-712; `signature`: r, s, v."""

    version: int
    chain_id: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    contract: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]
    report: ReportBody
    instruments: Annotated[list[Word], Meta(min_length=1, max_length=1024)]
    digest: Word
    signature: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{130}\Z")]

    def hedge_report(self) -> HedgeReport:
        """The report itself.

        Raises:
            ReportError: it breaks a rule.
        """
        body = self.report
        report = HedgeReport(
            consortium=_bytes(body.consortium),
            epoch=body.epoch,
            round=body.round,
            observed_at=body.observed_at,
            valid_until=body.valid_until,
            book=_bytes(body.book),
            model=_bytes(body.model),
            inputs=_bytes(body.inputs),
            forwards=b"".join(map(_bytes, body.forwards)),
            params=b"".join(map(_bytes, body.params)),
        )
        check_report(report)
        return report

    def book(self) -> bytes:
        """The instrument words, concatenated."""
        return b"".join(map(_bytes, self.instruments))

    def signature_bytes(self) -> bytes:
        """65 bytes."""
        return _bytes(self.signature)


def make_report_file(
    report: HedgeReport, book: bytes, signature: bytes, chain_id: int, contract: str
) -> ReportFile:
    """Put a signed report and its book together.

    Raises:
        ReportError: the report breaks a rule.
    """
    return ReportFile(
        version=VERSION,
        chain_id=chain_id,
        contract=contract,
        report=ReportBody(
            consortium=_hex(report.consortium),
            epoch=report.epoch,
            round=report.round,
            observed_at=report.observed_at,
            valid_until=report.valid_until,
            book=_hex(report.book),
            model=_hex(report.model),
            inputs=_hex(report.inputs),
            forwards=[_hex(word) for word in split_words(report.forwards)],
            params=[_hex(word) for word in split_words(report.params)],
        ),
        instruments=[_hex(word) for word in split_words(book)],
        digest=_hex(report_digest(report, chain_id, contract)),
        signature=_hex(signature),
    )


def dump_report_file(file: ReportFile) -> bytes:
    """The file's text."""
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def parse_report_file(text: bytes, what: str = "report file") -> ReportFile:
    """Read the file's text.

    Raises:
        ReportError: not JSON, not of this format, or of another version.
    """
    try:
        file = msgspec.json.decode(text, type=ReportFile)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ReportError(f"{what} is no report file: {str(error)[:200]}") from None
    if file.version != VERSION:
        raise ReportError(
            f"{what} has version {file.version}; this program reads version {VERSION}",
            remedy="use the release that wrote it",
        )
    return file


def save_report_file(path: Path, file: ReportFile) -> None:
    """Write it, whole or not at all."""
    write_atomic(path, dump_report_file(file))


def load_report_file(path: Path) -> ReportFile:
    """Read it.

    Raises:
        ConfigError: there is no such file, or it is too large.
        ReportError: it is no report file.
    """
    return parse_report_file(read_limited(path, MAX_BYTES, "report file"), str(path))


def verify_report_file(file: ReportFile, consortium: Consortium) -> DecodedReport:
    """Check everything that can be checked offline, given only the consortium file, but for the sanity of the greeks.

    Raises:
        ReportError: another consortium, epoch, model, chain or contract (CHAIN_MISMATCH), words or book that do not
            fit, another digest than the file says, or a signature that is not the group key's (SIGNATURE_INVALID).
        ConfigError: the consortium file is not complete.
    """
    consortium.require_ready()
    settlement = consortium.settlement
    report = file.hedge_report()
    if report.consortium != consortium.id_bytes:
        raise ReportError(
            f"the report is of consortium 0x{report.consortium.hex()}, not of {consortium.name}"
        )
    if report.epoch != consortium.epoch:
        raise ReportError(
            f"the report is of epoch {report.epoch}, the consortium file of {consortium.epoch}",
            remedy="verify it with the consortium file of its own epoch",
        )
    if report.model.hex() != consortium.model:
        raise ReportError("the report was computed with another model than the consortium file names")
    if settlement is None or (file.chain_id, file.contract) != (settlement.chain_id, settlement.contract):
        raise ReportError(
            f"the report is for contract {file.contract} on chain {file.chain_id}, not for the consortium's",
            reason=Reason.CHAIN_MISMATCH,
        )
    digest = report_digest(report, settlement.chain_id, settlement.contract)
    if digest != _bytes(file.digest):
        raise ReportError(f"the report's digest is {_hex(digest)}, the file says {file.digest}")
    verify_signature(digest, file.signature_bytes(), consortium.group_address)
    return decode_book(report, file.book())


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
