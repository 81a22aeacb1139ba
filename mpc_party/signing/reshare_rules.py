"""The checks of resharing that need no secret: for a member while it runs, and for the judge afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mpc_party.protocol.errors import Reason
from mpc_party.signing.curve import Point, add, multiply_base, multiply_public
from mpc_party.signing.errors import SigningError
from mpc_party.signing.exponent import evaluate_commitments
from mpc_party.signing.field import coordinate, lagrange
from mpc_party.signing.keygen_rules import RuleError
from mpc_party.signing.reshare_context import ReshareContext
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.verdict import Fault
from mpc_party.signing.wire import ReshareOpen, bind

COMMIT: Final = "reshare-commit"
OPEN: Final = "reshare-open"
DEAL: Final = "reshare-deal"
CONFIRM: Final = "reshare-confirm"


def hash_of_vector(session: bytes, dealer: int, vector: Sequence[bytes]) -> bytes:
    """What a dealer commits to in step 1: the vector's compressed points, as this dealer, in this session."""
    return bind(b"mpc-hedge/reshare/feldman-vector/v1", session, dealer, tuple(vector))


def constant_term(context: ReshareContext, dealer: int) -> Point:
    """lambda_i X_i, which the vector of a dealer must begin with."""
    seat = context.old_seat(dealer)
    weight = lagrange(context.dealer_coordinates)[context.dealer_coordinates.index(coordinate(seat))]
    point = multiply_public(weight, context.old.point(seat))
    if point is None:
        raise SigningError("a dealer has the weight zero", reason=Reason.INTERNAL)
    return point


def check_opening(
    context: ReshareContext, session: bytes, dealer: int, message: ReshareOpen, commitment: bytes | None
) -> list[Point]:
    """The opened Feldman vector. Without `commitment`, what was committed to is not compared.

    Raises:
        RuleError: it breaks a rule.
    """
    # The protocol: "the vector, exactly t'+1 points": a longer one would raise the degree of the new sharing.
    if len(message.coefficients) != context.threshold + 1:
        raise RuleError(Fault.WRONG_LENGTH, "the Feldman vector does not have t'+1 terms")
    if commitment not in {None, hash_of_vector(session, dealer, message.coefficients)}:
        raise RuleError(Fault.WRONG_OPENING, "the opened Feldman vector is not the one committed to")
    # The protocol: "its constant term must be lambda_i X_i"
    if message.coefficients[0] != constant_term(context, dealer).encode():
        raise RuleError(
            Fault.WRONG_CONSTANT, "the constant term is not the dealer's weighted share of the group's key"
        )
    try:
        return [Point.decode(coefficient) for coefficient in message.coefficients]
    except ValueError:
        raise RuleError(Fault.MALFORMED, "the opening holds something that is no point") from None


def share_fits(vector: Sequence[Point], at: int, share: bytes) -> bool:
    """Whether a share lies on the committed polynomial. In a dispute, members ask this of good shares too: it takes the share for secret."""
    try:
        shown = multiply_base(SecretScalar(share))
    except ValueError:
        return False  # no scalar in [1, q)
    return evaluate_commitments(vector, at) == shown


def combine(context: ReshareContext, vectors: Sequence[Sequence[Point]]) -> tuple[bytes, ...] | None:
    """All X'_j from the sum of the dealers' vectors; None where one is zero, or the constant terms do not add up to Y."""
    summed = [point for points in zip(*vectors, strict=True) if (point := add(points)) is not None]
    # The protocol: "sum of constants = Y"
    if len(summed) != context.threshold + 1 or summed[0].encode() != context.old.public_key:
        return None
    evaluated = [evaluate_commitments(summed, context.new_coordinate(index)) for index in context.receivers]
    shares = tuple(point.encode() for point in evaluated if point is not None)
    return shares if len(shares) == len(evaluated) else None


def hash_of_result(
    context: ReshareContext, session: bytes, echo: Sequence[bytes], public_shares: Sequence[bytes]
) -> bytes:
    """What step 4 confirms: "hash of all and of the result"."""
    return bind(
        b"mpc-hedge/reshare/result/v1",
        session,
        tuple(echo),
        context.old.public_key,
        tuple(public_shares),
    )
