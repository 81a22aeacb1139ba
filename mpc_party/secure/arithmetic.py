"""Multiplication and truncation: products of shares, formed locally by the operators of `shares`, are closed here.

How is the sharing scheme's: `three.products` for committees of three, `general.products` for five and seven.
"""

from collections.abc import Sequence

import torch

from mpc_party.secure.encoding import Public, decode
from mpc_party.secure.scheme import scheme_of
from mpc_party.secure.session import SecureSession
from mpc_party.secure.shares import AdditiveShares, ReplicatedShares, Shares
from mpc_party.secure.steps import Steps, collective, merged

MOST_DROPPED = {1: 62, 2: 58, 3: 58}  # by threshold: bits of one truncation


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
    Cost where t > 1: see `general`.
    Revealed: nothing. Every word sent is masked by words of a seed that its receiver does not know.
    Error where t = 1: truncation rounds to one of the two neighbouring units in the last place, up with a probability
        equal to the fraction dropped (so without bias, and values that need no rounding stay exact); and with
        probability |z| / 2^64 per element, z the ring word before truncation, the result is off by 2^(64 - bits)
        units. Keep |z| small and check what is opened (`require_in_range`, `until_in_range`).
    Error where t > 1: less than 2 units in the last place (t = 2) or 2.5 (t = 3), also where nothing needs rounding (a product
        with zero may come out as 1 or -1 units), without bias but for half a unit of the digits dropped where t = 3; never
        wildly wrong, as long as |z| < 2^61 - 2^bits. At most 58 bits at once.
    Which way it rounds depends on the low bits of words that single parties know, so that a party that sees the
    result opened learns that much about the digits dropped, which are below the precision of the result: one comparison of
    them with a number that it knows. Where position 0's own input is truncated, that number is public.
    """
    target = (
        min(shares.fraction_bits, shares.session.fraction_bits) if fraction_bits is None else fraction_bits
    )
    if target > shares.fraction_bits:
        shares = shares.at_scale(target)
    bits = shares.fraction_bits - target
    session = shares.session
    _require_droppable(session, bits)
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


def _require_droppable(session: SecureSession, bits: int) -> None:
    most = MOST_DROPPED[session.threshold]
    if not 0 <= bits <= most:
        raise ValueError(f"a truncation drops 0 to {most} bits, not {bits}: do it in two steps")


@collective
def reduce_many(shares: Sequence[Shares], fraction_bits: int | None = None) -> Steps[list[ReplicatedShares]]:
    """Close several expressions in the rounds of one: see `reduce`. Collective."""
    return (yield from merged([reduce.steps(s, fraction_bits) for s in shares]))


@collective
def open_product(product: AdditiveShares, fraction_bits: int | None = None) -> Steps[torch.Tensor]:
    """Open an unreduced product to all parties, decoded in float64, in the round that `reduce` takes. Collective.

    For the last product of a program: one round less than closing it and opening the result.

    Args:
        product: for instance `x @ w + b`.
        fraction_bits: of the result before it is decoded, as in `reduce`.

    Cost where t = 1: 1 round; two words per element from positions 1 and 2, and one that 0 sends to 1 ahead. Where t > 1,
        see `general`.
    Revealed: the values as `reduce` rounds them, to everybody. Error: as `reduce`.
    """
    session = product.session
    target = min(product.fraction_bits, session.fraction_bits) if fraction_bits is None else fraction_bits
    scaled = product.at_scale(max(target, product.fraction_bits))
    bits = scaled.fraction_bits - target
    _require_droppable(session, bits)
    words = yield from scheme_of(session).open_product(session, scaled.words[0].numpy(), bits)
    return decode(torch.from_numpy(words), target)


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
    """Multiply a public matrix by x, with one truncation. Collective; see `reduce`."""
    return (yield from reduce.steps(matrix @ x, fraction_bits))


@collective
def truncate(x: ReplicatedShares, bits: int) -> Steps[ReplicatedShares]:
    """Divide x by 2^bits, keeping its scale. Collective; cost, disclosure and error as `reduce` of replicated shares.

    Raises:
        ValueError: bits is not within 0..62, or 0..58 where t > 1.
    """
    _require_droppable(x.session, bits)
    if bits == 0:
        return x
    words = yield from scheme_of(x.session).truncate(x.session, x.words.numpy(), bits)
    return ReplicatedShares(x.session, torch.from_numpy(words), x.fraction_bits)
