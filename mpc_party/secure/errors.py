"""The errors that end a computation on shares."""

from mpc_party.protocol.errors import Reason, RoundError


class SecureError(RoundError):
    """The computation stops here; the round is aborted, or run again under a new number.

    Messages name shapes, operations and members, never a value or a share.
    """

    default_reason = Reason.COMPUTATION_OUT_OF_RANGE


class OutOfRangeError(SecureError):
    """Opened values are outside of the range that the program has for them."""

    default_reason = Reason.COMPUTATION_OUT_OF_RANGE
