"""Products of shares: formed locally as one summand per party, and closed into shares again, or opened.

*Closing at once.* Each party shares its summand as if it were a private input (see `sharing`), and the shares are added up.
One round; t words per element from each party, to t others. Privacy: that of t + 1 private inputs of those who do not pry,
each of which is masked by words of its own.

*Opening at once.* Summands are masked by a pseudo-random zero (`mask_summand`) and sent to all. One round, 2t words.

*Both in two rounds* with fewer words, for what is made before anybody waits for it. Elements are divided evenly between the
parties; each of them is sent the masked summands of its elements, and adds them up. To open it tells all: 4t / (2t + 1) words
from each party, 1.6 with five and 1.71 with seven. To close, all components but the one that it would send as an owner are
drawn from seeds and were taken off by their first holders, so that the sum is that component, and the t other holders are told:
3t / (2t + 1) words, 1.2 and 1.29. Privacy: that of `mask_summand`; and if one of those who are told pries, it is not the
component that the t who pry lack, which therefore masks it.

Sources: Maurer, "Secure multi-party computation made simple", SCN 2002 (products of replicated shares, reshared); Cramer,
Damgard, Ishai, TCC 2005 (seeds instead of messages, zero shares); Damgard, Nielsen, CRYPTO 2007 (one party adds up).
"""

import numpy as np
import torch

from mpc_party.secure.general.domains import BITS, RING, Domain, mask_summand, summand
from mpc_party.secure.general.placement import drawing, receivers, senders, sent_components
from mpc_party.secure.kernels import local_product
from mpc_party.secure.layout import Slots
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import Messages, SecureSession
from mpc_party.secure.steps import Steps


def close(
    session: SecureSession, domain: Domain, part: Words, operation: str, *, thrifty: bool = False
) -> Steps[Words]:
    """From this party's summand (N,), which is left as it is, to shares (held, N): at once, or in two rounds if `thrifty`."""
    if thrifty:
        return (yield from _close_in_two(session, domain, part, operation))
    threshold, own = session.threshold, session.position
    shares = np.empty((len(session.held), part.size), dtype=np.int64)
    rest = part.copy()
    for slot, component in enumerate(session.held):
        owners = drawing(threshold, component)
        words = session.words(component, domain.products, (len(owners), part.size))
        domain.add.reduce(words, axis=0, out=shares[slot])
        if own in owners:
            domain.subtract(rest, words[owners.index(own)], out=rest)
    send = [(p, rest) for p in receivers(threshold, own)]
    receive = [(p, np.empty(part.size, dtype=np.int64)) for p in senders(threshold, own)]
    yield [Messages(session, domain.kind, operation, send, receive)]
    for sender, words in [(own, rest), *receive]:
        target = shares[session.held.index(sent_components(threshold)[sender])]
        domain.add(target, words, out=target)
    return shares


def _close_in_two(session: SecureSession, domain: Domain, part: Words, operation: str) -> Steps[Words]:
    threshold, own, parties = session.threshold, session.position, session.parties
    width = -(-part.size // parties)
    sent = sent_components(threshold)
    shares = np.empty((len(session.held), parties, width), dtype=np.int64)
    for slot, component in enumerate(session.held):
        session.seeds.fill(component, domain.products, shares[slot])
        if component in sent:
            shares[slot, sent.index(component)] = 0  # to be told
    drawn = summand(session, domain, shares.reshape(len(session.held), -1))
    rest: Words = domain.subtract(part, drawn[: part.size])
    total = yield from _summed(session, domain, rest, operation)
    send = [(p, total) for p in receivers(threshold, own)]
    receive = [(p, shares[session.held.index(sent[p]), p]) for p in senders(threshold, own)]
    yield [Messages(session, domain.kind, operation, send, receive)]
    shares[session.held.index(sent[own]), own] = total
    flat: Words = shares.reshape(len(session.held), -1)
    return flat[:, : part.size]


def _summed(session: SecureSession, domain: Domain, part: Words, operation: str) -> Steps[Words]:
    """The sums of the elements that are this party's to add up; padded to equal numbers. One round. Overwrites `part`."""
    mask_summand(session, domain, part)
    parties, own = session.parties, session.position
    rows = np.zeros((parties, -(-part.size // parties)), dtype=np.int64)
    rows.reshape(-1)[: part.size] = part
    others = [p for p in range(parties) if p != own]
    arriving = [(p, np.empty(rows.shape[1], dtype=np.int64)) for p in others]
    yield [Messages(session, domain.kind, operation, [(p, rows[p]) for p in others], arriving)]
    total: Words = rows[own].copy()
    for _, words in arriving:
        domain.add(total, words, out=total)
    return total


def multiplied(session: SecureSession, x: Words, y: Words) -> Words:
    """This party's summand of x y in the ring, (N,), of shares (held, N)."""
    product = local_product(session.terms, torch.from_numpy(x), torch.from_numpy(y))
    words: Words = product.numpy()
    return words


def conjoined(session: SecureSession, x: Words, y: Words) -> Words:
    """This party's summand of x & y, (N,), of shares (held, N)."""
    part = np.zeros(x.shape[1], dtype=np.int64)
    for slots_x, slots_y in session.terms:
        product = _sum_of_bits(x, slots_x)
        product &= _sum_of_bits(y, slots_y)
        part ^= product
    return part


def _sum_of_bits(words: Words, slots: Slots) -> Words:
    total: Words = words[slots[0]].copy()
    for slot in slots[1:]:
        total ^= words[slot]
    return total


def conjunction(
    session: SecureSession, x: Words, y: Words, operation: str, *, thrifty: bool = False
) -> Steps[Words]:
    """X & y of bits (held, *shape). Cost: see `close`."""
    held, *shape = x.shape
    part = conjoined(session, x.reshape(held, -1), y.reshape(held, -1))
    return (yield from close(session, BITS, part, operation, thrifty=thrifty)).reshape(held, *shape)


def open_summands(
    session: SecureSession, part: Words, operation: str, *, thrifty: bool = False
) -> Steps[Words]:
    """Open what the summands (N,) in the ring add up to: at once, or in two rounds if `thrifty`. Overwrites `part`."""
    others = [p for p in range(session.parties) if p != session.position]
    if thrifty:
        total = yield from _summed(session, RING, part, operation)
        opened = np.empty((session.parties, total.size), dtype=np.int64)
        opened[session.position] = total
        receive = [(p, opened[p]) for p in others]
        yield [Messages(session, RING.kind, operation, [(p, total) for p in others], receive)]
        flat: Words = opened.reshape(-1)
        return flat[: part.size]
    mask_summand(session, RING, part)
    receive = [(p, np.empty(part.size, dtype=np.int64)) for p in others]
    yield [Messages(session, RING.kind, operation, [(p, part) for p in others], receive)]
    total = part.copy()
    for _, words in receive:
        total += words
    return total
