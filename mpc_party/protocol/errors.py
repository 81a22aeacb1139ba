"""Typed errors: every failure says what happened, who is at fault where that is known, and what to do now."""

from enum import StrEnum


class Reason(StrEnum):
    """Stable codes for why something was refused or a round aborted.

    Codes are part of the wire format and of the journals: they are added, never renamed or reused.
    """

    # Configuration and files
    CONFIG_INVALID = "config-invalid"  # a file does not parse or breaks a rule; fix the named field
    CONSORTIUM_MISMATCH = "consortium-mismatch"  # two parties hold different consortium files
    CONSORTIUM_INCOMPLETE = "consortium-incomplete"  # key, model or settlement section still missing
    PASSPHRASE_WRONG = "passphrase-wrong"  # noqa: S105 - the keystore does not open
    KEY_UNKNOWN = "key-unknown"  # this identity is not a member of the file
    # Control plane
    MESSAGE_MALFORMED = "message-malformed"  # does not decode, or is not in canonical form
    MESSAGE_FORGED = "message-forged"  # signature, sender or topic does not fit
    MESSAGE_EXPIRED = "message-expired"  # past its expiry
    MESSAGE_REPLAYED = "message-replayed"  # sequence number not above the last one seen
    BROKER_UNREACHABLE = "broker-unreachable"  # no MQTT session; check URL, TLS and credentials
    BROKER_REFUSED = "broker-refused"  # the broker answered no, or granted but does not deliver
    # Mesh
    PEER_UNREACHABLE = "peer-unreachable"  # no TCP or TLS connection before the deadline
    PEER_TIMEOUT = "peer-timeout"  # connected, then silent past the deadline
    PEER_REFUSED = "peer-refused"  # wrong certificate or consortium hash
    PEER_CLOSED = "peer-closed"  # the link broke in the middle of a round
    FRAME_MALFORMED = "frame-malformed"  # bytes on the mesh that are no frame, or out of order
    # Rounds
    PROPOSAL_REFUSED = "proposal-refused"  # does not fit the consortium file, the clock or the journal
    FORWARD_OUT_OF_BOUNDS = "forward-out-of-bounds"  # a proposed forward is not what this party sees
    REFERENCE_OUT_OF_BAND = "reference-out-of-band"  # the reference vol is too far from this party's quotes
    MARKET_DATA_STALE = "market-data-stale"  # this party has no fresh quotes
    ROUND_ALREADY_PROMISED = "round-already-promised"  # the journal has this or a later round
    COMMITMENT_TIMEOUT = "commitment-timeout"  # a committee member did not commit in time
    PROGRAM_MISMATCH = "program-mismatch"  # parties derived different public inputs
    COMPUTATION_OUT_OF_RANGE = "computation-out-of-range"  # opened values fail a range check; retried
    INPUT_OUT_OF_RANGE = "input-out-of-range"  # a party put in what its own software never does
    REPORT_UNLAWFUL = "report-unlawful"  # what was computed could be challenged on chain; nobody signs it
    APPROVAL_MISMATCH = "approval-mismatch"  # parties would sign different digests
    ROUND_DEADLINE = "round-deadline"  # the round ran out of time
    PARTY_STOPPED = "party-stopped"  # the operator of a party stopped it
    INTERNAL = "internal"  # a bug; the log of the party named has the details
    # Signing
    KEYGEN_FAILED = "keygen-failed"  # a check of key generation failed
    RESHARE_FAILED = "reshare-failed"  # a check of resharing failed; the old shares are as they were
    RECOVERY_FAILED = "recovery-failed"  # a check of the recovery of a share failed; nothing has changed
    NONCE_INVALID = "nonce-invalid"  # a check of nonce generation failed
    NONCE_SPENT = "nonce-spent"  # the journal says that this nonce has been used
    SIGNATURE_INVALID = "signature-invalid"  # the combined signature does not verify
    ECHO_MISMATCH = "echo-mismatch"  # somebody told different parties different things
    DISPUTED = "disputed"  # another member's check failed; the evidence files say whose fault it was, where that shows
    EVIDENCE_INVALID = "evidence-invalid"  # a file that is no evidence of a dispute, or is damaged
    # Model and market data
    MODEL_MISMATCH = "model-mismatch"  # model shares do not fit the commitment in the consortium file
    MARKET_DATA_INVALID = "market-data-invalid"  # a market file or feed breaks its format
    # Settlement
    CHAIN_UNREACHABLE = "chain-unreachable"  # no JSON-RPC node at the URL
    CHAIN_MISMATCH = "chain-mismatch"  # wrong chain id or contract
    SETTLEMENT_REVERTED = "settlement-reverted"  # the contract refused the report
    REPORT_REJECTED = (
        "report-rejected"  # the contract's breaker found a word that cannot be meant, and flagged the feed
    )
    REPORT_INVALID = "report-invalid"  # a report or its signature does not verify
    # Audit
    DISCLOSURE_INVALID = (
        "disclosure-invalid"  # a disclosed round does not fit its commitment, or does not open
    )
    # This machine
    JOURNAL_UNUSABLE = "journal-unusable"  # the journal cannot be opened or written
    ALREADY_RUNNING = "already-running"  # another process holds this party's journal


class ConsortiumError(Exception):
    """Base of all errors that this software raises on purpose.

    Args:
        message: what happened, in one line, without secrets.
        reason: the stable code.
        culprit: name of the member at fault, where that is known; None where it is not.
        remedy: the next step for whoever reads the message.
    """

    default_reason = Reason.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        reason: Reason | None = None,
        culprit: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason if reason is not None else self.default_reason
        self.culprit = culprit
        self.remedy = remedy

    def __str__(self) -> str:
        text = self.message
        if self.culprit is not None:
            text += f" (at fault: {self.culprit})"
        if self.remedy is not None:
            text += f"; {self.remedy}"
        return f"{text} [{self.reason}]"


class ConfigError(ConsortiumError):
    """A file, an option or an environment variable is wrong."""

    default_reason = Reason.CONFIG_INVALID


class MessageError(ConsortiumError):
    """A control-plane message does not decode, verify or fit."""

    default_reason = Reason.MESSAGE_MALFORMED


class RoundError(ConsortiumError):
    """A round cannot go on; it ends as aborted with this reason."""

    default_reason = Reason.PROPOSAL_REFUSED


class ReportError(ConsortiumError):
    """A report, one of its words or its signature breaks the format."""

    default_reason = Reason.REPORT_INVALID
