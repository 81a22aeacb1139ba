"""A past round made up on the spot: openings, a dealt model, and a report that follows from them, signed by a test key."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np

from coordinator.report_file import ReportFile, make_report_file
from mpc_party.audit.auditor_key import AuditorKey
from mpc_party.audit.disclosure import Disclosure, disclosure_of, open_disclosure, seal_disclosure
from mpc_party.audit.evidence import Evidence, gather
from mpc_party.audit.opening import RoundOpening, open_opening, seal_opening
from mpc_party.audit.verdict import replayed_columns
from mpc_party.hedging.model import MINIMUM_VARIANCE, encode_weights
from mpc_party.hedging.public import public_inputs, to_ring
from mpc_party.hedging.replay import replay
from mpc_party.hedging.snapshot import Snapshot
from mpc_party.market.streams import normal, uniform
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.merkle import merkle_root
from mpc_party.protocol.model_share import VERSION, ModelHeader, deal
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import pack_params
from tests.support.signed_group import EXAMPLE, SignedGroup, book_words

WEIGHTS = (-0.25, 0.4, -0.3)
COMMITTEE = (0, 2, 3)
ROUND = 5
NAMES = ("alpha", "charlie", "delta")  # of the committee


@dataclass
class Scene:
    """Four members, of which three ran round 5."""

    program: Program = field(default_factory=Program)
    kind: str = MINIMUM_VARIANCE
    weights: tuple[float, ...] = WEIGHTS

    def __post_init__(self) -> None:
        self.group = SignedGroup(members=4, program=self.program)
        self.group.at(EXAMPLE)
        self.auditor = AuditorKey.generate()
        self.model, self.shares = self.dealt()
        self.consortium = msgspec.structs.replace(self.group.consortium, model=self.model.hex())
        self.group.consortium = self.consortium
        self.identities = self.group.identities
        self.proposal = msgspec.structs.replace(self.group.proposal(ROUND), committee=COMMITTEE)
        self.public = public_inputs(self.proposal, self.program)
        self.snapshots = {member: self.snapshot(member) for member in COMMITTEE}
        self.commitments = tuple(
            self.snapshots[member].commitment(self.consortium.hash, ROUND, member) for member in COMMITTEE
        )
        self.report = self.honest_report()

    def dealt(self) -> tuple[bytes, list[bytes]]:
        """Commitment and the contents of the share files."""
        consortium, bits = self.group.consortium, self.program.fraction_bits
        header = ModelHeader(
            VERSION, consortium.id_bytes, 1, self.kind, len(self.weights), bits, len(consortium.members), 1
        )
        recipients = [member.encryption_key for member in consortium.members]
        commitment, files = deal(header, encode_weights(self.kind, self.weights, bits), recipients)
        pairs = zip(self.group.identities, files, strict=True)
        return commitment, [identity.decrypt(data) for identity, data in pairs]

    def snapshot(self, member: int) -> Snapshot:
        expiries, label = len(self.proposal.expiries), f"audit/{member}"
        surface = 0.05 * normal(f"{label}/surface", 3 * expiries).reshape(expiries, 3)
        flow = 2.0 * uniform(f"{label}/flow", 3) - 1.0
        positions = 2.0 * uniform(f"{label}/positions", len(self.proposal.instruments)) - 1.0
        return Snapshot(surface, flow, positions, self.program.fraction_bits)

    def honest_report(self) -> HedgeReport:
        bits = self.program.fraction_bits
        weights = to_ring(np.array(self.weights), bits) * 2.0**-bits
        table = replay(self.public, [s.market for s in self.snapshots.values()], self.kind, weights)
        return msgspec.structs.replace(
            self.group.report(self.proposal),
            inputs=merkle_root(self.commitments),
            params=pack_params(replayed_columns(self.public, table)),
        )

    def opening(self, member: int) -> RoundOpening:
        sealed = seal_opening(self.consortium, member, self.proposal, self.snapshots[member], 12.5)
        return open_opening(sealed, self.identities[member].decrypt)

    def disclosure(self, member: int, **changes) -> Disclosure:
        made = disclosure_of(
            self.opening(member), self.auditor.recipient, self.commitments, self.shares[member]
        )
        return msgspec.structs.replace(made, **changes)

    def sealed(self, disclosure: Disclosure, signer: int | None = None) -> bytes:
        return seal_disclosure(disclosure, self.identities[disclosure.member if signer is None else signer])

    def opened(self, disclosure: Disclosure) -> Disclosure:
        """As the auditor gets it: signed by its member, encrypted and opened again."""
        return open_disclosure(self.sealed(disclosure), self.auditor, self.consortium.members)

    def disclosures(self, **changes: dict) -> list[Disclosure]:
        """The committee's; `changes` by member name."""
        return [
            self.opened(self.disclosure(member, **changes.get(name, {})))
            for member, name in zip(COMMITTEE, NAMES, strict=True)
        ]

    def gather(self, disclosures: list[Disclosure], report: HedgeReport | None = None) -> Evidence:
        return gather(report or self.report, self.consortium, disclosures)

    def file(self, report: HedgeReport | None = None) -> ReportFile:
        report = report or self.report
        _, signature = self.group.signed(report)
        return make_report_file(
            report, book_words(self.proposal), signature, EXAMPLE.chain_id, EXAMPLE.contract
        )
