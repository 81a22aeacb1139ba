"""The beginning of every ceremony: members say what they have open, and bring it to its end before they begin anew.

Exchanges, each of kind CEREMONY and to all, the same number at every member (`standing` says why this is enough):

    standing    the transcript that this member has signed and not seen the end of, or has the certificate of
    answers     about each transcript that anybody named, from each that took part in it
    relays      certificates, told on; once for each member that may cheat and one more
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from mpc_party.mesh.exchange import Exchange, FrameKind
from mpc_party.protocol.errors import ConsortiumError
from mpc_party.resharing.cast import Cast
from mpc_party.resharing.standing import (
    Answer,
    Check,
    Decision,
    Relay,
    Seen,
    Standing,
    Verdict,
    decode_answers,
    decode_relays,
    decode_standing,
    encode,
    in_time,
    refusal_statement,
    relay_statement,
    verdict,
    verifies,
)
from mpc_party.resharing.transcript import (
    Transcript,
    TranscriptBody,
    attested_by,
    certificate,
    decode_body,
    decode_transcript,
    encode_body,
    signed_by,
)


@dataclass(frozen=True)
class Meeting:
    """What is the same at all participants.

    Args:
        cast: who meets.
        name: 32 bytes, `Cast.meeting`.
        old_hash: of the consortium file in force; transcripts of other changes are nobody's business here.
        cheats: how many of them may cheat, at most; sets the number of relays.
        may_stay_away: whether a ceremony can be given up while so many of its old and so many of its new members are not here.
    """

    cast: Cast
    name: bytes
    old_hash: bytes
    cheats: int
    may_stay_away: Callable[[TranscriptBody, int, int], bool]


@dataclass(frozen=True)
class Memory:
    """What this member has, and how it speaks.

    Args:
        open: the transcript that it has signed and not seen the end of, or the one whose certificate it has.
        certificate: the certificate, if it has that.
        last_round: of its journal in the old epoch; None for a joiner.
        sign: its Ed25519 signature.
        refuse: writes into the journal that a ceremony (32 bytes) is never signed here, before it returns; raises where it was.
    """

    open: TranscriptBody | None
    certificate: Transcript | None
    last_round: int | None
    sign: Callable[[bytes], bytes]
    refuse: Callable[[bytes], None]


@dataclass(frozen=True)
class Ended:
    """What became of one ceremony. `certificate` is there where it is to be committed."""

    body: TranscriptBody
    verdict: Verdict
    certificate: Transcript | None


@dataclass(frozen=True)
class Met:
    """`ended`: of each ceremony that somebody had open. `last_rounds`: by seat of an old member, as it says."""

    ended: tuple[Ended, ...]
    last_rounds: dict[int, int]


def meet(links: Exchange, meeting: Meeting, memory: Memory) -> Met:
    """Tell each other what is open, and decide. Collective: all participants.

    Args:
        links: among the participants, by seat.
        meeting: the same at all.
        memory: this member's.

    Raises:
        ConsortiumError: CEREMONY_FAILED, somebody says something that is no message, with the culprit.
        MeshError: somebody is silent or gone.
    """
    cast, names = meeting.cast, meeting.cast.names
    mine = Standing(
        secrets.token_bytes(32), None if memory.open is None else encode_body(memory.open), memory.last_round
    )
    heard = {
        peer: decode_standing(data, names[peer]) for peer, data in _to_all(links, encode(mine)).items()
    } | {links.own: mine}
    bodies = _bodies(heard, meeting)
    own_answers = _answers(links.own, cast, bodies, memory)
    answers = {
        peer: decode_answers(data, names[peer]) for peer, data in _to_all(links, encode(own_answers)).items()
    } | {links.own: own_answers}
    nonces = tuple(heard[seat].nonce for seat in cast.participants)
    certificates = _relay(links, meeting, memory, nonces)
    ended = [_decide(body, meeting, answers, certificates.get(body.hash)) for body in bodies]
    last_rounds = {
        seat: said.last_round
        for seat, said in heard.items()
        if said.last_round is not None and cast.old_index[seat] is not None
    }
    return Met(tuple(ended), last_rounds)


def _to_all(links: Exchange, message: bytes) -> dict[int, bytes]:
    return links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, message), links.peers)


def _bodies(heard: dict[int, Standing], meeting: Meeting) -> tuple[TranscriptBody, ...]:
    """The transcripts of changes of this file that somebody has open, in one order."""
    found = {}
    for seat, said in heard.items():
        if said.body is not None:
            try:
                body = decode_body(said.body)
            except ConsortiumError as error:
                raise ConsortiumError(
                    error.message, reason=error.reason, culprit=meeting.cast.names[seat]
                ) from None
            if body.old_hash == meeting.old_hash:
                found[body.hash] = body
    return tuple(found[digest] for digest in sorted(found))


def _answers(own: int, cast: Cast, bodies: tuple[TranscriptBody, ...], memory: Memory) -> tuple[Answer, ...]:
    """This member's answers about those that it took part in; a refusal is written down before it is given."""
    given = []
    for body in bodies:
        seat = _seat_in(body, cast, own)
        if seat is None:
            continue
        if memory.open == body:
            signature, attestation = memory.sign(body.statement), None
            if seat in body.attesting:
                attestation = memory.sign(body.key_statement)
            given.append(Answer(body.ceremony, signature, attestation, None))
        elif memory.open is None or memory.open.ceremony != body.ceremony:
            memory.refuse(body.ceremony)
            given.append(Answer(body.ceremony, None, None, memory.sign(refusal_statement(body.ceremony))))
    return tuple(given)


def _seat_in(body: TranscriptBody, cast: Cast, seat: int) -> int | None:
    """The seat in a ceremony of a member of this meeting; None if it took no part in it."""
    name, key = cast.names[seat], cast.keys[seat]
    for place in body.participants:
        if (body.cast[place].name, body.cast[place].signing_key) == (name, key):
            return place
    return None


def _relay(
    links: Exchange, meeting: Meeting, memory: Memory, nonces: tuple[bytes, ...]
) -> dict[bytes, Transcript]:
    """The certificates that count, by hash of the transcript: see `standing` for why a late one does not."""
    cast, exchanges = meeting.cast, min(meeting.cheats, len(links.peers) - 1) + 1
    known: dict[bytes, Transcript] = {}
    going: list[Relay] = []

    def take(found: Transcript, data: bytes, relay: Relay | None) -> None:
        digest = found.body.hash
        if digest not in known:
            known[digest] = found
            before = () if relay is None else relay.chain
            signature = memory.sign(relay_statement(meeting.name, digest, nonces))
            going.append(Relay(data, (*before, Seen(links.own, nonces, signature))))

    place = cast.participants.index(links.own)
    check = Check(meeting.name, cast.keys, place, nonces[place])
    if memory.certificate is not None:
        take(memory.certificate, memory.certificate.encode(), None)
    for count in range(1, exchanges + 1):
        sending, going = encode(tuple(going)), []
        for peer, data in sorted(_to_all(links, sending).items()):
            for relay in decode_relays(data, cast.names[peer]):
                try:
                    found = decode_transcript(relay.certificate)
                except ConsortiumError:
                    continue  # what is no certificate counts for nothing, whoever sends it
                if in_time(relay, count, peer, found.body.hash, check):
                    take(found, relay.certificate, relay)
    return known


def _decide(
    body: TranscriptBody,
    meeting: Meeting,
    answers: dict[int, tuple[Answer, ...]],
    certified: Transcript | None,
) -> Ended:
    cast = meeting.cast
    signatures: dict[int, bytes] = {}
    attestations: dict[int, bytes] = {}
    signed: dict[int, bool] = {}
    for seat, given in answers.items():
        place = _seat_in(body, cast, seat)
        for answer in given:
            if place is None or answer.ceremony != body.ceremony:
                continue
            if answer.refusal is not None:
                if verifies(cast.keys[seat], answer.refusal, refusal_statement(body.ceremony)):
                    signed[place] = False
            elif answer.signature is not None and signed_by(body, place, answer.signature):
                attestation = answer.attestation or b""
                if place not in body.attesting or attested_by(body, place, attestation):
                    signed[place] = True
                    signatures[place], attestations[place] = answer.signature, attestation
    missing = [place for place in body.participants if place not in signed]
    old = sum(body.cast[place].old_index is not None for place in missing)
    new = sum(body.cast[place].new_index is not None for place in missing)
    here = {_seat_in(body, cast, seat) for seat in cast.participants}
    away = not any(place in here for place in missing) and meeting.may_stay_away(body, old, new)
    found = verdict(
        body.names,
        body.participants,
        certified=certified is not None,
        signed=signed,
        may_be_missing=len(missing) if away else 0,
    )
    if found.decision is Decision.COMMIT and certified is None:
        certified = certificate(body, signatures, attestations)
    return Ended(body, found, certified if found.decision is Decision.COMMIT else None)


__all__ = ["Ended", "Memory", "Met", "meet"]
