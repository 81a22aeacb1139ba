"""Conjunctions of up to four shared bits in one round, with products of random masks made before the round.

Each input x is opened as d = x ^ m with a random m of its own. Then a product of inputs is one of factors d ^ m, which
expands to products of d's, which all know, with products of masks, which are shared. The same expansion, without opening
anything, gives products of factors d ^ r with public d, of a word whose bits r are shared: see `carry`.

Inputs are numbered from 0, and a product is the sum of 2^i over its inputs i.

Source: Patra, Schneider, Suresh, Yalame, "ABY2.0", USENIX Security 2021 (gates of many inputs).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc_party.secure.general.closing import conjunction
from mpc_party.secure.general.domains import BITS, add_public, random_words
from mpc_party.secure.general.random_bits import OPERATION
from mpc_party.secure.general.sharing import open_to_all
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps


@dataclass(frozen=True, slots=True)
class Gate:
    """Which products are wanted of how many inputs, none of more than four; and those of masks that they expand to.

    Attributes:
        inputs: how many.
        products: every product of masks that is needed, the single ones first, then by degree.
    """

    inputs: int
    products: tuple[int, ...]

    def place(self, product: int) -> int:
        """Where it stands among `products`."""
        return self.products.index(product)


def gate(wanted: Sequence[int]) -> Gate:
    """The gate with these products."""
    needed = {part for product in wanted for part in parts_of(product) if part}
    inputs = max(product.bit_length() for product in needed)
    needed |= {1 << index for index in range(inputs)}
    return Gate(inputs, tuple(sorted(needed, key=lambda product: (product.bit_count(), product))))


def parts_of(product: int) -> list[int]:
    """All products of some of its inputs, the empty one included."""
    return [part for part in range(product + 1) if part & product == part]


def complete(session: SecureSession, form: Gate, single: Words, *, thrifty: bool) -> Steps[Words]:
    """All products of a gate's masks: (held, inputs, *shape) to (held, products, *shape).

    Two conjunctions one after the other, in all of as many bits as there are products of two or more.
    """
    held, inputs, *shape = single.shape
    values = np.empty((held, len(form.products), *shape), dtype=np.int64)
    values[:, :inputs] = single
    done = inputs
    for degrees in ({2}, {3, 4}):
        batch = [product for product in form.products if product.bit_count() in degrees]
        if batch:
            # the two lowest inputs of three or four, and the rest
            lower = [_lowest(product, product.bit_count() // 2) for product in batch]
            x = values[:, [form.place(part) for part in lower]]
            y = values[:, [form.place(product ^ part) for product, part in zip(batch, lower, strict=True)]]
            values[:, done : done + len(batch)] = yield from conjunction(
                session, x, y, OPERATION, thrifty=thrifty
            )
            done += len(batch)
    return values


def _lowest(product: int, count: int) -> int:
    result = 0
    for _ in range(count):
        rest = product ^ result
        result |= rest & -rest
    return result


def make_gates(session: SecureSession, form: Gate, shape: tuple[int, ...], *, thrifty: bool) -> Steps[Words]:
    """Random masks and their products: (held, products, *shape). Cost: see `complete`."""
    count = form.inputs * int(np.prod(shape))
    single = random_words(session, BITS, count).reshape(len(session.held), form.inputs, *shape)
    return (yield from complete(session, form, single, thrifty=thrifty))


def open_inputs(
    session: SecureSession, form: Gate, inputs: Words, masks: Words, operation: str
) -> Steps[Words]:
    """Inputs (held, inputs, *shape) masked, for all to know: (inputs, *shape). One round, t words for each from each party.

    Revealed: nothing; each mask is used once.
    """
    return (yield from open_to_all(session, BITS, [inputs ^ masks[:, : form.inputs]], operation))[0]


def product(
    session: SecureSession, form: Gate, opened: Words, masks: Words, wanted: int, *, only: int = 0
) -> Words:
    """Shares (held, *shape) of the product of d_i ^ m_i over the wanted inputs; of m_i alone for those in `only`. Local.

    Args:
        session: the computation.
        form: the gate.
        opened: d, (inputs, *shape), the same at all parties.
        masks: shares of the products of m, (held, products, *shape).
        wanted: a product of the gate.
        only: some of its inputs.
    """
    result = np.zeros((masks.shape[0], *masks.shape[2:]), dtype=np.int64)
    for part in parts_of(wanted):
        if part & only != only:
            continue
        known = [opened[i] for i in range(form.inputs) if (wanted ^ part) >> i & 1]
        factor: Words | int = np.bitwise_and.reduce(known, axis=0) if known else -1
        if part:
            result ^= masks[:, form.place(part)] & factor
        else:
            add_public(session, BITS, result, factor)
    return result
