"""Into shares and out of them: private inputs, public constants, random values, and opening."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.secure.encoding import FixedPoint, Public, decode, encode, fixed
from mpc_party.secure.errors import SecureError
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.session import PARTIES, Messages, SecureSession, current_session
from mpc_party.secure.shares import ReplicatedShares, same_session
from mpc_party.secure.steps import Steps, collective


@dataclass(frozen=True, slots=True)
class PrivateInput:
    """One tensor that its owner puts into the computation.

    Args:
        owner: position (0..2) of the party whose value it is.
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

    Cost: one round; one word per element, from the owner to the next party only.
    Revealed: nothing. The owner p draws x_p from the seed that it shares with p-1 and sends x_{p+1} = value - x_p
    to p+1, which does not know that seed; x_{p+2} is zero.

    Raises:
        ValueError: at an owner, if its value is missing or of another shape than announced.
        SecureError: COMPUTATION_OUT_OF_RANGE at an owner whose value does not fit the ring.
    """
    session = current_session()
    own = [_encoded(session, item) for item in inputs]  # raises before anything is sent
    pieces = [(item.owner, tuple(item.shape), words) for item, words in zip(inputs, own, strict=True)]
    arrays = yield from share_words(session, pieces)
    return [
        ReplicatedShares(session, torch.from_numpy(words), _scale(session, item))
        for item, words in zip(inputs, arrays, strict=True)
    ]


def share_words(
    session: SecureSession,
    pieces: Sequence[tuple[int, tuple[int, ...], Words | None]],
    operation: str = "share",
) -> Steps[list[Words]]:
    """The protocol of `share_many` on ring words: (owner, shape, the words at the owner) to (2, *shape) each."""
    arrays: list[Words] = []
    send: list[tuple[int, Words]] = []
    receive: list[tuple[int, Words]] = []
    for owner, shape, value in pieces:
        words = np.zeros((2, *shape), dtype=np.int64)
        arrays.append(words)
        if session.position == owner:  # components p, p+1
            if value is None:
                raise ValueError("the owner gives the words to share")
            words[0] = session.words(owner, Purpose.INPUT_WORDS, shape)
            np.subtract(value, words[0], out=words[1, ...])
            send.append((session.next, words[1, ...]))
        elif session.previous == owner:  # components p+1, p+2
            receive.append((owner, words[0, ...]))
        else:  # components p+2, p
            words[1] = session.words(owner, Purpose.INPUT_WORDS, shape)
    yield [Messages(session, FrameKind.WORDS, operation, send, receive)]
    return arrays


def _scale(session: SecureSession, item: PrivateInput) -> int:
    return session.fraction_bits if item.fraction_bits is None else item.fraction_bits


def _encoded(session: SecureSession, item: PrivateInput) -> Words | None:
    if item.owner not in range(PARTIES):
        raise ValueError(f"an owner is a position 0..{PARTIES - 1}, not {item.owner}")
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
    """Every party shares a tensor of the same shape: see `share_many`. Collective; one round for all three.

    Returns:
        the shares of position 0's, 1's and 2's value.
    """
    position = current_session().position
    inputs = [PrivateInput(p, tuple(value.shape), value if p == position else None) for p in range(PARTIES)]
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
    words = torch.zeros((2, *public.shape), dtype=torch.int64)
    shares = ReplicatedShares(session, words, scale)
    slot = shares._slot_of_public()  # noqa: SLF001 - the convention of this package
    if slot is not None:
        words[slot] = public
    return shares


def random_shares(shape: Sequence[int], fraction_bits: int = 0) -> ReplicatedShares:
    """A sharing of words uniform in Z_2^64 that no party knows, as x_j = F(s_j). Local, but in step at all parties."""
    session = current_session()
    words = np.stack([session.seeds.words(slot, Purpose.RANDOM_WORDS, shape) for slot in range(2)])
    return ReplicatedShares(session, torch.from_numpy(words), fraction_bits)


@collective
def open_words_many(shares: Sequence[ReplicatedShares]) -> Steps[list[torch.Tensor]]:
    """Open several values to all three parties, as ring words (int64). Collective.

    Cost: one round, one word per element and party: each sends the component that the next party lacks.
    Revealed: the values, to everybody, and nothing more: the missing component is the value less the other two.
    """
    if not shares:
        return []
    session = same_session(shares)
    missing = [np.empty(tuple(x.shape), dtype=np.int64) for x in shares]
    yield [
        Messages(
            session,
            FrameKind.WORDS,
            "open",
            [(session.next, x.words[0].numpy()) for x in shares],
            [(session.previous, words) for words in missing],
        )
    ]
    return [_sum_of_components(x, words) for x, words in zip(shares, missing, strict=True)]


@collective
def open_many(shares: Sequence[ReplicatedShares]) -> Steps[list[torch.Tensor]]:
    """Open several values to all three parties, decoded in float64. Cost and disclosure: see `open_words_many`."""
    words = yield from open_words_many.steps(shares)
    return [decode(w, x.fraction_bits) for w, x in zip(words, shares, strict=True)]


@collective
def open_shares(shares: ReplicatedShares) -> Steps[torch.Tensor]:
    """Open one value to all three parties, decoded in float64. Cost and disclosure: see `open_words_many`."""
    return (yield from open_many.steps([shares]))[0]


@collective
def open_to(position: int, shares: ReplicatedShares) -> Steps[torch.Tensor | None]:
    """Open one value to one party only. Collective; one round, one word per element from its predecessor.

    Returns:
        the value in float64 at `position`, None elsewhere.
    """
    if position not in range(PARTIES):
        raise ValueError(f"a position is 0..{PARTIES - 1}, not {position}")
    session = shares.session
    missing = np.empty(tuple(shares.shape), dtype=np.int64)
    send = [(session.next, shares.words[0].numpy())] if session.next == position else []
    receive = [(session.previous, missing)] if session.position == position else []
    yield [Messages(session, FrameKind.WORDS, "open", send, receive)]
    if session.position != position:
        return None
    return decode(_sum_of_components(shares, missing), shares.fraction_bits)


def _sum_of_components(shares: ReplicatedShares, missing: Words) -> torch.Tensor:
    return shares.words[0] + shares.words[1] + torch.from_numpy(missing)


def require_in_range(values: torch.Tensor, low: float, high: float, what: str) -> torch.Tensor:
    """Check opened values, so that a truncation gone wild (see `reduce`) ends the round instead of being published.

    Returns:
        the values.

    Raises:
        SecureError: COMPUTATION_OUT_OF_RANGE, with how many are out of range, and not which or what they are.
    """
    inside = (values >= low) & (values <= high)  # false for NaN
    if not bool(inside.all()):
        wrong = int((~inside).sum())
        raise SecureError(
            f"{wrong} of {values.numel()} opened values of {what} are outside of [{low:g}, {high:g}]",
            reason=Reason.COMPUTATION_OUT_OF_RANGE,
            remedy="run the round again with fresh randomness",
        )
    return values
