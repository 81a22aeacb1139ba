"""A party's result against what was proposed: the coordinator believes nothing that it can check."""

from collections.abc import Sequence
from dataclasses import dataclass

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.eip712 import report_digest, verify_signature
from mpc_party.protocol.errors import ReportError
from mpc_party.protocol.merkle import merkle_root
from mpc_party.protocol.messages import PhaseTimes, Proposal, Result
from mpc_party.protocol.report import HedgeReport, decode_report
from mpc_party.protocol.words import ForwardFields, book_hash, pack_book, pack_forward

PHASES = ("commit", "compute", "nonce", "approve", "sign")


@dataclass(frozen=True)
class VerifiedResult:
    """A report that fits its proposal, signed by the group. `book`: the instrument words."""

    report: HedgeReport
    encoded: bytes
    book: bytes
    digest: bytes
    signature: bytes


def verify_result(
    result: Result, proposal: Proposal, consortium: Consortium, commitments: Sequence[bytes] | None
) -> VerifiedResult:
    """Check a result.

    Args:
        result: as it came.
        proposal: of the same round.
        consortium: complete.
        commitments: the committee's, in its order; None if not all of them have been seen.

    Raises:
        ReportError: the report is not of this proposal, or the signature (SIGNATURE_INVALID) is not the group's.
    """
    consortium.require_ready()
    settlement = consortium.settlement
    report = decode_report(result.report)
    book = pack_book(proposal.underlying, proposal.expiries, proposal.instruments)
    expected = expected_report(proposal, consortium, report)
    if report != expected:
        wrong = [
            name for name in report.__struct_fields__ if getattr(report, name) != getattr(expected, name)
        ]
        raise ReportError(f"the report of round {result.round} has another {', '.join(wrong)} than proposed")
    if report.instruments != len(proposal.instruments):
        raise ReportError(f"{report.instruments} parameters for {len(proposal.instruments)} instruments")
    if commitments is not None and report.inputs != merkle_root(commitments):
        raise ReportError("the report names other inputs than the committee committed to")
    if settlement is None:
        raise ReportError("the consortium has no contract yet")
    digest = report_digest(report, settlement.chain_id, settlement.contract)
    if digest != result.digest:
        raise ReportError(f"the digest of round {result.round} is not that of its report")
    verify_signature(digest, result.signature, consortium.group_address)
    return VerifiedResult(report, result.report, book, digest, result.signature)


def expected_report(proposal: Proposal, consortium: Consortium, given: HedgeReport) -> HedgeReport:
    """What the report of this proposal must be, but for what only the committee knows: `inputs` and `params`."""
    return HedgeReport(
        consortium=consortium.id_bytes,
        epoch=proposal.epoch,
        round=proposal.round,
        observed_at=proposal.observed_at,
        valid_until=proposal.valid_until,
        book=book_hash(proposal.underlying, proposal.expiries, proposal.instruments),
        model=bytes.fromhex(consortium.model or ""),
        inputs=given.inputs,
        forwards=b"".join(pack_forward(ForwardFields(e.expiry, e.forward)) for e in proposal.expiries),
        params=given.params,
    )


def slowest(times: Sequence[PhaseTimes]) -> dict[str, float]:
    """Milliseconds per phase at the party that took longest in it."""
    return {phase: round(max(getattr(item, phase) for item in times), 3) for phase in PHASES}
