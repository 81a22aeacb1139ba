"""Which committee may run a round of which number.

Each member keeps a promise of its own: one report per round number. Two committees of 2t+1 among n > 3t+1 members may have no
honest member in common, and nobody would break a promise if both ran one number: a coordinator and t members could so have
two reports signed for one round, and the consortium's bond taken for it. So the number says the committee: numbers count
through the committees of the consortium in lexicographic order, again and again, and a proposal whose number is another
committee's is refused. Numbers have gaps then where n > 2t+1; the contract asks only that they rise.
"""

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=64)
def _ranks(members: int, size: int) -> dict[tuple[int, ...], int]:
    return {committee: rank for rank, committee in enumerate(itertools.combinations(range(members), size))}


def runs_round(committee: Sequence[int], members: int, round_number: int) -> bool:
    """Whether a committee (ascending member indices, of `members` in all) is the one that this number belongs to."""
    rank = _ranks(members, len(committee)).get(tuple(committee))
    return rank is not None and round_number % math.comb(members, len(committee)) == rank


def next_round(committee: Sequence[int], members: int, after: int) -> int:
    """The lowest round number above `after` that belongs to this committee.

    Raises:
        ValueError: it is no committee of so many members.
    """
    rank = _ranks(members, len(committee)).get(tuple(committee))
    if rank is None:
        raise ValueError(f"{tuple(committee)} is no ascending choice of {members} members")
    return after + 1 + (rank - after - 1) % math.comb(members, len(committee))
