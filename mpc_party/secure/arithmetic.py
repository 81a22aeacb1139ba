"""Multiplication and truncation: products of shares, formed locally by the operators of `shares`, are closed here.

How is the sharing scheme's: `three.products` for committees of three, `general.products` for five and seven.
"""

from collections.abc import Sequence

import torch

from mpc_party.secure.encoding import Public
from mpc_party.secure.scheme import scheme_of
from mpc_party.secure.shares import AdditiveShares, ReplicatedShares, Shares
from mpc_party.secure.steps import Steps, collective, merged


@collective
def reduce(shares: Shares, fraction_bits: int | None = None) -> Steps[ReplicatedShares]:
    """Close an expression: to a replicated sharing, at `fraction_bits`. Collective.

    Args:
        shares: an unreduced product, or replicated shares with more fraction bits than wanted.
        fraction_bits: scale of the result. Where None: the session's, or that of `shares` if that is smaller.

    Cost where t = 1:
        product, with truncation or without: 1 round, in which positions 1 and 2 exchange a word per element; and
        one word per element that position 0 sends to 1 ahead;
        replicated with truncation: no round; one word per element that position 0 sends to 1 ahead;
        replicated at the scale wanted: nothing.
    Cost where t > 1: see `general.products`.
    Revealed: nothing. Every word sent is masked by words of a seed that its receiver does not know.
    Error: truncation rounds to one of the two neighbouring units in the last place, up with a probability equal
        to the fraction dropped (so without bias, and values that need no rounding stay exact); where t = 1 also, with
        probability |z| / 2^64 per element, z the ring word before truncation, the result is off by 2^(64 - bits)
        units. Keep |z| small and check what is opened (`require_in_range`, `until_in_range`).
    Which way it rounds depends on the low bits of words that single parties know, so that a party that sees the
    result opened learns that much about the digits dropped, which are below the precision of the result.
    """
    target = (
        min(shares.fraction_bits, shares.session.fraction_bits) if fraction_bits is None else fraction_bits
    )
    if target > shares.fraction_bits:
        shares = shares.at_scale(target)
    bits = shares.fraction_bits - target
    session = shares.session
    scheme = scheme_of(session)
    if isinstance(shares, ReplicatedShares):
        if bits == 0:
            return shares
        words = yield from scheme.truncate(session, shares.words.numpy(), bits)
    elif isinstance(shares, AdditiveShares):
        words = yield from scheme.reshare(session, shares.words[0].numpy(), bits)
    else:
        raise TypeError(f"cannot reduce {type(shares).__name__}")
    return ReplicatedShares(session, torch.from_numpy(words), target)


@collective
def reduce_many(shares: Sequence[Shares], fraction_bits: int | None = None) -> Steps[list[ReplicatedShares]]:
    """Close several expressions in the rounds of one: see `reduce`. Collective."""
    return (yield from merged([reduce.steps(s, fraction_bits) for s in shares]))


def _masked(product: AdditiveShares) -> torch.Tensor:
    # z_i = x_i y_i + x_i y_{i+1} + x_{i+1} y_i + zero_i
    return product.words[0] + torch.from_numpy(product.session.seeds.zero_words(product.shape))


def _reshare(product: AdditiveShares) -> Steps[ReplicatedShares]:
    session = product.session
    words = np.empty((2, *product.shape), dtype=np.int64)
    words[0] = _masked(product).numpy()
    # "send z_i to party i-1", and so receive z_{i+1}.
    yield [
        Messages(
            session,
            FrameKind.WORDS,
            "multiply",
            [(session.previous, words[0, ...])],
            [(session.next, words[1, ...])],
        )
    ]
    return ReplicatedShares(session, torch.from_numpy(words), product.fraction_bits)


def _reshare_truncated(product: AdditiveShares, bits: int) -> Steps[ReplicatedShares]:
    session = product.session
    masked = _masked(product)
    words = np.empty((2, *product.shape), dtype=np.int64)
    if session.position == 0:
        # Design: party 0 "computes u = z_0 >> f, draws r from the seed it shares with 2, sends u - r to 1"
        words[0] = session.words(0, Purpose.TRUNCATION, product.shape)
        np.subtract((masked >> bits).numpy(), words[0], out=words[1, ...])
        yield [Messages(session, FrameKind.WORDS, "multiply-truncate", send=[(1, words[1, ...])])]
        yield [Messages(session, FrameKind.WORDS, "multiply-truncate")]  # new x_0 = r, x_1 = u - r
    elif session.position == 1:
        other = np.empty(product.shape, dtype=np.int64)
        awaited = [(0, words[0, ...]), (2, other)]
        yield [Messages(session, FrameKind.WORDS, "multiply-truncate", receive=awaited)]
        # Design: "party 2 sends z_2 to 1, who computes" v, the sum shifted, and "sends v to 2"
        words[1] = _shifted_up(masked.add_(torch.from_numpy(other)), bits).numpy()
        yield [Messages(session, FrameKind.WORDS, "multiply-truncate", send=[(2, words[1, ...])])]
    else:
        yield [Messages(session, FrameKind.WORDS, "multiply-truncate", send=[(1, masked.numpy())])]
        words[1] = session.words(0, Purpose.TRUNCATION, product.shape)
        yield [Messages(session, FrameKind.WORDS, "multiply-truncate", receive=[(1, words[0, ...])])]
    return ReplicatedShares(session, torch.from_numpy(words), product.fraction_bits - bits)


def _truncate(shares: ReplicatedShares, bits: int) -> Steps[ReplicatedShares]:
    # Here party 1 holds both summands of v = (x_1 + x_2) >> f already, and both 0 and 2 hold x_0, so that
    # u = x_0 >> f is a component as it stands; 1 shares v between components 1 and 2 with a mask from the seed
    # that it shares with 0.
    session = shares.session
    words = np.empty((2, *shares.shape), dtype=np.int64)
    send, receive = [], []
    if session.position == 0:
        words[0] = (shares.words[0] >> bits).numpy()
        words[1] = session.words(1, Purpose.TRUNCATION, shares.shape)
    elif session.position == 1:
        words[0] = session.words(1, Purpose.TRUNCATION, shares.shape)
        v = _shifted_up(shares.words[0] + shares.words[1], bits)
        np.subtract(v.numpy(), words[0], out=words[1, ...])
        send.append((2, words[1, ...]))
    else:
        words[1] = (shares.words[1] >> bits).numpy()
        receive.append((1, words[0, ...]))
    yield [Messages(session, FrameKind.WORDS, "truncate", send, receive)]
    return ReplicatedShares(session, torch.from_numpy(words), shares.fraction_bits - bits)


def _shifted_up(words: torch.Tensor, bits: int) -> torch.Tensor:
    """((words - 1) >> bits) + 1, in place: the ceiling, while the other summand is rounded down.

    With a + b = z, a uniform: floor(a / 2^f) + ceil(b / 2^f) is floor(z / 2^f) or one more, the latter with
    probability (z mod 2^f) / 2^f. Two floors would be one unit too low on average.
    """
    return words.sub_(1).bitwise_right_shift_(bits).add_(1)


@collective
def multiply(
    x: ReplicatedShares, y: ReplicatedShares, fraction_bits: int | None = None
) -> Steps[ReplicatedShares]:
    """Multiply x and y elementwise, with broadcasting. Collective; cost, disclosure and error: see `reduce`."""
    return (yield from reduce.steps(x * y, fraction_bits))


@collective
def multiply_many(
    pairs: Sequence[tuple[ReplicatedShares, ReplicatedShares]], fraction_bits: int | None = None
) -> Steps[list[ReplicatedShares]]:
    """Multiply each pair, in the rounds of one multiplication. Collective; see `reduce`."""
    return (yield from reduce_many.steps([x * y for x, y in pairs], fraction_bits))


@collective
def square(x: ReplicatedShares, fraction_bits: int | None = None) -> Steps[ReplicatedShares]:
    """Square x elementwise. Collective; cost, disclosure and error: see `reduce`."""
    return (yield from reduce.steps(x.square(), fraction_bits))


@collective
def matmul(
    x: ReplicatedShares, y: ReplicatedShares, fraction_bits: int | None = None
) -> Steps[ReplicatedShares]:
    """Multiply matrices with the shapes of torch.matmul. Collective; the words counted by `reduce` are those of the result."""
    return (yield from reduce.steps(x @ y, fraction_bits))


@collective
def sum_of_products(
    pairs: Sequence[tuple[ReplicatedShares, ReplicatedShares]], fraction_bits: int | None = None
) -> Steps[ReplicatedShares]:
    """The sum of x * y over the pairs, with a single truncation and the communication of a single product."""
    first, *others = [x * y for x, y in pairs]
    total = sum(others, start=first)
    return (yield from reduce.steps(total, fraction_bits))


@collective
def linear_map(
    matrix: Public, x: ReplicatedShares, fraction_bits: int | None = None
) -> Steps[ReplicatedShares]:
    """Multiply a public matrix by x, with one truncation of one round. Collective; see `reduce`."""
    return (yield from reduce.steps(matrix @ x, fraction_bits))


@collective
def truncate(x: ReplicatedShares, bits: int) -> Steps[ReplicatedShares]:
    """Divide x by 2^bits, keeping its scale. Collective; one round, one word per element in all: see `reduce`."""
    return (
        yield from reduce.steps(ReplicatedShares(x.session, x.words, x.fraction_bits + bits), x.fraction_bits)
    )
