"""The beginning of every ceremony: members say what they have open, and bring it to its end before they begin anew.

Exchanges, each of kind CEREMONY and to all, the same number at every member (`standing` says why this is enough):

    standing    the transcript that this member has signed and not seen the end of, or has the certificate of
    answers     about each transcript that anybody named, from each that took part in it
    relays      certificates and refusals, told on; once for each member that may cheat and one more
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from mpc_party.mesh.exchange import Exchange, FrameKind
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.resharing.cast import Cast
from mpc_party.resharing.standing import (
    Answer,
    Check,
    Decision,
    Refused,
    Relay,
    Seen,
    Standing,
    Verdict,
    decode_answers,
    decode_refused,
    decode_relays,
    decode_standing,
    encode,
    in_time,
    refusal_statement,
    relay_statement,
    verdict,
    verifies,
)
from mpc_party.resharing.successor import fewest_old
from mpc_party.resharing.transcript import (
    Transcript,
    TranscriptBody,
    attested_by,
    certificate,
    check_cast,
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
        old: the consortium file in force; transcripts of other changes are nobody's business here.
        cheats: how many of them may cheat, at most; sets the number of relays.
        may_stay_away: whether a ceremony can be given up while so many of its old and so many of its new members are not here.
    """

    cast: Cast
    name: bytes
    old: Consortium
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
    bodies, named_by = _bodies(heard, meeting)
    own_answers = _answers(links.own, cast, bodies, memory)
    answers = {
        peer: decode_answers(data, names[peer]) for peer, data in _to_all(links, encode(own_answers)).items()
    } | {links.own: own_answers}
    proofs = [proof for body in bodies for proof in _proofs(body, cast, answers, named_by[body.hash])]
    if memory.certificate is not None:
        proofs.insert(0, memory.certificate)
    nonces = tuple(heard[seat].nonce for seat in cast.participants)
    known = _relay(links, meeting, memory, nonces, bodies, proofs)
    ended = [_decide(body, meeting, known) for body in bodies]
    last_rounds = {
        seat: said.last_round
        for seat, said in heard.items()
        if said.last_round is not None and cast.old_index[seat] is not None
    }
    return Met(tuple(ended), last_rounds)


def _to_all(links: Exchange, message: bytes) -> dict[int, bytes]:
    return links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, message), links.peers)


def _bodies(
    heard: dict[int, Standing], meeting: Meeting
) -> tuple[tuple[TranscriptBody, ...], dict[bytes, set[int]]]:
    """The transcripts of changes of this file that somebody has open, in one order; and who has, by hash.

    Raises:
        ConsortiumError: CEREMONY_FAILED with the member that names one that cannot be.
    """
    found, named_by = {}, dict[bytes, set[int]]()
    for seat, said in heard.items():
        if said.body is not None:
            try:
                body = decode_body(said.body)
                if body.old_hash == meeting.old.hash:
                    _check_body(body, meeting, seat)
            except ConsortiumError as error:
                raise ConsortiumError(
                    error.message, reason=Reason.CEREMONY_FAILED, culprit=meeting.cast.names[seat]
                ) from None
            if body.old_hash == meeting.old.hash:
                found[body.hash] = body
                named_by.setdefault(body.hash, set()).add(seat)
    return tuple(found[digest] for digest in sorted(found)), named_by


def _check_body(body: TranscriptBody, meeting: Meeting, seat: int) -> None:
    """Only who took part has a transcript open; and the old members in it are those of the file in force, as many as must be there.

    So an honest one is among them, and signatures of all that took part cannot be made up by those who named them.
    """
    check_cast(body)
    old = meeting.old
    said = {m.old_index: (m.name, m.signing_key.hex()) for m in body.cast if m.old_index is not None}
    file = {index: (member.name, member.signing_key) for index, member in enumerate(old.members)}
    present = sum(body.cast[place].old_index is not None for place in body.participants)
    if (
        body.consortium != old.id_bytes
        or said != file
        or present < fewest_old(old)
        or _seat_in(body, meeting.cast, seat) is None
    ):
        raise ConsortiumError(
            "the transcript that it says it has signed is of no change of this consortium file",
            reason=Reason.CEREMONY_FAILED,
        )


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


def _proofs(
    body: TranscriptBody, cast: Cast, answers: dict[int, tuple[Answer, ...]], named_by: set[int]
) -> list[Transcript | Refused]:
    """What follows from the answers about one transcript as this member has heard them; others may have heard different ones.

    Raises:
        ConsortiumError: CEREMONY_FAILED with a member that has named the transcript, and does not sign it.
    """
    signatures: dict[int, bytes] = {}
    attestations: dict[int, bytes] = {}
    found: list[Transcript | Refused] = []
    for seat, given in answers.items():
        place = _seat_in(body, cast, seat)
        for answer in given:
            if place is None or answer.ceremony != body.ceremony:
                continue
            if answer.refusal is not None:
                if verifies(cast.keys[seat], answer.refusal, refusal_statement(body.ceremony)):
                    found.append(Refused(body.ceremony, place, answer.refusal))
            elif answer.signature is not None and signed_by(body, place, answer.signature):
                attestation = answer.attestation or b""
                if place not in body.attesting or attested_by(body, place, attestation):
                    signatures[place], attestations[place] = answer.signature, attestation
    _require_signed(body, cast, named_by, signatures)
    if set(signatures) == set(body.participants):
        found.append(certificate(body, signatures, attestations))
    return found


def _require_signed(
    body: TranscriptBody, cast: Cast, named_by: set[int], signatures: dict[int, bytes]
) -> None:
    for seat in sorted(named_by):
        if _seat_in(body, cast, seat) not in signatures:
            raise ConsortiumError(
                "it names a transcript that it has signed, and does not sign it",
                reason=Reason.CEREMONY_FAILED,
                culprit=cast.names[seat],
            )


def _relay(
    links: Exchange,
    meeting: Meeting,
    memory: Memory,
    nonces: tuple[bytes, ...],
    bodies: tuple[TranscriptBody, ...],
    proofs: list[Transcript | Refused],
) -> dict[bytes, Transcript | Refused]:
    """The certificates and refusals that count, by digest: see `standing` for why a late one does not."""
    cast, exchanges = meeting.cast, min(meeting.cheats, len(links.peers) - 1) + 1
    known: dict[bytes, Transcript | Refused] = {}
    going: list[Relay] = []

    def take(found: Transcript | Refused, relay: Relay | None) -> None:
        digest = _digest(found)
        if digest not in known:
            known[digest] = found
            before = () if relay is None else relay.chain
            signature = memory.sign(relay_statement(meeting.name, digest, nonces))
            going.append(Relay(found.encode(), (*before, Seen(links.own, nonces, signature))))

    place = cast.participants.index(links.own)
    check = Check(meeting.name, cast.keys, place, nonces[place])
    for proof in proofs:
        take(proof, None)
    for count in range(1, exchanges + 1):
        sending, going = encode(tuple(going)), []
        for peer, data in sorted(_to_all(links, sending).items()):
            for relay in decode_relays(data, cast.names[peer]):
                found = _proof_in(relay, bodies)
                if found is not None and in_time(relay, count, peer, _digest(found), check):
                    take(found, relay)
    return known


def _digest(proof: Transcript | Refused) -> bytes:
    return proof.digest if isinstance(proof, Refused) else proof.body.hash


def _proof_in(relay: Relay, bodies: tuple[TranscriptBody, ...]) -> Transcript | Refused | None:
    """A certificate or a refusal of what this meeting is about; what is neither counts for nothing, whoever sends it."""
    refused = decode_refused(relay.proof)
    if refused is not None:
        statement = refusal_statement(refused.ceremony)
        for body in bodies:
            if refused.ceremony == body.ceremony and refused.place in body.participants:
                key = body.cast[refused.place].signing_key
                return refused if verifies(key, refused.signature, statement) else None
        return None
    try:
        found = decode_transcript(relay.proof)
    except ConsortiumError:
        return None
    return found if found.body in bodies else None


def _decide(body: TranscriptBody, meeting: Meeting, known: dict[bytes, Transcript | Refused]) -> Ended:
    cast = meeting.cast
    certified = known.get(body.hash)
    refused = {
        proof.place
        for proof in known.values()
        if isinstance(proof, Refused) and proof.ceremony == body.ceremony
    }
    here = {_seat_in(body, cast, seat) for seat in cast.participants}
    away = [place for place in body.participants if place not in here]
    old = sum(body.cast[place].old_index is not None for place in away)
    new = sum(body.cast[place].new_index is not None for place in away)
    found = verdict(
        body.names,
        away,
        certified=certified is not None,
        refused=refused,
        gone_back=sum(body.cast[place].old_index is not None for place in refused) > meeting.old.threshold,
        may_stay_away=meeting.may_stay_away(body, old, new),
    )
    commits = found.decision is Decision.COMMIT and isinstance(certified, Transcript)
    return Ended(body, found, certified if commits and isinstance(certified, Transcript) else None)


__all__ = ["Ended", "Memory", "Met", "meet"]
