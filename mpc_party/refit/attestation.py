"""What the members sign at the end of a refit: that they hold shares of one and the same new model."""

import hashlib
from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc_party.mesh import Exchange, FrameKind
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.hexadecimal import check_hex
from mpc_party.refit.agreement import RefitParameters

STATEMENT_PREFIX: Final = b"mpc-hedge/refitted-model/v1"
_SIGNATURE_BYTES: Final = 64


class RefitRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is public of a finished refit; every member has the same. Hex, by member index where there are several."""

    model: str  # the commitment
    ceremony: str  # the attempt that gave it
    parameters: RefitParameters
    attestations: tuple[str, ...]  # Ed25519 over `statement`


def statement(
    consortium: Consortium, ceremony: bytes, parameters: RefitParameters, commitment: bytes
) -> bytes:
    """What each member signs (32 bytes): SHA-256(prefix || roster hash || ceremony || commitment || parameters)."""
    return hashlib.sha256(
        STATEMENT_PREFIX + consortium.roster_hash + ceremony + commitment + msgspec.msgpack.encode(parameters)
    ).digest()


def attest(
    links: Exchange,
    consortium: Consortium,
    ceremony: bytes,
    parameters: RefitParameters,
    commitment: bytes,
    sign: Callable[[bytes], bytes],
) -> RefitRecord:
    """Exchange signatures over the new commitment. Collective: all members, each after its share is on its disk.

    Raises:
        ConsortiumError: MODEL_MISMATCH, naming the member whose signature is not over the same statement.
    """
    mine = sign(statement(consortium, ceremony, parameters, commitment))
    signatures = links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, mine), links.peers)
    ordered = (signatures | {links.own: mine}).items()
    record = RefitRecord(
        commitment.hex(),
        ceremony.hex(),
        parameters,
        tuple(signature.hex() for _, signature in sorted(ordered)),
    )
    check_record(consortium, record)
    return record


def check_record(consortium: Consortium, record: RefitRecord) -> None:
    """Check that every member has signed this record's model.

    Raises:
        ConsortiumError: MODEL_MISMATCH, naming a member whose signature does not verify.
    """
    if len(record.attestations) != len(consortium.members):
        raise _refuse(f"{len(record.attestations)} attestations of {len(consortium.members)} members", None)
    signed = statement(
        consortium,
        check_hex(record.ceremony, 32, "ceremony"),
        record.parameters,
        check_hex(record.model, 32, "model"),
    )
    for member, attestation in zip(consortium.members, record.attestations, strict=True):
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(member.signing_key))
        if len(attestation) != 2 * _SIGNATURE_BYTES:
            raise _refuse(f"the attestation of {member.name} is no signature", member.name)
        try:
            key.verify(check_hex(attestation, _SIGNATURE_BYTES, f"attestation of {member.name}"), signed)
        except InvalidSignature:
            raise _refuse(f"{member.name} does not attest to this model", member.name) from None


def _refuse(message: str, culprit: str | None) -> ConsortiumError:
    return ConsortiumError(
        message, reason=Reason.MODEL_MISMATCH, culprit=culprit, remedy="run the refit again, all together"
    )
