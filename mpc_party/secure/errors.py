"""The error that ends a computation on shares."""

from mpc_party.protocol.errors import Reason, RoundError


class SecureError(RoundError):
    """The computation stops here; the round is aborted, or run again under a new number.

    Messages name shapes, operations and members, never a value or a share.
    """

    default_reason = Reason.COMPUTATION_OUT_OF_RANGE
