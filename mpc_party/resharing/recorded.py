"""What a protocol says to all, as it goes over the mesh: signed messages for the transcript."""

from collections.abc import Collection, Mapping
from typing import Final

from mpc_party.mesh.exchange import DisputableExchange, FrameKind
from mpc_party.signing.channel import EVERYBODY, SIGNATURE_BYTES, SignedMessage

# The steps of each protocol in the order of their exchanges, with those that go to one member only left out.
KEYGEN_STEPS: Final = ("commit", "open", None, "confirm")
RESHARE_STEPS: Final = ("reshare-commit", "reshare-open", None, "reshare-confirm")
RECOVER_STEPS: Final = ("recover-split", None, "recover-echo", None, "recover-done")


class Recorded:
    """A `DisputableExchange` that passes everything on and keeps what went to all. The protocol checks it; this does not."""

    def __init__(self, links: DisputableExchange, steps: tuple[str | None, ...]) -> None:
        """Record.

        Args:
            links: the session.
            steps: the name of each exchange's step, None for a private one; later exchanges are not kept.
        """
        self._links = links
        self._steps = list(steps)
        self._kept: list[tuple[str, int, bytes]] = []

    @property
    def own(self) -> int:
        """This member's index."""
        return self._links.own

    @property
    def peers(self) -> tuple[int, ...]:
        """The others, ascending."""
        return self._links.peers

    def exchange(
        self, kind: FrameKind, outgoing: Mapping[int, bytes | memoryview], expect: Collection[int]
    ) -> dict[int, bytes]:
        """See `Exchange.exchange`."""
        received = self._links.exchange(kind, outgoing, expect)
        step = self._steps.pop(0) if self._steps else None
        if step is not None:
            mine = [(step, self.own, bytes(data)) for data in list(outgoing.values())[:1]]
            self._kept += [*mine, *((step, peer, bytes(data)) for peer, data in received.items())]
        return received

    def dispute(self, payload: bytes, seconds: float) -> dict[int, bytes]:
        """See `DisputableExchange.dispute`."""
        return self._links.dispute(payload, seconds)

    def broadcasts(self, session: bytes) -> list[SignedMessage]:
        """What was said to all in this session of the protocol."""
        return [
            SignedMessage(session, step, sender, EVERYBODY, frame[SIGNATURE_BYTES:], frame[:SIGNATURE_BYTES])
            for step, sender, frame in self._kept
        ]


__all__ = ["KEYGEN_STEPS", "RECOVER_STEPS", "RESHARE_STEPS", "Recorded"]
