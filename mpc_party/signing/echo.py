"""Echo of a broadcast: two views of what one member said to all cannot differ unseen.

The mesh has no broadcast channel: "to all" is one message to each, and a cheating member can send different ones
(equivocate). So after each broadcast step every member tells every other the hash of each message of the step,
its own included (Goldwasser and Lindell 2005: broadcast with abort). The hashes travel in the next message of
the protocol where that message gives nothing away under a split view; each use says why it does not.
"""

import hashlib
from collections.abc import Mapping, Sequence

from mpc_party.protocol.errors import Reason
from mpc_party.signing.errors import SigningError


def hash_broadcasts(messages: Mapping[int, Sequence[bytes]]) -> tuple[bytes, ...]:
    """A hash per member, ascending, of what it has broadcast (one or more messages)."""
    return tuple(
        hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in messages[member])).digest()
        for member in sorted(messages)
    )


def compare_echoes(
    own: int,
    members: Sequence[int],
    heard: Sequence[bytes],
    echoes: Mapping[int, Sequence[bytes]],
    names: Sequence[str],
) -> None:
    """Compare what this member heard from each with what each peer says it heard.

    The culprit is certain where a peer misreports what this member sent, or contradicts what itself sent here.
    Otherwise either the peer lies or the third member equivocated, and no culprit is named.

    Raises:
        SigningError: ECHO_MISMATCH.
    """
    doubtful: list[str] = []
    for peer, echo in echoes.items():
        if len(echo) != len(members):
            raise SigningError(
                "an echo of another number of messages", reason=Reason.ECHO_MISMATCH, culprit=names[peer]
            )
        for member, mine, theirs in zip(members, heard, echo, strict=True):
            if mine == theirs:
                continue
            if member in {own, peer}:
                raise SigningError(
                    "a broadcast and its echo differ", reason=Reason.ECHO_MISMATCH, culprit=names[peer]
                )
            doubtful.append(
                f"{names[member]} told {names[peer]} something else, or {names[peer]} says so wrongly"
            )
    if doubtful:
        raise SigningError(doubtful[0], reason=Reason.ECHO_MISMATCH)
