"""What a program is going to use up, found by running it alone: so that all of it can be made before the round.

Programs on shares do the same whatever the values are. Run without peers, on zeros for all that they would send, a
program computes nothing of meaning, but uses of each item what it will use in earnest, at every party alike.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NoReturn

import numpy as np

from mpc_party.mesh.exchange import FrameKind
from mpc_party.secure.general.pool import Item, used
from mpc_party.secure.randomness import SEED_BYTES, SeedSet
from mpc_party.secure.session import Messages, SecureSession, SessionContext

_CONTEXT = SessionContext(bytes(32), 0, 0)


class _Alone:
    """A mesh with nobody at its other ends."""

    def __init__(self, committee: Sequence[int], own: int) -> None:
        self.own = own
        self.peers = tuple(member for member in committee if member != own)

    def exchange(
        self, kind: FrameKind, outgoing: Mapping[int, bytes | memoryview], expect: Collection[int]
    ) -> NoReturn:
        """Nothing is sent in a rehearsal."""
        del kind, outgoing, expect
        raise AssertionError("a rehearsal has nobody to talk to")


class _Rehearsal(SecureSession):
    """A session in which all that arrives is zero. Its seeds are known to everybody: no secret may enter it."""

    rehearsing = True

    def __init__(self, session: SecureSession) -> None:
        own = session.committee[session.position]
        mesh = _Alone(session.committee, own)
        super().__init__(mesh, session.committee, _CONTEXT, fraction_bits=session.fraction_bits)
        seeds = {component: bytes(SEED_BYTES) for component in self.held}
        self._seeds = SeedSet(seeds, dict.fromkeys(self.held, ()), bytes(32))

    def exchange(self, batch: Sequence[Messages]) -> None:
        """Nothing is sent, and what is awaited is zero."""
        for messages in batch:
            for _, words in messages.receive:
                words[...] = np.int64(0)


def rehearse(session: SecureSession, program: Callable[[SecureSession], object]) -> dict[Item, int]:
    """What a program would use up in this session: what to `prepare`. Local.

    Args:
        session: whose committee and precision are taken.
        program: runs in the session that it is given, on inputs that are no secrets, and does not let what it opens decide what
            it does next.
    """
    rehearsal = _Rehearsal(session)
    with rehearsal:
        program(rehearsal)
    return used(rehearsal)
