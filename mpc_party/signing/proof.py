"""Proof of knowledge of a discrete logarithm (Schnorr 1989, made non-interactive by Fiat and Shamir).

Without it, a member could choose its part of the group's key as a function of the others' (a rogue key); the
commitment that comes before the opening already hinders that, and the proof rules it out.
"""

from dataclasses import dataclass

from mpc_party.signing.curve import Point, add, multiply_base, multiply_public
from mpc_party.signing.field import GROUP_ORDER
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.wire import bind

_DOMAIN = b"mpc-hedge/keygen/proof-of-knowledge/v1"


@dataclass(frozen=True)
class ProofOfKnowledge:
    """(T, z) with T = u G and z = u + c x."""

    commitment: Point
    response: int


def _challenge(session: bytes, sender: int, statement: Point, commitment: Point) -> int:
    return (
        int.from_bytes(bind(_DOMAIN, session, sender, statement.encode(), commitment.encode()), "big")
        % GROUP_ORDER
    )


def prove(secret: SecretScalar, statement: Point, *, session: bytes, sender: int) -> ProofOfKnowledge:
    """Prove knowledge of `secret` with statement = secret * G, as this sender in this session."""
    mask = SecretScalar.random()
    commitment = multiply_base(mask)
    challenge = _challenge(session, sender, statement, commitment)
    return ProofOfKnowledge(commitment, (mask + challenge * secret).publish())


def verify(proof: ProofOfKnowledge, statement: Point, *, session: bytes, sender: int) -> bool:
    """Whether z G = T + c X, for the challenge of this sender in this session."""
    if not 0 < proof.response < GROUP_ORDER:
        return False
    shifted = multiply_public(_challenge(session, sender, statement, proof.commitment), statement)
    expected = proof.commitment if shifted is None else add([proof.commitment, shifted])
    return multiply_base(proof.response) == expected
