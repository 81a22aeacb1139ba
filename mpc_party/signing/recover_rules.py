"""The checks of a recovery that need no secret: for a member while it runs, and for the judge afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mpc_party.signing.curve import Point, add, multiply_base
from mpc_party.signing.keygen_rules import RuleError
from mpc_party.signing.recover_context import RecoverContext
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.verdict import Fault
from mpc_party.signing.wire import RecoverSplit, bind

SPLIT: Final = "recover-split"
PIECE: Final = "recover-piece"
ECHO: Final = "recover-echo"
SUM: Final = "recover-sum"
DONE: Final = "recover-done"

Row = dict[int, Point]  # C_ik of one helper i, by k


def check_split(context: RecoverContext, member: int, message: RecoverSplit) -> Row:
    """The commitments of a helper to its pieces, by helper; none of a witness.

    Raises:
        RuleError: they break a rule.
    """
    due = len(context.helpers) if member in context.helpers else 0
    if len(message.commitments) != due:
        raise RuleError(Fault.WRONG_LENGTH, "it is a split into another number of pieces")
    if not due:
        return {}
    try:
        points = [Point.decode(commitment) for commitment in message.commitments]
    except ValueError:
        raise RuleError(Fault.MALFORMED, "a commitment is no point") from None
    # The protocol: "commitments piece*G whose sum must be lambda_i X_i"
    if add(points) != context.weighted_share(member):
        raise RuleError(
            Fault.WRONG_CONSTANT, "the commitments do not add up to the helper's weighted share of the key"
        )
    return dict(zip(context.helpers, points, strict=True))


def sum_of(rows: Mapping[int, Row], helper: int) -> Point | None:
    """What s_k G must be: the sum of C_ik over i."""
    return add(row[helper] for row in rows.values())


def is_logarithm(scalar: bytes, point: Point | None) -> bool:
    """Whether a scalar is in [1, q) and fits its point. In a dispute, members ask this of good pieces too: it takes the scalar for secret."""
    try:
        return multiply_base(SecretScalar(scalar)) == point
    except ValueError:
        return False


def hash_of_transcript(session: bytes, echo: Sequence[bytes]) -> bytes:
    """What step 5 confirms: all that was broadcast in step 1."""
    return bind(b"mpc-hedge/recover/transcript/v1", session, tuple(echo))
