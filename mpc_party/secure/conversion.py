"""From bits to ring words: a shared bit as 0 or 1, a value kept or dropped by a shared bit, random fractions.

A binary sharing s = s_0 ^ s_1 ^ s_2 is the exclusive or of w = s_0 ^ s_1, known to party 0, and c = s_2, known to
parties 1 and 2; over the integers that is w + c - 2 w c. The words of c are a replicated sharing as they stand,
(0, 0, c), and party 0 shares w: one product is left.
"""

import numpy as np
import torch

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.binary import from_plane
from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.session import SecureSession, current_session
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.sharing import share_words
from mpc_party.secure.steps import Steps, collective, merged


def _first_and_other(session: SecureSession, bits: Words) -> tuple[Words | None, ReplicatedShares]:
    """Split shared bits (2, *shape), words of 0 or 1, into w at party 0 and a sharing of c."""
    other = np.zeros_like(bits)
    if session.position == 0:
        first: Words = bits[0] ^ bits[1]
        return first, ReplicatedShares(session, torch.from_numpy(other), 0)
    slot = session.position % 2  # x_2 is in slot 1 of party 1 and in slot 0 of party 2
    other[slot] = bits[slot]
    return None, ReplicatedShares(session, torch.from_numpy(other), 0)


def _expanded(plane: Words, shape: torch.Size) -> Words:
    count = shape.numel()
    return np.stack([from_plane(component, count).reshape(shape) for component in plane])


def _shared_first(
    session: SecureSession, first: Words | None, shape: tuple[int, ...]
) -> Steps[ReplicatedShares]:
    words = (yield from share_words(session, [(0, shape, first)], "lift"))[0]
    return ReplicatedShares(session, torch.from_numpy(words), 0)


def lift(
    session: SecureSession, plane: Words, shape: torch.Size, *, negate: bool = False
) -> Steps[ReplicatedShares]:
    """A shared bit per element as the number 0 or 1, at scale 0.

    Args:
        session: the computation.
        plane: binary sharing, (2, M).
        shape: of the result.
        negate: give 1 - bit instead.

    Cost: 2 rounds; one word per element from party 0, then one from each party. Revealed: nothing.
    """
    first, c = _first_and_other(session, _expanded(plane, shape))
    if negate and first is not None:
        first ^= 1
    w = yield from _shared_first(session, first, tuple(shape))
    return (yield from reduce.steps(w + c - 2 * (w * c)))


def select(
    session: SecureSession, values: ReplicatedShares, plane: Words, *, negate: bool = False
) -> Steps[ReplicatedShares]:
    """Values * bit, without lifting the bit first: values * (w + c - 2wc) = w (values - 2 t) + t with t = values * c.

    Arguments as `lift`. Cost: 2 rounds; two words per element and party, and one more from party 0.
    """
    first, c = _first_and_other(session, _expanded(plane, values.shape))
    if negate and first is not None:
        first ^= 1
    target = values.fraction_bits
    w, t = yield from merged(
        [_shared_first(session, first, tuple(values.shape)), reduce.steps(values * c, target)]
    )
    return (yield from reduce.steps(w * (values - 2 * t) + t, target))


@collective
def random_fractions(shape: tuple[int, ...]) -> Steps[ReplicatedShares]:
    """Values uniform in [0, 1) at the session's scale f, which nobody knows: multiples of 2^-f. Collective.

    Cost: 2 rounds; f words per element from party 0, then one from each party. Needs the current session.
    """
    session = current_session()
    scale = session.fraction_bits
    random = np.stack([session.seeds.words(slot, Purpose.RANDOM_BITS, shape) for slot in range(2)])
    positions = np.arange(RING_BITS - scale, RING_BITS, dtype=np.int64).reshape(-1, *[1] * len(shape))
    first, c = _first_and_other(session, (random[:, None] >> positions) & 1)
    w = yield from _shared_first(session, first, (scale, *shape))
    weights = torch.from_numpy(1 << np.arange(scale, dtype=np.int64).reshape(-1, *[1] * len(shape)))
    words = yield from reduce.steps(((w + c - 2 * (w * c)) * weights).sum(0))
    return ReplicatedShares(session, words.words, scale)
