"""Proof that two points have the same logarithm, to two bases (Chaum and Pedersen 1992, by Fiat and Shamir).

A signer shows with it that B_i = x_i C_i for the x_i of its public share X_i = x_i G, without giving x_i.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc_party.signing.curve import Point, add, multiply_base, multiply_public, multiply_secret
from mpc_party.signing.field import GROUP_ORDER
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.wire import bind

_DOMAIN = b"mpc-hedge/signature/equal-logarithms/v1"


@dataclass(frozen=True)
class EqualityProof:
    """(T, T', z) with T = u G, T' = u C and z = u + c x."""

    commitment: Point
    commitment_here: Point
    response: int


@dataclass(frozen=True)
class EqualityStatement:
    """log_G X = log_C B, by this sender in this session."""

    session: bytes
    sender: int
    public: Point  # X = x G
    base: Point  # C
    product: Point  # B = x C

    def challenge(self, commitment: Point, commitment_here: Point) -> int:
        """The verifier's part, by hash."""
        points = (self.public, self.base, self.product, commitment, commitment_here)
        hashed = bind(_DOMAIN, self.session, self.sender, tuple(point.encode() for point in points))
        return int.from_bytes(hashed, "big") % GROUP_ORDER


def prove_equality(secret: SecretScalar, statement: EqualityStatement) -> EqualityProof:
    """Prove the statement, knowing its logarithm."""
    mask = SecretScalar.random()
    commitment, commitment_here = multiply_base(mask), multiply_secret(mask, statement.base)
    challenge = statement.challenge(commitment, commitment_here)
    return EqualityProof(commitment, commitment_here, (mask + challenge * secret).publish())


def verify_equality(proof: EqualityProof, statement: EqualityStatement) -> bool:
    """Whether z G = T + c X and z C = T' + c B."""
    if not 0 < proof.response < GROUP_ORDER:
        return False
    challenge = statement.challenge(proof.commitment, proof.commitment_here)
    sides = (
        (multiply_base(proof.response), proof.commitment, statement.public),
        (multiply_public(proof.response, statement.base), proof.commitment_here, statement.product),
    )
    for left, commitment, point in sides:
        shifted = multiply_public(challenge, point)
        if left != (commitment if shifted is None else add([commitment, shifted])):
            return False
    return True
