"""Into shares and out of them, of words and of bits.

*Sharing.* An owner's value is the sum of the components that the owner holds; those that it lacks are zero. It draws all
of them but one from seeds, and sends the last to the t others who hold it. One round, t words per element from the owner.

Privacy: t prying parties without the owner lack one component that the owner holds, and its seed. If it is the one sent,
they receive nothing; else it masks the one sent.

*Opening.* A party lacks many components, but needs only their sum: t senders make up for what it lacks, each with the sum
of what it has of it. One round, t words per element from each party.

Privacy: t parties lack one component, which is the value less what they hold. So the value tells them all that is sent.
"""

from collections.abc import Sequence

import numpy as np

from mpc_party.secure.bits import from_plane, to_planes, words_per_plane
from mpc_party.secure.general.domains import RING, Domain
from mpc_party.secure.general.placement import openers, receivers, sent_components
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import Messages, SecureSession
from mpc_party.secure.steps import Steps


def share_words(
    session: SecureSession,
    pieces: Sequence[tuple[int, tuple[int, ...], Words | None]],
    operation: str = "share",
) -> Steps[list[Words]]:
    """Share private words. One round, t words per element from the owner. Revealed: nothing, see above."""
    return (yield from share(session, RING, pieces, operation))


def share(
    session: SecureSession,
    domain: Domain,
    pieces: Sequence[tuple[int, tuple[int, ...], Words | None]],
    operation: str,
) -> Steps[list[Words]]:
    """Share private words or bits, given as (owner, shape, the words at the owner): see above."""
    arrays: list[Words] = []
    send: list[tuple[int, Words]] = []
    receive: list[tuple[int, Words]] = []
    for owner, shape, value in pieces:
        count = int(np.prod(shape))
        words = np.zeros((len(session.held), count), dtype=np.int64)
        rest = _given(session, owner, value)
        sent = _draw(session, domain, owner, words, rest)
        if sent is not None and rest is not None:
            words[sent] = rest
            send += [(p, words[sent]) for p in receivers(session.threshold, owner)]
        elif sent is not None:
            receive.append((owner, words[sent]))
        arrays.append(words.reshape(len(session.held), *shape))
    yield [Messages(session, domain.kind, operation, send, receive)]
    return arrays


def share_narrow(
    session: SecureSession, pieces: Sequence[tuple[int, int, Words | None]], width: int, operation: str
) -> Steps[list[Words]]:
    """Share private words of which only the lowest `width` bits matter: one round, t * width bits from the owner.

    Args:
        session: the computation.
        pieces: (owner, how many, the words at the owner).
        width: all is modulo 2^width.
        operation: for the traffic count.

    Returns:
        shares (held, N); what they add up to is right in its lowest `width` bits only.
    """
    arrays: list[Words] = []
    send: list[tuple[int, Words]] = []
    receive: list[tuple[int, Words]] = []
    arriving: list[tuple[Words, Words]] = []
    for owner, count, value in pieces:
        words = np.zeros((len(session.held), count), dtype=np.int64)
        rest = _given(session, owner, value)
        sent = _draw(session, RING, owner, words, rest)
        if sent is not None and rest is not None:
            words[sent] = rest
            planes = to_planes(rest, width)
            send += [(p, planes) for p in receivers(session.threshold, owner)]
        elif sent is not None:
            planes = np.empty((width, words_per_plane(count)), dtype=np.int64)
            receive.append((owner, planes))
            arriving.append((planes, words[sent]))
        arrays.append(words)
    yield [Messages(session, RING.kind, operation, send, receive)]
    for planes, target in arriving:
        for bit, plane in enumerate(planes):
            np.bitwise_or(target, from_plane(plane, target.size) << bit, out=target)
    return arrays


def _given(session: SecureSession, owner: int, value: Words | None) -> Words | None:
    if session.position != owner:
        return None
    if value is None:
        raise ValueError("the owner gives the words to share")
    return value.reshape(-1).copy()


def _draw(session: SecureSession, domain: Domain, owner: int, words: Words, rest: Words | None) -> int | None:
    """Draw the components that come from seeds, and take them from the owner's `rest`; the slot of the one sent."""
    sent = None
    for slot, component in enumerate(session.held):
        if component == sent_components(session.threshold)[owner]:
            sent = slot
        elif owner not in session.layout.subsets[component]:
            session.seeds.fill(component, domain.inputs, words[slot])
            if rest is not None:
                domain.subtract(rest, words[slot], out=rest)
    return sent


def open_words(session: SecureSession, shares: Sequence[Words]) -> Steps[list[Words]]:
    """Open words (held, *shape) to all. One round, t words per element and party. Revealed: the values."""
    return (yield from open_to_all(session, RING, shares, "open"))


def open_to_all(
    session: SecureSession, domain: Domain, shares: Sequence[Words], operation: str
) -> Steps[list[Words]]:
    """Open words or bits to all: see above."""
    return (yield from _open(session, domain, range(session.parties), shares, operation))


def open_words_to(
    session: SecureSession, position: int, shares: Sequence[Words]
) -> Steps[list[Words] | None]:
    """Open to one party. One round, a word per element from each of t others. Revealed: the values, to that party."""
    opened = yield from _open(session, RING, [position], shares, "open")
    return opened if session.position == position else None


def _open(
    session: SecureSession, domain: Domain, positions: Sequence[int], shares: Sequence[Words], operation: str
) -> Steps[list[Words]]:
    """The values, at those positions; nothing elsewhere."""
    flat = [words.reshape(len(session.held), -1) for words in shares]
    slots = {component: slot for slot, component in enumerate(session.held)}
    send: list[tuple[int, Words]] = []
    receive: list[tuple[int, Words]] = []
    for position in positions:
        for sender, components in openers(session.threshold, position):
            if sender == session.position:
                send += [(position, _total(domain, [w[slots[c]] for c in components])) for w in flat]
            elif position == session.position:
                receive += [(sender, np.empty(words.shape[1], dtype=np.int64)) for words in flat]
    yield [Messages(session, domain.kind, operation, send, receive)]
    if session.position not in positions:
        return []
    opened = []
    for index, words in enumerate(flat):
        arrived = [missing for _, missing in receive[index :: len(flat)]]
        opened.append(_total(domain, [*words, *arrived]).reshape(shares[index].shape[1:]))
    return opened


def _total(domain: Domain, words: Sequence[Words]) -> Words:
    total = words[0].copy()
    for other in words[1:]:
        domain.add(total, other, out=total)
    return total
