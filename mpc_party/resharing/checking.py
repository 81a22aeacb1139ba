"""Whether a transcript is of a consortium file: what anybody can check offline, with the two files alone.

The signatures in a transcript are under the keys that it names itself. A consortium file says whose keys these are: the file
that a ceremony completed knows all members of the new epoch, the file before it all of the old one.
"""

from dataclasses import dataclass

from mpc_party.protocol.consortium import Consortium
from mpc_party.resharing.transcript import CastMember, Transcript, TranscriptError


@dataclass(frozen=True)
class Checked:
    """What a consortium file says of a transcript.

    `before`: it is the file that the ceremony started from; else the one that it led to. `unknown`: names of those that took
    part and are not in the file: they are who the transcript says, and nobody else says so.
    """

    before: bool
    unknown: tuple[str, ...]


def check_against(transcript: Transcript, consortium: Consortium) -> Checked:
    """Check a certificate, whose signatures have been checked, against the file before or after its ceremony.

    Raises:
        TranscriptError: naming what does not fit.
    """
    body = transcript.body
    if body.consortium != consortium.id_bytes:
        raise TranscriptError("the transcript is of another consortium than this file")
    if body.kind != "recover" and body.old_hash == consortium.hash:
        _check_before(transcript, consortium)
        return Checked(before=True, unknown=_unknown(transcript, consortium))
    _check_after(transcript, consortium)
    return Checked(before=False, unknown=_unknown(transcript, consortium))


def _check_before(transcript: Transcript, consortium: Consortium) -> None:
    body = transcript.body
    _require(body.old_epoch == consortium.epoch, "epoch", consortium)
    _require(consortium.key is not None and _points(consortium)[0] == body.public_key, "key", consortium)
    _require(body.old_model == _model(consortium), "model", consortium)
    for member in body.cast:
        if member.old_index is not None:
            _require(_is_at(member, member.old_index, consortium), f"members: {member.name}", consortium)


def _check_after(transcript: Transcript, consortium: Consortium) -> None:
    body = transcript.body
    _require(body.new_epoch == consortium.epoch, "epoch", consortium)
    _require(body.new_roster == consortium.roster_hash, "roster", consortium)
    _require(body.threshold == consortium.threshold, "threshold", consortium)
    for member in body.cast:
        if member.new_index is not None:
            _require(_is_at(member, member.new_index, consortium), f"members: {member.name}", consortium)
    if consortium.key is None:
        raise TranscriptError("the consortium file has no key to compare with")
    _require(_points(consortium) == (body.public_key, *body.public_shares), "key", consortium)
    if body.kind != "recover":
        _require(consortium.key == transcript.group_key, "key.attestations", consortium)
    if body.old_hash is not None:  # a model may be dealt anew later; the key stays for the epoch
        replaced = body.new_model is not None and _model(consortium) is None
        _require(not replaced, "model", consortium)


def _require(holds: bool, what: str, consortium: Consortium) -> None:  # noqa: FBT001 - a condition and its field
    if not holds:
        raise TranscriptError(
            f"{what}: is not what consortium {consortium.name!a} has in epoch {consortium.epoch}",
            remedy="take the transcript and the consortium file of one ceremony",
        )


def _is_at(member: CastMember, index: int, consortium: Consortium) -> bool:
    if index >= len(consortium.members):
        return False
    entry = consortium.members[index]
    return (entry.name, entry.signing_key) == (member.name, member.signing_key.hex())


def _points(consortium: Consortium) -> tuple[bytes, ...]:
    key = consortium.key
    if key is None:
        return ()
    return bytes.fromhex(key.public_key), *(bytes.fromhex(share) for share in key.public_shares)


def _model(consortium: Consortium) -> bytes | None:
    return None if consortium.model is None else bytes.fromhex(consortium.model)


def _unknown(transcript: Transcript, consortium: Consortium) -> tuple[str, ...]:
    known = {(member.name, member.signing_key) for member in consortium.members}
    body = transcript.body
    return tuple(
        body.names[seat]
        for seat in body.participants
        if (body.names[seat], body.cast[seat].signing_key.hex()) not in known
    )


__all__ = ["Checked", "check_against"]
