"""All that a round opens, in one place: what everybody learns, and what each owner learns of its own positions.

To the whole committee   per party how many of its inputs were out of range, which is zero for every party that follows
                         the protocol; then the table of `Column`, which the report is made of
To its owner only        the net delta, gamma and vega of its own positions, and their worst scenario's loss

Nothing else is opened: these are the only calls in this package that open shares, and a test fails when another one
appears. The counts come first, and where one is not zero, nothing follows: an input out of range breaks the promise that the
median's comparisons stand on, so that the table could hold a sum or a difference of other parties' inputs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpc_party.hedging.aggregate import out_of_range
from mpc_party.hedging.exposure import Exposure
from mpc_party.hedging.outputs import Opened
from mpc_party.secure import ReplicatedShares, open_to, open_words_many
from mpc_party.secure.steps import Steps, collective, merged


@collective
def open_violations(inputs: Sequence[ReplicatedShares]) -> Steps[tuple[int, ...]]:
    """Open, per position, how many of its inputs are out of range. Collective; 5 rounds, beside whatever else runs.

    Args:
        inputs: the parties' market words: see `aggregate.out_of_range`.
    """
    counts = yield from out_of_range.steps(inputs)
    (opened,) = yield from open_words_many.steps([counts])
    return tuple(opened.tolist())


@collective
def open_round(
    table: ReplicatedShares, violations: tuple[int, ...], exposures: Sequence[ReplicatedShares]
) -> Steps[Opened]:
    """Open a round's results. Collective; one round, and none where an input was out of range.

    Args:
        table: (7, n), to everybody.
        violations: what `open_violations` gave; where one is not zero, table and exposure stay closed and are zeros.
        exposures: per position (4,): net delta, gamma, vega, worst loss; each to its owner.
    """
    session = table.session
    if any(violations):
        return Opened(np.zeros(tuple(table.shape), dtype=np.int64), session.fraction_bits, violations)
    public: Steps[Any] = open_words_many.steps([table])
    private: list[Steps[Any]] = [open_to.steps(position, each) for position, each in enumerate(exposures)]
    opened: list[Any] = yield from merged([public, *private])
    (words,), own = opened[0], opened[1 + session.position]
    return Opened(words.numpy(), session.fraction_bits, violations, Exposure(*own.tolist()))
