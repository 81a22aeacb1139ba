"""Randomness for a whole program, made before its inputs come in."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from mpc_party.secure import general
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import run

_KEPT = 64
_rehearsed: OrderedDict[Hashable, dict[general.Item, int]] = OrderedDict()


def prepare_for(session: SecureSession, program: Callable[[SecureSession], object], shape: Hashable) -> None:
    """Make all that a program will use up, so that its own rounds are few. Collective.

    Committees of five and seven need masks for each truncation, comparison and selection (`general`). Those that are missing are
    made in the middle of the program, in rounds of its own for each operation; prepared, they take about 21 and 23 rounds in
    all, before anything secret is there. With three parties position 0 deals ahead (`three`), and this does nothing.

    Args:
        session: set up.
        program: runs in the session that it is given, with public blanks of the same shapes as its inputs (see
            `general.rehearse`).
        shape: of the program: its name and all sizes that decide how much it uses. Of the same shape and committee size, it is
            rehearsed once in a process, which takes as long as running it.
    """
    if session.threshold == 1:
        return
    key = (session.threshold, session.fraction_bits, shape)
    needed = _rehearsed.get(key)
    if needed is None:
        needed = _rehearsed[key] = general.rehearse(session, program)
        if len(_rehearsed) > _KEPT:
            _rehearsed.popitem(last=False)
    run(general.prepare.steps(session, needed))
