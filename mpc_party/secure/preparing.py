"""Randomness for a whole program, made before its inputs come in."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.secure import general
from mpc_party.secure.errors import SecureError
from mpc_party.secure.session import Messages, SecureSession
from mpc_party.secure.steps import Steps, run

_KEPT = 64
_rehearsed: OrderedDict[Hashable, dict[general.Item, int]] = OrderedDict()


def prepare_for(session: SecureSession, program: Callable[[SecureSession], object], shape: Hashable) -> None:
    """Make all that a program will use up, so that its own rounds are few. Collective.

    Committees of five and seven need masks for each truncation, comparison and selection (`general`). Those that are missing are
    made in the middle of the program, in rounds of its own for each operation; prepared, they take 22 and 24 rounds in
    all, before anything secret is there. With three parties position 0 deals ahead (`three`), and this does nothing.

    Args:
        session: set up.
        program: runs in the session that it is given, with public blanks of the same shapes as its inputs (see
            `general.rehearse`).
        shape: of the program: its name and all sizes that decide how much it uses. Of the same shape and committee size, it is
            rehearsed once in a process, which takes as long as running it.
    """
    if session.threshold == 1 or session.rehearsing:
        return
    key = (session.threshold, session.fraction_bits, shape)
    needed = _rehearsed.get(key)
    if needed is None:
        needed = _rehearsed[key] = general.rehearse(session, program)
        if len(_rehearsed) > _KEPT:
            _rehearsed.popitem(last=False)
    run(_compared(session, needed))
    run(general.prepare.steps(session, needed))


def _compared(session: SecureSession, needed: dict[general.Item, int]) -> Steps[None]:
    """Whether all parties are going to make the same. One round, 32 bytes to each other.

    Raises:
        SecureError: PROGRAM_MISMATCH; whose program is the wrong one, nobody can say.
    """
    listed = "\n".join(f"{item.kind}/{item.bits}/{count}" for item, count in needed.items())
    own = np.frombuffer(hashlib.sha256(listed.encode()).digest(), dtype="<i8").copy()
    others = {p: np.empty_like(own) for p in range(session.parties) if p != session.position}
    send = [(position, own) for position in others]
    yield [Messages(session, FrameKind.CHECK, "prepare", send, list(others.items()))]
    if any(not np.array_equal(own, other) for other in others.values()):
        raise SecureError(
            "the parties' programs need different preparation: they run different versions of it",
            reason=Reason.PROGRAM_MISMATCH,
            remedy="compare the versions of the software",
        )
