"""The error that ends a signing ceremony."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpc_party.protocol.errors import Reason, RoundError

if TYPE_CHECKING:
    from mpc_party.signing.evidence import Evidence


class SigningError(RoundError):
    """Key generation, the nonce phase or signing stops here. Nothing made in it is used again.

    `culprit` names a member only where this party can be sure. Several checks find that somebody cheated but
    not who: with 2t+1 parties, t+1 consistent values and t inconsistent ones look the same from both sides.

    Attributes:
        evidence: what the dispute that followed has shown, for a file and for `judges`; None where there was none.
    """

    default_reason = Reason.SIGNATURE_INVALID
    evidence: Evidence | None = None
