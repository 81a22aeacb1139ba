"""Into shares and out of them: private inputs, public constants, random values, and opening."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from mpc_party.secure.encoding import FixedPoint, Public, decode, encode, fixed
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.scheme import scheme_of
from mpc_party.secure.session import SecureSession, current_session
from mpc_party.secure.shares import ReplicatedShares, same_session
from mpc_party.secure.steps import Steps, collective


@dataclass(frozen=True, slots=True)
class PrivateInput:
    """One tensor that its owner puts into the computation.

    Args:
        owner: position (0..2t) of the party whose value it is.
        shape: public; all parties give the same.
        value: the tensor, at its owner; None elsewhere. Real or integer, encoded at `fraction_bits`.
        fraction_bits: scale of the shares, the session's where None.
    """

    owner: int
    shape: Sequence[int]
    value: torch.Tensor | None = field(default=None, repr=False)
    fraction_bits: int | None = None


@collective
def share_many(inputs: Sequence[PrivateInput]) -> Steps[list[ReplicatedShares]]:
    """Share several private tensors of any owners at once, in the current session. Collective.

    Cost: one round; per element t words from the owner, one to each party that holds the one component which is not
    drawn from a seed.
    Revealed: nothing. Every party but the owner lacks a component that the owner's seeds mask; any t of them do.

    Raises:
        ValueError: at an owner, if its value is missing or of another shape than announced.
        SecureError: COMPUTATION_OUT_OF_RANGE at an owner whose value does not fit the ring.
    """
    session = current_session()
    own = [_encoded(session, item) for item in inputs]  # raises before anything is sent
    pieces = [(item.owner, tuple(item.shape), words) for item, words in zip(inputs, own, strict=True)]
    arrays = yield from scheme_of(session).share_words(session, pieces)
    return [
        ReplicatedShares(session, torch.from_numpy(words), _scale(session, item))
        for item, words in zip(inputs, arrays, strict=True)
    ]


def _scale(session: SecureSession, item: PrivateInput) -> int:
    return session.fraction_bits if item.fraction_bits is None else item.fraction_bits


def _encoded(session: SecureSession, item: PrivateInput) -> Words | None:
    if item.owner not in range(session.parties):
        raise ValueError(f"an owner is a position 0..{session.parties - 1}, not {item.owner}")
    if item.owner != session.position:
        return None
    if item.value is None or tuple(item.value.shape) != tuple(item.shape):
        raise ValueError(f"the owner must give a value of the announced shape {tuple(item.shape)}")
    words: Words = encode(item.value.detach(), _scale(session, item)).numpy()
    return words


@collective
def share(owner: int, shape: Sequence[int], value: torch.Tensor | None = None) -> Steps[ReplicatedShares]:
    """Share one private tensor: see `share_many`. Collective; one round."""
    return (yield from share_many.steps([PrivateInput(owner, shape, value)]))[0]


@collective
def share_from_each(value: torch.Tensor) -> Steps[list[ReplicatedShares]]:
    """Every party shares a tensor of the same shape: see `share_many`. Collective; one round for all of them.

    Returns:
        the shares of each position's value.
    """
    session = current_session()
    inputs = [
        PrivateInput(p, tuple(value.shape), value if p == session.position else None)
        for p in range(session.parties)
    ]
    return (yield from share_many.steps(inputs))


def constant(value: Public | FixedPoint, fraction_bits: int | None = None) -> ReplicatedShares:
    """A sharing of a value that all parties know: component x_0 carries it. Local.

    Args:
        value: the same at all parties. Integers keep scale 0 unless `fraction_bits` is given.
        fraction_bits: scale of the shares; where None, what holds the value, at most the session's.
    """
    session = current_session()
    point = fixed(value, session.fraction_bits if fraction_bits is None else fraction_bits)
    scale = point.fraction_bits if fraction_bits is None else fraction_bits
    public = torch.as_tensor(point.aligned(scale), dtype=torch.int64)
    words = torch.zeros((len(session.held), *public.shape), dtype=torch.int64)
    shares = ReplicatedShares(session, words, scale)
    if session.carrier is not None:
        words[session.carrier] = public
    return shares


def random_shares(shape: Sequence[int], fraction_bits: int = 0) -> ReplicatedShares:
    """A sharing of words uniform in Z_2^64 that no party knows, as x_j = F(s_j). Local, but in step at all parties."""
    session = current_session()
    words = np.stack([session.words(component, Purpose.RANDOM_WORDS, shape) for component in session.held])
    return ReplicatedShares(session, torch.from_numpy(words), fraction_bits)


@collective
def random_fractions(shape: Sequence[int]) -> Steps[ReplicatedShares]:
    """Values uniform in [0, 1) at the session's scale f, which nobody knows: multiples of 2^-f. Collective.

    Cost where t = 1: 1 round; per element a word between 1 and 2 each way, and f words that 0 sends to 1 ahead. Where t > 1, see
    `general`. Needs the current session.
    """
    session = current_session()
    words = yield from scheme_of(session).random_fractions(session, tuple(shape), session.fraction_bits)
    return ReplicatedShares(session, torch.from_numpy(words), session.fraction_bits)


@collective
def open_words_many(shares: Sequence[ReplicatedShares]) -> Steps[list[torch.Tensor]]:
    """Open several values to all parties, as ring words (int64). Collective.

    Cost: one round. One word per element and party where t = 1: each sends the component that the next party lacks.
        Where t > 1 a party is sent t words, the sums of the components that it lacks and their senders hold.
    Revealed: the values, to everybody, and nothing more: a party's missing components sum up to the value less its own.
    """
    if not shares:
        return []
    session = same_session(shares)
    opened = yield from scheme_of(session).open_words(session, [x.words.numpy() for x in shares])
    return [torch.from_numpy(words) for words in opened]


@collective
def open_many(shares: Sequence[ReplicatedShares]) -> Steps[list[torch.Tensor]]:
    """Open several values to all parties, decoded in float64. Cost and disclosure: see `open_words_many`."""
    words = yield from open_words_many.steps(shares)
    return [decode(w, x.fraction_bits) for w, x in zip(words, shares, strict=True)]


@collective
def open_shares(shares: ReplicatedShares) -> Steps[torch.Tensor]:
    """Open one value to all parties, decoded in float64. Cost and disclosure: see `open_words_many`."""
    return (yield from open_many.steps([shares]))[0]


@collective
def open_to(position: int, shares: ReplicatedShares) -> Steps[torch.Tensor | None]:
    """Open one value to one party only. Collective; one round: it is sent what it lacks.

    Returns:
        the value in float64 at `position`, None elsewhere.
    """
    session = shares.session
    if position not in range(session.parties):
        raise ValueError(f"a position is 0..{session.parties - 1}, not {position}")
    opened = yield from scheme_of(session).open_words_to(session, position, [shares.words.numpy()])
    return None if opened is None else decode(torch.from_numpy(opened[0]), shares.fraction_bits)
