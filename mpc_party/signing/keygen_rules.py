"""The checks of key generation that need no secret: for a member while it runs, and for the judge afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mpc_party.signing.curve import Point, add, multiply_base
from mpc_party.signing.exponent import evaluate_commitments
from mpc_party.signing.field import coordinate, decode_scalar
from mpc_party.signing.proof import ProofOfKnowledge, verify
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.verdict import Fault
from mpc_party.signing.wire import KeygenOpen, bind

COMMIT: Final = "commit"
OPEN: Final = "open"
DEAL: Final = "deal"
CONFIRM: Final = "confirm"


class RuleError(ValueError):
    """A message breaks a rule of its protocol. The text reads after the sender's name."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


def hash_of_vector(session: bytes, sender: int, vector: Sequence[bytes]) -> bytes:
    """What step 1 commits to."""
    return bind(b"mpc-hedge/keygen/feldman-vector/v1", session, sender, tuple(vector))


def check_opening(
    session: bytes, sender: int, message: KeygenOpen, *, commitment: bytes | None, threshold: int
) -> list[Point]:
    """The opened Feldman vector. Without `commitment`, what was committed to is not compared.

    Raises:
        RuleError: it breaks a rule.
    """
    # The protocol: "open it ... and require its length to be exactly t+1": a longer vector would raise the degree of the
    # key's sharing, and t+1 members could no longer use it.
    if len(message.coefficients) != threshold + 1:
        raise RuleError(Fault.WRONG_LENGTH, "the Feldman vector does not have t+1 terms")
    if commitment not in {None, hash_of_vector(session, sender, message.coefficients)}:
        raise RuleError(Fault.WRONG_OPENING, "the opened Feldman vector is not the one committed to")
    try:
        vector = [Point.decode(coefficient) for coefficient in message.coefficients]
        proof = ProofOfKnowledge(
            Point.decode(message.proof_commitment), decode_scalar(message.proof_response)
        )
    except ValueError:
        raise RuleError(
            Fault.MALFORMED, "the opening holds something that is no point or no scalar"
        ) from None
    if not verify(proof, vector[0], session=session, sender=sender):
        raise RuleError(Fault.WRONG_PROOF, "the proof of knowledge of the constant term does not verify")
    return vector


def share_fits(vector: Sequence[Point], receiver: int, share: bytes) -> bool:
    """Whether a private share lies on the committed polynomial.

    The protocol: "private shares, checked in the exponent": f_j(i) G = sum of i^k A_jk
    """
    try:
        shown = multiply_base(SecretScalar(share))
    except ValueError:
        return False  # no scalar in [1, q)
    return evaluate_commitments(vector, coordinate(receiver)) == shown


def combine(
    vectors: Sequence[Sequence[Point]], members: Sequence[int]
) -> tuple[bytes, tuple[bytes, ...]] | None:
    """Y and all X_j of the sum of the Feldman vectors; None where one of its coefficients or values is zero."""
    summed = [add(points) for points in zip(*vectors, strict=True)]
    known = [point for point in summed if point is not None]
    shares = [evaluate_commitments(known, coordinate(member)) for member in members]
    encoded = tuple(point.encode() for point in shares if point is not None)
    if len(known) != len(summed) or len(encoded) != len(members):
        return None
    return known[0].encode(), encoded


def hash_of_result(
    session: bytes, echo: tuple[bytes, ...], public_key: bytes, public_shares: tuple[bytes, ...]
) -> bytes:
    """What step 4 confirms."""
    return bind(b"mpc-hedge/keygen/result/v1", session, echo, public_key, public_shares)
