"""What an audit refuses."""

from mpc_party.protocol.errors import ConsortiumError, Reason


class AuditError(ConsortiumError):
    """An opening or a disclosure does not open, or contradicts what was committed to or signed."""

    default_reason = Reason.DISCLOSURE_INVALID
