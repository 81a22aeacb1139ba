"""What a party keeps of a round for itself: the opening of its commitment, and its own net exposure.

Both are MessagePack, encrypted (age, X25519) to the member's own encryption key: a copy of the journal shows neither market
data nor positions without the member's identity. Of an opening only the proposal, which is public, is compressed: the size
of the record follows from the book and says nothing of how many positions there are. An opening is on the disk before
the commitment leaves; who later discloses the round cannot choose another one, because the commitment binds.
"""

import math
import zlib
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from mpc_party.audit.errors import AuditError
from mpc_party.hedging.exposure import Exposure
from mpc_party.hedging.snapshot import COLUMNS, Snapshot, market_leaf, positions_leaf, snapshot_commitment
from mpc_party.protocol.consortium import Consortium, Member
from mpc_party.protocol.errors import ConsortiumError, MessageError
from mpc_party.protocol.files import one_line
from mpc_party.protocol.identity import encrypt_for
from mpc_party.protocol.messages import (
    MAX_PAYLOAD,
    Bytes32,
    Proposal,
    Uint64,
    decode_message,
    encode_message,
)
from mpc_party.protocol.secret import Secret

Words = NDArray[np.int64]
T = TypeVar("T", bound=msgspec.Struct)

VERSION: Final = 1
WORD_BYTES: Final = 8
_POSITION: Final = np.dtype("<i4")  # within 2^20: positions are within 1, at 20 fraction bits or fewer
REMEDY_JOURNAL: Final = "the journal is damaged or not this member's; restore it from a backup"


class RoundOpening(
    Secret, msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="opening"
):
    """All that opens one round's commitment of one member. Secret; shows nothing.

    `consortium`: hash of the file in force. `member`: index in it. `proposal`: its encoding, compressed with zlib. `market`,
    `positions`: ring integers, little-endian, of shape (expiries + 1, 3) in 8 bytes each, and (instruments,) in 4.
    `position_scale`: the member's own, contracts per 1.0 of a position word.
    """

    version: int
    consortium: Bytes32
    epoch: Uint64
    round: Uint64
    member: Annotated[int, Meta(ge=0, lt=7)]
    proposal: bytes
    expiries: Annotated[int, Meta(ge=1, le=64)]
    market: bytes
    market_salt: Bytes32
    positions: bytes
    positions_salt: Bytes32
    fraction_bits: Annotated[int, Meta(ge=12, le=20)]
    position_scale: Annotated[float, Meta(gt=0)]

    def market_words(self) -> Words:
        """Surface and flow, int64 (E + 1, 3)."""
        return words_of(self.market).reshape(self.expiries + 1, COLUMNS)

    def position_words(self) -> Words:
        """The positions, int64 (n,)."""
        return np.frombuffer(self.positions, dtype=_POSITION).astype(np.int64)

    def market_leaf(self) -> bytes:
        """32 bytes: the part of the commitment that an audit opens."""
        return market_leaf(self.market_salt, self.market_words())

    def positions_leaf(self) -> bytes:
        """32 bytes: the part that stays closed."""
        return positions_leaf(self.positions_salt, self.position_words())

    def commitment(self) -> bytes:
        """The commitment that this opens, 32 bytes."""
        return snapshot_commitment(
            self.consortium, self.round, self.member, self.market_leaf(), self.positions_leaf()
        )

    def encoded_proposal(self) -> bytes:
        """The proposal's encoding.

        Raises:
            AuditError: it is damaged.
        """
        try:
            inflate = zlib.decompressobj()
            encoded = inflate.decompress(self.proposal, MAX_PAYLOAD)
        except zlib.error:
            inflate = None
        if inflate is None or not inflate.eof:
            raise AuditError("an opening whose proposal is damaged", remedy=REMEDY_JOURNAL)
        return encoded

    def decoded_proposal(self) -> Proposal:
        """The proposal of the round.

        Raises:
            AuditError: it is damaged.
        """
        return proposal_of(self.encoded_proposal())


class OwnExposure(Secret, msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="exposure"):
    """A member's own net exposure of a round, in contracts times forwards of the first expiry. Secret; shows nothing.

    `delta`, `gamma`, `vega`, `scenario_loss`: as `hedging.exposure.Exposure`. `positions_left_out`: options held that the
    round's book did not have.
    """

    delta: float
    gamma: float
    vega: float
    scenario_loss: float
    positions_left_out: Annotated[int, Meta(ge=0)] = 0

    @classmethod
    def of(cls, exposure: Exposure, positions_left_out: int) -> "OwnExposure":
        """From what the round opened, in the owner's units."""
        return cls(exposure.delta, exposure.gamma, exposure.vega, exposure.scenario_loss, positions_left_out)


def seal_opening(
    consortium: Consortium, own: int, proposal: Proposal, snapshot: Snapshot, position_scale: float
) -> bytes:
    """The record for `Journal.record_snapshot`, for this member's eyes only. About 6 kB and 0.5 ms for 680 instruments.

    Args:
        consortium: the file in force.
        own: this member's index in it.
        proposal: of the round.
        snapshot: the private input that is committed to.
        position_scale: what undoes the scaling of the position words.
    """
    opening = RoundOpening(
        version=VERSION,
        consortium=consortium.hash,
        epoch=proposal.epoch,
        round=proposal.round,
        member=own,
        proposal=zlib.compress(encode_message(proposal), 1),
        expiries=len(snapshot.market) - 1,
        market=bytes_of(snapshot.market),
        market_salt=snapshot.market_salt,
        positions=snapshot.positions.astype(_POSITION).tobytes(),
        positions_salt=snapshot.positions_salt,
        fraction_bits=consortium.program.fraction_bits,
        position_scale=float(position_scale),
    )
    return _seal(consortium.members[own], opening)


def open_opening(sealed: bytes, decrypt: Callable[[bytes], bytes]) -> RoundOpening:
    """Read what `seal_opening` wrote.

    Args:
        sealed: from the journal.
        decrypt: `Identity.decrypt` of the member.

    Raises:
        AuditError: it is not for this member, damaged, or of another version.
    """
    opening = _open(sealed, decrypt, RoundOpening, "opening")
    if opening.version != VERSION:
        raise AuditError(
            f"an opening of version {opening.version}; this program reads version {VERSION}",
            remedy="use the release that wrote it",
        )
    proposal = opening.decoded_proposal()
    sizes = (len(proposal.expiries), len(opening.market), len(opening.positions))
    market, positions = (opening.expiries + 1) * COLUMNS * WORD_BYTES, len(proposal.instruments)
    if sizes != (opening.expiries, market, positions * _POSITION.itemsize):
        raise AuditError("an opening whose numbers do not fit its proposal", remedy=REMEDY_JOURNAL)
    return opening


def seal_exposure(member: Member, exposure: OwnExposure) -> bytes:
    """The record for `Journal.record_exposure`, for this member's eyes only."""
    return _seal(member, exposure)


def open_exposure(sealed: bytes, decrypt: Callable[[bytes], bytes]) -> OwnExposure:
    """Read what `seal_exposure` wrote.

    Raises:
        AuditError: it is not for this member, or damaged.
    """
    exposure = _open(sealed, decrypt, OwnExposure, "exposure")
    if not all(math.isfinite(getattr(exposure, name)) for name in exposure.__struct_fields__):
        raise AuditError("an exposure that is no number", remedy=REMEDY_JOURNAL)
    return exposure


def words_of(data: bytes) -> Words:
    """Little-endian bytes as ring integers, int64 (k,)."""
    return np.frombuffer(data, dtype="<i8").astype(np.int64)


def bytes_of(words: Words) -> bytes:
    """Ring integers as little-endian bytes."""
    return np.ascontiguousarray(words, dtype="<i8").tobytes()


def proposal_of(encoded: bytes) -> Proposal:
    """A proposal from its encoding.

    Raises:
        AuditError: it is none.
    """
    try:
        message = decode_message(encoded)
    except MessageError as error:
        raise AuditError(f"a proposal that does not decode: {error.message}", remedy=REMEDY_JOURNAL) from None
    if not isinstance(message, Proposal):
        raise AuditError(f"a {type(message).__name__} where a proposal should be")
    return message


def _seal(member: Member, content: msgspec.Struct) -> bytes:
    return encrypt_for(member, msgspec.msgpack.encode(content))


def _open(sealed: bytes, decrypt: Callable[[bytes], bytes], kind: type[T], what: str) -> T:
    try:
        content = decrypt(sealed)
    except ConsortiumError:
        raise AuditError(f"the {what} does not decrypt with this identity", remedy=REMEDY_JOURNAL) from None
    try:
        return msgspec.msgpack.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AuditError(f"the {what} is malformed ({one_line(str(error))})", remedy=REMEDY_JOURNAL) from None
