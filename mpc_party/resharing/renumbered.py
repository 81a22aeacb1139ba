"""An exchange under other numbers: for a protocol that counts those who take part, in a session that counts the whole cast."""

from collections.abc import Collection, Mapping

from mpc_party.mesh.exchange import Exchange, FrameKind


class Renumbered:
    """An `Exchange` among the same members, numbered by their places in `seats`."""

    def __init__(self, links: Exchange, seats: Collection[int]) -> None:
        """Number the members.

        Args:
            links: the session.
            seats: all its members, this one too, in the new order.
        """
        self._links = links
        self._seats = tuple(seats)
        self._places = {seat: place for place, seat in enumerate(self._seats)}

    @property
    def own(self) -> int:
        """This member's place."""
        return self._places[self._links.own]

    @property
    def peers(self) -> tuple[int, ...]:
        """The others' places, ascending."""
        return tuple(sorted(self._places[peer] for peer in self._links.peers))

    def exchange(
        self, kind: FrameKind, outgoing: Mapping[int, bytes | memoryview], expect: Collection[int]
    ) -> dict[int, bytes]:
        """See `Exchange.exchange`."""
        sending = {self._seats[place]: data for place, data in outgoing.items()}
        received = self._links.exchange(kind, sending, [self._seats[place] for place in expect])
        return {self._places[seat]: data for seat, data in received.items()}


__all__ = ["Renumbered"]
