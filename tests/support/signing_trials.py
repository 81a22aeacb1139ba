"""Key generation and signing with cheats among the members, and what the honest ones and the judge make of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mpc_party.signing import Evidence, SigningError, close_signature, run_signature, verify_signature
from mpc_party.signing.approval import run_approval
from mpc_party.signing.dispute import Case
from mpc_party.signing.judges import case_of
from mpc_party.signing.keygen import KeygenParty, drive_keygen
from mpc_party.signing.presign import NonceParty, drive_presign
from mpc_party.signing.verdict import Proof, Verdict
from tests.support.local_mesh import LocalExchange, local_mesh, party_outcomes
from tests.support.signing_forger import Forger
from tests.support.signing_parties import (
    key_shares,
    keygen_context,
    message_keys,
    signing_context,
)

CHEAT = 2
DIGEST = hashlib.sha256(b"a report").digest()


class NoJournal:
    """The journal's part in an approval, for runs whose number is counted in hundreds."""

    def approve_and_spend(self, *_: object) -> None:
        pass


@dataclass
class Trial:
    """What came of a run, by member."""

    outcomes: Mapping[int, Any]
    case: Case
    keys: Mapping[int, bytes]
    cheats: tuple[int, ...]
    meshes: list[LocalExchange] = field(repr=False, default_factory=list)

    @property
    def honest(self) -> dict[int, Any]:
        return {member: outcome for member, outcome in self.outcomes.items() if member not in self.cheats}

    @property
    def verdicts(self) -> dict[int, Verdict]:
        """Of the honest members' evidence, each judged from its file's bytes."""
        found = {}
        for member, error in self.honest.items():
            if getattr(error, "evidence", None) is not None:
                evidence = Evidence.decode(error.evidence.encode())
                case = case_of(evidence)
                assert case == self.case
                assert evidence.assembled_by == member
                found[member] = case.judge(evidence.statements, self.keys)
        return found

    def assert_no_honest_member_is_named(self) -> None:
        for member, outcome in self.honest.items():
            accused = getattr(outcome, "culprit", None)
            assert accused not in {f"desk-{m}" for m in self.honest}, (member, outcome)
        for verdict in self.verdicts.values():
            for proof in (Proof.SIGNED, Proof.ATTESTED):
                assert set(verdict.culprits(proof)) <= set(self.cheats), verdict

    def assert_stopped(self) -> None:
        """No honest member has a key or a signature, and each has evidence."""
        for outcome in self.honest.values():
            assert isinstance(outcome, SigningError), repr(outcome)
            assert outcome.evidence is not None

    def assert_named(self, proof: Proof | None, culprit: int = CHEAT) -> None:
        """All honest members' evidence names the culprit with this proof, and their errors do; None: nobody is named by evidence."""
        self.assert_stopped()
        self.assert_no_honest_member_is_named()
        for member, verdict in self.verdicts.items():
            named = verdict.strongest
            found = None if named is None else named.proof
            assert found == proof, (member, verdict, self.honest[member])
            if named is not None:
                assert named.culprit == culprit
                assert self.honest[member].culprit == f"desk-{culprit}"
                assert f"({proof})" in self.honest[member].message


class Signed(NamedTuple):
    """What a member has that got the signature."""

    signature: bytes
    evidence: Evidence | None  # of others' dispute


Program = Callable[[LocalExchange], Any]


def finished(program: Program) -> Program:
    """Close the exchange at the end, so that nobody waits for a member that is done."""

    def run(exchange: LocalExchange) -> Any:
        try:
            return program(exchange)
        finally:
            exchange.close()

    return run


def keygen_trial(
    forgers: Mapping[int, Callable[[Forger], None]] | None = None,
    parties: Mapping[int, Callable[..., KeygenParty]] | None = None,
    size: tuple[int, int] = (3, 1),
    programs: Mapping[int, Program] | None = None,
    cheats: tuple[int, ...] | None = None,
) -> Trial:
    """Key generation, with forgers, other parties or whole programs at some members."""
    members, threshold = size
    context, keys = keygen_context(members, threshold), message_keys(members)
    meshes = local_mesh(range(members))
    forgers, parties, programs = forgers or {}, parties or {}, programs or {}
    for member, prepare in forgers.items():
        forger = Forger(keys[member], context.session, member)
        prepare(forger)
        meshes[member].tamper = forger

    def program(exchange: LocalExchange) -> Any:
        own = exchange.own
        if own in programs:
            return programs[own](exchange)
        return drive_keygen(exchange, parties.get(own, KeygenParty)(context, own), keys[own])

    outcomes = party_outcomes(meshes, finished(program))
    guilty = cheats or tuple(sorted({*forgers, *parties, *programs}))
    return Trial(outcomes, context.case, keys[0].keys, guilty, meshes)


def signing_trial(
    forgers: Mapping[int, Callable[[Forger], None]] | None = None,
    parties: Mapping[int, type[NonceParty]] | None = None,
    size: tuple[int, int] = (3, 1),
    digests: Mapping[int, bytes] | None = None,
    between: Mapping[int, Callable[[LocalExchange, Any], None]] | None = None,
    cheats: tuple[int, ...] | None = None,
) -> Trial:
    """A nonce and a signature. `between`: what a member does after its nonce phase, in place of going on."""
    members, threshold = size
    signers = tuple(range(2 * threshold + 1))
    keys, shares, context = message_keys(members), key_shares(members, threshold), signing_context(members)
    meshes = local_mesh(signers)
    forgers, parties, digests, between = forgers or {}, parties or {}, digests or {}, between or {}
    case = context.case(signers, shares[0])
    for member, prepare in forgers.items():
        forger = Forger(keys[member], case.session, member)
        prepare(forger)
        meshes[member].tamper = forger

    def program(exchange: LocalExchange) -> Any:
        own = exchange.own
        party = parties.get(own, NonceParty)(context, shares[own], signers)
        presignature = drive_presign(exchange, party, keys[own])
        if own in between:
            return between[own](exchange, presignature)
        digest = digests.get(own, DIGEST)
        approved = run_approval(exchange, shares[own], presignature, digest, keys[own], NoJournal())
        signature = run_signature(exchange, approved)
        assert verify_signature(shares[0].public_key, digest, signature)
        return Signed(signature, close_signature(exchange, approved))

    outcomes = party_outcomes(meshes, finished(program))
    guilty = tuple(sorted({*forgers, *parties, *between})) if cheats is None else cheats
    return Trial(outcomes, case, keys[0].keys, guilty, meshes)


__all__ = ["CHEAT", "DIGEST", "NoJournal", "Trial", "keygen_trial", "signing_trial"]
