"""A disclosure: one member opens its part of one round to one auditor, signed and encrypted.

File, version 1: age, to the auditor's X25519 key, around the MessagePack array [tag, body, signature]; the body is the encoding of
`Disclosure`, and the signature the member's Ed25519 over::

    "mpc-hedge/disclosure/v1" || body

The body names the auditor, so that an auditor cannot pass the disclosure on as if it were made for somebody else; the
signature is what a member answers for. What the auditor learns: the member's surface and order flow of the round, and
the member's share of the model; t + 1 such shares are the whole model. What it does not learn: positions, of which the
body has only the hash that the commitment needs.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np
import pyrage
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta
from numpy.typing import NDArray

from mpc_party.audit.auditor_key import AuditorKey
from mpc_party.audit.errors import AuditError
from mpc_party.audit.opening import RoundOpening, words_of
from mpc_party.hedging.snapshot import COLUMNS, market_leaf, snapshot_commitment
from mpc_party.protocol.consortium import Member
from mpc_party.protocol.consortium_rules import check_recipient
from mpc_party.protocol.files import one_line
from mpc_party.protocol.identity import Signer
from mpc_party.protocol.messages import Bytes32, Uint64
from mpc_party.protocol.model_share import MAX_FILE
from mpc_party.protocol.secret import Secret

Words = NDArray[np.int64]

VERSION: Final = 1
DOMAIN: Final = b"mpc-hedge/disclosure/v1"
MAX_DISCLOSURE: Final = MAX_FILE + 256 * 1024  # a share of the largest model, and the round
_ROW: Final = 8 * COLUMNS


class Disclosure(
    Secret, msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="disclosure"
):
    """What one member opens of one round. Secret but for its auditor; shows nothing.

    `auditor`: age recipient. `consortium`: hash of the file in force at the round. `member`: index in it. `proposal`: its
    encoding. `market`: ring integers (E + 1, 3), 8 bytes each, little-endian, with the salt of their leaf;
    `positions_leaf`: the hash in place of the positions. `commitments`: the committee's, as this member noted them; empty
    if it did not. `model`: the content of its model share (`model_share.share_content`).
    """

    version: int
    auditor: Annotated[str, Meta(max_length=128)]
    consortium: Bytes32
    epoch: Uint64
    round: Uint64
    member: Annotated[int, Meta(ge=0, lt=7)]
    proposal: bytes
    market: bytes
    market_salt: Bytes32
    positions_leaf: Bytes32
    commitments: Annotated[tuple[Bytes32, ...], Meta(max_length=7)]
    model: bytes

    def market_words(self) -> Words:
        """Surface and flow, int64 (E + 1, 3)."""
        return words_of(self.market).reshape(-1, COLUMNS)

    def commitment(self) -> bytes:
        """What the disclosed numbers are committed to by, 32 bytes."""
        leaf = market_leaf(self.market_salt, self.market_words())
        return snapshot_commitment(self.consortium, self.round, self.member, leaf, self.positions_leaf)


class _Signed(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="signed-disclosure"
):
    body: bytes
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


def disclosure_of(
    opening: RoundOpening, auditor: str, commitments: Sequence[bytes], model: bytes
) -> Disclosure:
    """The part of an opening that an auditor gets.

    Args:
        opening: this member's, of the round.
        auditor: age recipient.
        commitments: the committee's, in its order, or none.
        model: content of the member's model share.

    Raises:
        AuditError: the opening's proposal is damaged.
    """
    return Disclosure(
        version=VERSION,
        auditor=auditor,
        consortium=opening.consortium,
        epoch=opening.epoch,
        round=opening.round,
        member=opening.member,
        proposal=opening.encoded_proposal(),
        market=opening.market,
        market_salt=opening.market_salt,
        positions_leaf=opening.positions_leaf(),
        commitments=tuple(commitments),
        model=model,
    )


def seal_disclosure(disclosure: Disclosure, signer: Signer) -> bytes:
    """Sign and encrypt.

    Args:
        disclosure: names its auditor.
        signer: the identity of its member.

    Raises:
        ConfigError: the auditor is no age recipient.
    """
    recipient = check_recipient(disclosure.auditor, "auditor")
    body = msgspec.msgpack.encode(disclosure)
    signed = msgspec.msgpack.encode(_Signed(body, signer.sign(DOMAIN + body)))
    sealed: bytes = pyrage.encrypt(signed, [recipient])
    return sealed


def open_disclosure(data: bytes, key: AuditorKey, members: Sequence[Member]) -> Disclosure:
    """Decrypt a disclosure, and check its form and its member's signature. Whether it is true is `evidence`'s to say.

    Args:
        data: the file.
        key: the auditor's.
        members: of the consortium, in its order.

    Raises:
        AuditError: it is for another auditor, malformed, of another version, or not signed by its member. Nobody is named
            before the signature holds: anybody can write a name.
    """
    plain = key.decrypt(data)
    try:
        signed = msgspec.msgpack.decode(plain, type=_Signed)
        disclosure = msgspec.msgpack.decode(signed.body, type=Disclosure)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AuditError(f"not a disclosure: {one_line(str(error))}", remedy="ask for it again") from None
    if disclosure.version != VERSION:
        raise AuditError(
            f"a disclosure of version {disclosure.version}; this program reads version {VERSION}",
            remedy="use the release that wrote it",
        )
    if msgspec.msgpack.encode(disclosure) != signed.body:
        raise AuditError("a disclosure that is not in its canonical encoding", remedy="ask for it again")
    if disclosure.member >= len(members):
        raise AuditError(f"the disclosure is of member {disclosure.member} of {len(members)}")
    member = members[disclosure.member]
    try:
        signing_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(member.signing_key))
        signing_key.verify(signed.signature, DOMAIN + signed.body)
    except InvalidSignature:
        raise AuditError(
            f"the disclosure says it is {member.name}'s, whose signature it does not bear",
            remedy=f"ask {member.name} for it again",
        ) from None
    if disclosure.auditor != key.recipient:
        raise AuditError(
            f"{member.name}'s disclosure was made for another auditor", remedy="ask for your own"
        )
    if not disclosure.market or len(disclosure.market) % _ROW:
        raise AuditError(
            f"{member.name}'s disclosure has {len(disclosure.market)} bytes of market words",
            culprit=member.name,
        )
    return disclosure
