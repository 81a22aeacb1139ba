"""The worker's part of one round: prepare before the commitment; session, computation and signature after it.

Runs in the party's worker thread. What it needs of the party's process comes in as arguments, so that it is tested
without a bus.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from mpc_party.audit.opening import OwnExposure, seal_exposure, seal_opening
from mpc_party.daemon.proposal_check import check_clock, check_market, check_reference, check_structure
from mpc_party.hedging.exposure import check_exposure, scaled_positions
from mpc_party.hedging.laws import check_laws
from mpc_party.hedging.outputs import Opened, check_inputs, check_range, report_columns
from mpc_party.hedging.program import compute
from mpc_party.hedging.public import PublicInputs, public_inputs
from mpc_party.hedging.snapshot import Snapshot
from mpc_party.journal import Journal
from mpc_party.market.chain import FlowSource
from mpc_party.market.desk import DeskView
from mpc_party.market.errors import MarketDataError
from mpc_party.market.flow import FlowFeatures, flow_row
from mpc_party.market.positions import Positions, read_positions
from mpc_party.market.quotes import clean
from mpc_party.market.surface import SurfaceFit, fit_surface
from mpc_party.mesh import Exchange, FrameKind, Mesh, MeshSession, PeerDisputes, deadline_in
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.eip712 import report_digest
from mpc_party.protocol.errors import ConsortiumError, Reason, RoundError
from mpc_party.protocol.merkle import merkle_root
from mpc_party.protocol.messages import PhaseTimes, Proposal, Result
from mpc_party.protocol.model_share import ModelShare
from mpc_party.protocol.report import HedgeReport, encode_report
from mpc_party.protocol.words import ForwardFields, book_hash, pack_book, pack_forward, pack_params
from mpc_party.secure import ReplicatedShares, SecureSession, SessionContext
from mpc_party.secure.at_rest import committee_components
from mpc_party.signing import (
    Evidence,
    KeyShare,
    MessageKeys,
    SigningContext,
    SigningError,
    run_approval,
    run_presign,
    run_signature,
)

_SESSION_DOMAIN = b"mpc-hedge/round-session/v1"
_CHECKED = ("proposal", "commitments", "public inputs", "model")
# Of the round's time, from the proposal's receipt, the mesh may use so much: its deadline names the silent peer, and
# must come before that of the state machine, which knows of nobody.
_MESH_PART = 0.9
# A little less at positions 1 and 2 of three, who wait for 0 and for each other (`secure.three`): whoever sees the silence
# at its source speaks first, and the others name whom it names, not the messenger.
_MESH_PARTS_OF_THREE = (_MESH_PART, _MESH_PART - 0.04, _MESH_PART - 0.02)


@dataclass(frozen=True)
class PartyContext:
    """What a party brings to every round. Holds secrets; its repr shows none."""

    consortium: Consortium
    own: int
    desk: DeskView = field(repr=False)
    mesh: Mesh = field(repr=False)
    journal: Journal = field(repr=False)
    key: KeyShare = field(repr=False)
    model: ModelShare = field(repr=False)
    approver: MessageKeys = field(repr=False)
    flow: FlowSource | None = field(default=None, repr=False)
    positions: Path | None = field(default=None, repr=False)
    keep_evidence: Callable[[Evidence], object] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Preparation:
    """What a party has ready when it commits. The snapshot is secret and hides itself."""

    proposal: Proposal
    digest: bytes
    public: PublicInputs
    snapshot: Snapshot
    commitment: bytes
    fit: SurfaceFit
    position_scale: float = field(repr=False)  # this party's own secret: what undoes its positions' words
    positions_left_out: int = field(repr=False)  # options held that are not in the book
    dropped: Counter[str]
    milliseconds: float
    deadline: float  # of the mesh session, in `time.monotonic()` seconds


def prepare(party: PartyContext, proposal: Proposal, digest: bytes, last_observed: int) -> Preparation:
    """Check the proposal, fit this desk's quotes and promise the round in the journal.

    The journal has the promise on disk before this returns, so before the commitment can leave.

    Raises:
        RoundError: the proposal is refused, with the rule that it breaks.
        MarketDataError: the market source has nothing for the moment proposed, or the positions file breaks its format.
        ConfigError: the positions file cannot be read.
    """
    started = time.perf_counter()
    deadline = deadline_in(mesh_part(proposal.committee, party.own) * proposal.deadline_ms / 1e3)
    consortium, program = party.consortium, party.consortium.program
    check_structure(proposal, consortium)
    source = party.desk.source
    check_clock(proposal, now=time.time(), replays=source.replays, last_observed=last_observed)
    quotes = party.desk.at(proposal.observed_at)
    check_market(proposal, consortium, source.underlying, quotes)
    public = public_inputs(proposal, program)
    forwards = dict(zip(public.grid.expiry.tolist(), public.grid.forward.tolist(), strict=True))
    vols, dropped = clean(quotes, forwards, proposal.observed_at, program.max_quote_age)
    check_reference(public, vols)
    fit = fit_surface(public.grid, vols, program.band, public.grid.span(public.expiry_index, public.strike))
    flow = flow_row(
        _flow(party, proposal.observed_at, dropped),
        reference_vol=public.median_reference_vol,
        forward=float(public.grid.forward[0]),
    )
    contracts, left_out = _held(party).in_book(
        proposal.underlying, public.grid.expiry[public.expiry_index], public.strike, public.call
    )
    positions, scale = scaled_positions(public, contracts)
    snapshot = Snapshot(fit.coefficients, flow, positions, program.fraction_bits)
    commitment = snapshot.commitment(consortium.hash, proposal.round, party.own)
    party.journal.promise_round(proposal.round, digest)
    sealed = seal_opening(consortium, party.own, proposal, snapshot, scale)
    party.journal.record_snapshot(proposal.round, commitment, opening=sealed)
    _ = public.digest  # derived here, while the other parties are still fitting
    elapsed = 1e3 * (time.perf_counter() - started)
    return Preparation(
        proposal=proposal,
        digest=digest,
        public=public,
        snapshot=snapshot,
        commitment=commitment,
        fit=fit,
        position_scale=scale,
        positions_left_out=left_out,
        dropped=dropped,
        milliseconds=elapsed,
        deadline=deadline,
    )


def mesh_part(committee: Sequence[int], member: int) -> float:
    """How much of the round's time a member's waits on the mesh may take."""
    return _MESH_PARTS_OF_THREE[committee.index(member)] if len(committee) == 3 else _MESH_PART


def run_round(party: PartyContext, ready: Preparation, commitments: tuple[bytes, ...]) -> Result:
    """Compute, approve and sign. Collective: the whole committee runs it at the same time.

    Reveals: the opened table (the report) to the committee, the signature to it; to each member alone, what its own positions
    add up to: see `hedging.opening`.

    Raises:
        ConsortiumError: any abort, with its reason and, where known, the culprit.
    """
    proposal, consortium = ready.proposal, party.consortium
    watch = _Watch(ready.milliseconds)
    identifier = session_identifier(consortium, proposal, ready.digest)
    with _evidence_kept(party), party.mesh.session(identifier, proposal.committee, ready.deadline) as links:
        compare_transcripts(links, consortium, ready, commitments)
        context = SigningContext(consortium.hash, consortium.epoch, proposal.round, consortium.names)
        presignature = run_presign(links, party.key, context, party.approver)
        try:
            watch.lap("nonce")
            opened, rounds = _compute(party, ready, links)
            check_inputs(opened, [consortium.names[member] for member in proposal.committee])
            check_range(ready.public, opened)
            exposure = _own_exposure(ready, opened)
            report = build_report(
                party, ready, commitments, pack_params(report_columns(ready.public, opened))
            )
            check_laws(report, pack_book(proposal.underlying, proposal.expiries, proposal.instruments))
            watch.lap("compute")
            digest = _digest(consortium, report)
            approved = run_approval(links, party.key, presignature, digest, party.approver, party.journal)
            watch.lap("approve")
            signature = run_signature(links, approved)
            watch.lap("sign")
            party.journal.record_exposure(
                proposal.round, seal_exposure(consortium.members[party.own], exposure), commitments
            )
        except PeerDisputes as told:  # in place of a message of the computation: the nonce is given up
            presignature.dispute(links, party.approver, told)
        finally:
            presignature.discard()
        stats = links.stats
    times = watch.times(mesh_bytes=stats.wire_sent, mesh_rounds=stats.rounds + rounds)
    return Result(proposal.round, digest, encode_report(report), signature, times)


@contextmanager
def _evidence_kept(party: PartyContext) -> Iterator[None]:
    """Hand the evidence of a dispute on before the round ends."""
    try:
        yield
    except SigningError as error:
        if error.evidence is not None and party.keep_evidence is not None:
            party.keep_evidence(error.evidence)
        raise


def session_identifier(consortium: Consortium, proposal: Proposal, digest: bytes) -> bytes:
    """32 bytes that name this round's mesh session: the same at all parties that hold the same proposal."""
    content = _SESSION_DOMAIN + consortium.hash + proposal.round.to_bytes(8, "big") + digest
    return hashlib.sha256(content).digest()


def compare_transcripts(
    links: Exchange, consortium: Consortium, ready: Preparation, commitments: tuple[bytes, ...]
) -> None:
    """All parties compare what they hold, before anything secret is shared. One exchange of 128 bytes.

    Raises:
        RoundError: PROGRAM_MISMATCH or MODEL_MISMATCH, naming what differs and from whom. That does not prove who
            is wrong, so nobody is named as culprit.
    """
    own = (
        ready.digest,
        hashlib.sha256(b"".join(commitments)).digest(),
        ready.public.digest,
        bytes.fromhex(consortium.model or ""),
    )
    content = b"".join(own)
    answers = links.exchange(FrameKind.CHECK, dict.fromkeys(links.peers, content), links.peers)
    for peer, answer in sorted(answers.items()):
        if answer == content:
            continue
        parts = [answer[i : i + 32] for i in range(0, len(answer), 32)]
        differs = [name for name, mine, other in zip(_CHECKED, own, parts, strict=False) if mine != other]
        raise RoundError(
            f"{consortium.names[peer]} has other {' and '.join(differs) or 'data'} for round {ready.proposal.round}",
            reason=Reason.MODEL_MISMATCH if differs == ["model"] else Reason.PROGRAM_MISMATCH,
            remedy="run the same version of this software and of the consortium file everywhere",
        )


def build_report(
    party: PartyContext, ready: Preparation, commitments: tuple[bytes, ...], params: bytes
) -> HedgeReport:
    """The report as this party computed it, from its own copies of everything."""
    proposal, consortium = ready.proposal, party.consortium
    forwards = b"".join(pack_forward(ForwardFields(slot.expiry, slot.forward)) for slot in proposal.expiries)
    return HedgeReport(
        consortium=bytes.fromhex(consortium.id),
        epoch=consortium.epoch,
        round=proposal.round,
        observed_at=proposal.observed_at,
        valid_until=proposal.valid_until,
        book=book_hash(proposal.underlying, proposal.expiries, proposal.instruments),
        model=bytes.fromhex(consortium.model or ""),
        inputs=merkle_root(commitments),
        forwards=forwards,
        params=params,
    )


def _compute(party: PartyContext, ready: Preparation, links: MeshSession) -> tuple[Opened, int]:
    """The opened table, and in how many of the program's rounds this party had no part: the round counts them too."""
    consortium, proposal = party.consortium, ready.proposal
    program = consortium.program
    session = SecureSession(
        links,
        committee=proposal.committee,
        context=SessionContext(consortium=consortium.hash, epoch=consortium.epoch, round=proposal.round),
        fraction_bits=program.fraction_bits,
        names=consortium.names,
    )
    session.setup()
    components = committee_components(party.model, proposal.committee)
    model = ReplicatedShares(session, torch.from_numpy(components), program.fraction_bits)
    before = links.stats.rounds - 1
    opened = compute(session, ready.public, ready.snapshot, party.model.header.kind, model)
    return opened, session.traffic.rounds - (links.stats.rounds - before)


def _digest(consortium: Consortium, report: HedgeReport) -> bytes:
    settlement = consortium.settlement
    if settlement is None:
        raise ConsortiumError(
            "the consortium file names no contract",
            reason=Reason.CONSORTIUM_INCOMPLETE,
            remedy="mpc-coordinator deploy",
        )
    return report_digest(report, settlement.chain_id, settlement.contract)


def _flow(party: PartyContext, observed_at: int, dropped: Counter[str]) -> FlowFeatures:
    """This party's order flow; neutral, and counted as dropped, where its feed has none. A round needs quotes, not flow."""
    if party.flow is None:
        return FlowFeatures()
    try:
        return party.flow.flow(observed_at)
    except MarketDataError:
        dropped["flow"] += 1
        return FlowFeatures()


def _held(party: PartyContext) -> Positions:
    return Positions({}) if party.positions is None else read_positions(party.positions)


def _own_exposure(ready: Preparation, opened: Opened) -> OwnExposure:
    """Check what was opened to this party alone, and bring it to the units of its contracts."""
    unit = np.float64(2.0**-opened.fraction_bits)
    check_exposure(ready.public, opened.table * unit, ready.snapshot.positions * unit, opened.exposure)
    return OwnExposure.of(opened.exposure.times(ready.position_scale), ready.positions_left_out)


class _Watch:
    """Milliseconds per phase."""

    def __init__(self, commit: float) -> None:
        self._commit = commit
        self._started = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self._laps[name] = 1e3 * (now - self._last)
        self._last = now

    def times(self, *, mesh_bytes: int, mesh_rounds: int) -> PhaseTimes:
        total = self._commit + 1e3 * (self._last - self._started)
        return PhaseTimes(
            commit=self._commit, total=total, mesh_bytes=mesh_bytes, mesh_rounds=mesh_rounds, **self._laps
        )
