"""Who computes a round: the choice of 2t+1 members, fair in the long run and away from those who fail.

Each member carries a blame that a failure adds to, a settled round clears and every later choice halves, so that nobody
is left out for ever. Where parties disagree and nobody can say who is wrong, the whole committee is blamed alike: who
spoils round after round is the one who was in all of them. Whoever ends a round takes part of the blame as well: it may be the one that has no market data, and a member that
accuses others time and again would otherwise clear the committee of honest ones. Among equals, those who have served least serve next.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

CULPRIT_BLAME = 8.0
ACCUSER_BLAME = 6.0  # so much that who accuses others in turn, every time, soon has more blame than they
SHARED_BLAME = 4.0  # of each member of a committee that disagreed
FADING = 0.5  # of the blame that is left after each choice
FORGOTTEN = 0.05


@dataclass
class CommitteeChoice:
    """The members' record. `size` is 2t+1, `members` their number."""

    members: int
    size: int
    _blame: dict[int, float] = field(default_factory=dict)
    _served: dict[int, int] = field(default_factory=dict)

    def blame(self, culprit: int | None, accuser: int | None) -> None:
        """Note a failure: of the culprit, if one is known, and, less, of who ended the round."""
        if culprit is not None:
            self._blame[culprit] = self._blame.get(culprit, 0.0) + CULPRIT_BLAME
        if accuser is not None and accuser != culprit:
            self._blame[accuser] = self._blame.get(accuser, 0.0) + ACCUSER_BLAME

    def disagreed(self, committee: Collection[int]) -> None:
        """Note a round that failed by a disagreement in which nobody is known to be wrong."""
        for member in committee:
            self._blame[member] = self._blame.get(member, 0.0) + SHARED_BLAME

    def settled(self, committee: Collection[int]) -> None:
        """Note a round that settled: its members have shown that they can."""
        for member in committee:
            self._blame.pop(member, None)

    def next(self, fit: Collection[int]) -> tuple[int, ...] | None:
        """The next committee out of the fit members, ascending; None if there are too few of them."""
        available = sorted(set(fit) & set(range(self.members)))
        if len(available) < self.size:
            return None
        # Blame first, then turns: each member's own terms add up, so the lowest ones make the lowest committee.
        ranked = sorted(available, key=lambda m: (self._blame.get(m, 0.0), self._served.get(m, 0), m))
        chosen = tuple(sorted(ranked[: self.size]))
        for member in chosen:
            self._served[member] = self._served.get(member, 0) + 1
        faded = {member: blame * FADING for member, blame in self._blame.items()}
        self._blame = {member: blame for member, blame in faded.items() if blame > FORGOTTEN}
        return chosen
