"""The error that ends a signing ceremony."""

from mpc_party.protocol.errors import Reason, RoundError


class SigningError(RoundError):
    """Key generation, the nonce phase or signing stops here. Nothing made in it is used again.

    `culprit` names a member only where this party can be sure. Several checks find that somebody cheated but
    not who: with 2t+1 parties, t+1 consistent values and t inconsistent ones look the same from both sides.
    """

    default_reason = Reason.SIGNATURE_INVALID
