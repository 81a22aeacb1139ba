"""All that a round opens, in one place: what everybody learns, and what each owner learns of its own positions.

To the whole committee   the table of `Column`, which the report is made of; and per party how many of its inputs were
                         out of range, which is zero for every party that follows the protocol
To its owner only        the net delta, gamma and vega of its own positions, and their worst scenario's loss

Nothing else is opened: these are the only calls in this package that open shares, and a test fails when another one
appears.
"""

from collections.abc import Sequence
from typing import Any, Final

from mpc_party.hedging.exposure import Exposure
from mpc_party.hedging.outputs import Opened
from mpc_party.secure import ReplicatedShares, open_to, open_words_many
from mpc_party.secure.steps import Steps, collective, merged

EXPOSURES: Final = 4


@collective
def open_round(
    table: ReplicatedShares, violations: ReplicatedShares, exposures: Sequence[ReplicatedShares]
) -> Steps[Opened]:
    """Open a round's results. Collective; one round.

    Args:
        table: (7, n), to everybody.
        violations: (3,) at scale 0, to everybody.
        exposures: per position (4,): net delta, gamma, vega, worst loss; each to its owner.
    """
    session = table.session
    public: Steps[Any] = open_words_many.steps([table, violations])
    private: list[Steps[Any]] = [open_to.steps(position, each) for position, each in enumerate(exposures)]
    opened: list[Any] = yield from merged([public, *private])
    (words, counts), own = opened[0], opened[1 + session.position]
    return Opened(words.numpy(), session.fraction_bits, tuple(counts.tolist()), Exposure(*own.tolist()))
