"""Who holds which component of a replicated sharing, for committees of 2t + 1 parties of which at most t pry.

There is one component per set of t parties, which are those that lack it: x is the sum of all components, any t + 1
parties hold them all, and any t of them lack one. Everything here is public and pure.

Source: Cramer, Damgard, Ishai, "Share conversion, pseudorandom secret-sharing and applications to secure computation",
TCC 2005, section 2 (replicated, or CNF, sharing).
"""

import functools
import itertools
from dataclasses import dataclass

MAX_THRESHOLD = 3

Slots = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The components of a sharing between `parties` parties. Made by `layout_of`.

    Attributes:
        threshold: t, how many parties may pry together.
        subsets: by component, the ascending positions that lack it.
        held: by position, the components that it holds, in the order in which shares store them (their slots).
        products: by position, the local product as terms (slots of x, slots of y): the party adds up
            (sum of x over the first) * (sum of y over the second). Over all positions every pair of components occurs once.
        counted: by position, the slots of the components of which it is the first holder: it stands for them when all
            positions add up a value.
    """

    threshold: int
    subsets: tuple[Slots, ...]
    held: tuple[Slots, ...]
    products: tuple[tuple[tuple[Slots, Slots], ...], ...]
    counted: tuple[Slots, ...]

    @property
    def parties(self) -> int:
        """2t + 1."""
        return 2 * self.threshold + 1

    def holders(self, component: int) -> Slots:
        """The t + 1 positions that hold a component, ascending."""
        return tuple(p for p in range(self.parties) if p not in self.subsets[component])

    def slot(self, position: int, component: int) -> int | None:
        """Where a position stores a component; None where it lacks it."""
        held = self.held[position]
        return held.index(component) if component in held else None


@functools.cache
def layout_of(threshold: int) -> Layout:
    """The layout for threshold 1 (3 parties), 2 (5 parties, 10 components) or 3 (7 parties, 35 components).

    With t = 1 position i holds x_i and x_{i+1}, in this order. Position 0 then knows x_0 + x_1, and the two others
    x_2: the protocols of `three` rest on that. With t > 1 components are in lexicographic order of their subsets.
    """
    parties = 2 * threshold + 1
    if threshold == 1:
        subsets: tuple[Slots, ...] = ((1,), (2,), (0,))
        held: tuple[Slots, ...] = ((0, 1), (1, 2), (2, 0))
        products = _products_of_three()
    else:
        subsets = tuple(itertools.combinations(range(parties), threshold))
        held = tuple(
            tuple(c for c, lacking in enumerate(subsets) if p not in lacking) for p in range(parties)
        )
        products = _spread_products(parties, subsets, held)
    first = [next(p for p in range(parties) if p not in lacking) for lacking in subsets]
    counted = tuple(tuple(slot for slot, c in enumerate(held[p]) if first[c] == p) for p in range(parties))
    return Layout(threshold, subsets, held, products, counted)


def _products_of_three() -> tuple[tuple[tuple[Slots, Slots], ...], ...]:
    # Position 0 takes all that it can, (x_0 + x_1)(y_0 + y_1), and the two others what has x_2 or y_2 in it:
    # x_2 (y_1 + y_2) + x_1 y_2 at position 1, whose slots are (1, 2); x_2 y_0 + x_0 y_2 at 2, whose slots are (2, 0).
    return ((((0, 1), (0, 1)),), (((1,), (0, 1)), ((0,), (1,))), (((0,), (1,)), ((1,), (0,))))


def _spread_products(
    parties: int, subsets: tuple[Slots, ...], held: tuple[Slots, ...]
) -> tuple[tuple[tuple[Slots, Slots], ...], ...]:
    """Every pair of components to one of the positions that hold both, the work spread evenly."""
    load = [0] * parties
    rows: list[dict[int, list[int]]] = [{} for _ in range(parties)]
    for first, second in itertools.product(range(len(subsets)), repeat=2):
        able = [p for p in range(parties) if p not in subsets[first] and p not in subsets[second]]
        # Prefer who has a row of this factor already: a row costs a multiplication, a pair only an addition.
        position = min(able, key=lambda p: (first not in rows[p] and load[p] > 0, load[p], p))
        row = rows[position].setdefault(held[position].index(first), [])
        row.append(held[position].index(second))
        load[position] += 1
    return tuple(tuple(((slot,), tuple(others)) for slot, others in sorted(row.items())) for row in rows)
