"""What a change of epoch computes: the key's new shares, then the model's, and the transcript of both.

Collective, among all participants, over one session. Nothing here is durable, and nothing binds anybody.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from mpc_party.mesh.exchange import DisputableExchange
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.model_share import ModelHeader
from mpc_party.protocol.secret import Secret
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.resharing.beginning import begin
from mpc_party.resharing.cast import Cast
from mpc_party.resharing.model import MovedModel, reshare_model
from mpc_party.resharing.model_plan import ModelMove
from mpc_party.resharing.recorded import RESHARE_STEPS, Recorded
from mpc_party.resharing.renumbered import Renumbered
from mpc_party.resharing.transcript import CastMember, CeremonyKind, TranscriptBody, ordered_broadcasts
from mpc_party.signing.channel import MessageKeys, SignedMessage
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.reshare import run_reshare
from mpc_party.signing.reshare_context import ReshareContext
from mpc_party.signing.reshare_public import PublicKeyMaterial


@dataclass(frozen=True, repr=False)
class Moved(Secret):
    """What a change of epoch gives one member: its new shares (None for who leaves), and the transcript, equal at all."""

    key_share: KeyShare | None
    model_share: SharesAtRest | None
    body: TranscriptBody


@dataclass(frozen=True)
class Shift:
    """What is moved; equal at all participants. `floor`: rounds of the new epoch begin above it."""

    kind: CeremonyKind
    old: Consortium
    new: Consortium
    cast: Cast
    floor: int


def move_shares(
    links: DisputableExchange,
    shift: Shift,
    keys: MessageKeys,
    key_share: KeyShare | None,
    model_share: SharesAtRest | None,
    say: Callable[[str], None],
) -> Moved:
    """Give key and model to the members of the new epoch.

    Args:
        links: a session among the participants, by seat.
        shift: what, from whom, to whom.
        keys: this member's identity, and everybody's Ed25519 keys by seat.
        key_share: an old member's.
        model_share: an old member's, where the consortium has a model.
        say: told each state as it is entered.

    Raises:
        ConsortiumError: a check failed, with the culprit where it is certain. Nothing has changed for anybody.
        MeshError: a participant is silent or gone.
    """
    cast, old, new = shift.cast, shift.old, shift.new
    say("agreeing")
    bound = cast.meeting(old, new)
    ceremony, header = begin(links, bound, cast.names, old.model, model_share, cast.present_old)
    say("resharing the key")
    context = ReshareContext.between(old, new, ceremony, cast.absent)
    if context.names != cast.names or context.participants != cast.participants:
        raise ConsortiumError("two views of who takes part", reason=Reason.INTERNAL)
    recorded = Recorded(links, RESHARE_STEPS)
    key = run_reshare(recorded, context, keys, key_share)
    moved = None
    if header is not None:
        say("moving the model")
        moved = _move_model(links, shift, header, ceremony, model_share)
    body = transcript_of(shift, ceremony, context.dealers, recorded.broadcasts(context.session), key, moved)
    return Moved(key if isinstance(key, KeyShare) else None, None if moved is None else moved.share, body)


def _move_model(
    links: DisputableExchange,
    shift: Shift,
    header: ModelHeader,
    ceremony: bytes,
    share: SharesAtRest | None,
) -> MovedModel:
    cast, new = shift.cast, shift.new
    place = {seat: at for at, seat in enumerate(cast.participants)}
    old_seats = {index: place.get(seat) for seat, index in enumerate(cast.old_index) if index is not None}
    new_seats = {index: place[seat] for seat, index in enumerate(cast.new_index) if index is not None}
    following = msgspec.structs.replace(
        header, epoch=new.epoch, members=len(new.members), threshold=new.threshold
    )
    return reshare_model(
        Renumbered(links, cast.participants),
        ModelMove(
            old_header=header,
            new_header=following,
            commitment=bytes.fromhex(shift.old.model or ""),
            ceremony=ceremony,
            cast_names=tuple(cast.names[seat] for seat in cast.participants),
            old_seats=tuple(old_seats[index] for index in sorted(old_seats)),
            new_seats=tuple(new_seats[index] for index in sorted(new_seats)),
        ),
        share,
    )


def transcript_of(
    shift: Shift,
    ceremony: bytes,
    dealers: tuple[int, ...],
    messages: list[SignedMessage],
    key: KeyShare | PublicKeyMaterial,
    moved: MovedModel | None,
) -> TranscriptBody:
    """The transcript of a change of epoch; equal at all participants, as the protocols' last steps have confirmed."""
    cast, old, new = shift.cast, shift.old, shift.new
    return TranscriptBody(
        version=1,
        kind=shift.kind,
        consortium=old.id_bytes,
        ceremony=ceremony,
        old_hash=old.hash,
        old_epoch=old.epoch,
        new_roster=new.roster_hash,
        new_epoch=new.epoch,
        cast=cast_members(cast),
        participants=cast.participants,
        dealers=dealers,
        broadcasts=ordered_broadcasts(messages),
        threshold=new.threshold,
        public_key=key.public_key,
        public_shares=key.public_shares,
        old_model=None if old.model is None else bytes.fromhex(old.model),
        new_model=None if moved is None else moved.commitment,
        floor=shift.floor,
    )


def cast_members(cast: Cast) -> tuple[CastMember, ...]:
    """A cast as the transcript has it."""
    return tuple(
        CastMember(member.name, cast.keys[seat], cast.old_index[seat], cast.new_index[seat])
        for seat, member in enumerate(cast.members)
    )


__all__ = ["Moved", "Shift", "cast_members", "move_shares", "transcript_of"]
