"""What a dispute has shown: who is at fault, for what, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Proof(StrEnum):
    """How far a finding goes."""

    SIGNED = "signed"  # follows from what the culprit itself has signed: anybody can check it
    ATTESTED = "attested"  # t+1 members have signed that they saw it, so at least one honest member did
    CLAIMED = "claimed"  # fewer say so; one liar is enough for that


_RANKS = {Proof.SIGNED: 0, Proof.ATTESTED: 1, Proof.CLAIMED: 2}


class Fault(StrEnum):
    """What a member did. Codes are in evidence that others read: added, never renamed."""

    # In any protocol
    EQUIVOCATES = "equivocates"  # two messages for one place
    MALFORMED = "malformed"  # signed, and no message of that step
    REPLAYS = "replays"  # signed for one place, and its body is of another session, step, sender or receiver
    UNSIGNED = "unsigned"  # a message without its sender's signature
    SHOWS_FORGERY = "shows-forgery"  # discloses a message that its sender has not signed
    WITHHOLDS = "withholds"  # its disclosure lacks what it has acknowledged
    REFUSES = "refuses"  # has not answered in the dispute
    FALSE_ALARM = "false-alarm"  # claims that a check failed, and shows messages that pass all of them
    FALSE_COMPLAINT = "false-complaint"  # complains about a private message that is as it should be
    GOES_ON = "goes-on"  # went on with messages that fail a check
    WRONG_ECHO = "wrong-echo"  # acknowledges something else than what it shows
    # Key generation and resharing
    WRONG_LENGTH = "wrong-length"  # a Feldman vector of another length
    WRONG_OPENING = "wrong-opening"  # opens something else than it committed to
    WRONG_PROOF = "wrong-proof"  # a proof that does not verify
    WRONG_DEAL = "wrong-deal"  # a private share off the committed polynomial
    WRONG_RESULT = "wrong-result"  # confirms another result than follows
    # Resharing and recovery
    WRONG_CONSTANT = "wrong-constant"  # commits to another value than its weighted share of the key
    WRONG_SUM = "wrong-sum"  # a sum of pieces that does not fit their commitments
    # Nonce and signature
    WRONG_DEGREE = "wrong-degree"  # deals a sharing of another degree
    WRONG_NONCE_POINT = "wrong-nonce-point"  # R_i is not k_i G
    WRONG_PRODUCT = "wrong-product"  # w_i is not a_i k_i + b_i
    WRONG_CHECK_POINT = "wrong-check-point"  # W_i is not a_i R
    WRONG_SHARE = "wrong-share"  # s_i is not what follows from the dealings


class Finding(NamedTuple):
    """One fault of one member, by member index. `text` reads after the member's name."""

    culprit: int
    fault: Fault
    proof: Proof
    text: str


@dataclass(frozen=True)
class Verdict:
    """All findings: the strongest proof first, then by member. Equal evidence gives equal verdicts."""

    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: list[Finding]) -> Verdict:
        """In order, each once."""
        return cls(tuple(sorted(set(findings), key=lambda f: (_RANKS[f.proof], f))))

    def culprits(self, proof: Proof) -> tuple[int, ...]:
        """Members with a finding of that proof, ascending."""
        return tuple(sorted({finding.culprit for finding in self.findings if finding.proof is proof}))

    @property
    def proven(self) -> tuple[int, ...]:
        """Members whose own signatures show their fault."""
        return self.culprits(Proof.SIGNED)

    @property
    def strongest(self) -> Finding | None:
        """The finding to name somebody by: signed, else attested. A claim alone names nobody."""
        first = self.findings[0] if self.findings else None
        return None if first is None or first.proof is Proof.CLAIMED else first
