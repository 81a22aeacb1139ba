"""Committees of five and seven in threads, that run one program with repeatable randomness; and what each of them saw."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from mpc_party.secure import general
from mpc_party.secure.layout import layout_of
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession, Traffic
from mpc_party.secure.steps import run
from tests.support.secure_parties import Outcome, run_secure

T = TypeVar("T")
SIZES = (5, 7)


def run_committee(size: int, program: Callable[[SecureSession], T], *, seed: object = 0) -> Outcome[T]:
    """Run the program on a session of `size` parties. Traffic of the setup is not counted."""

    def counted(session: SecureSession) -> T:
        session.traffic = Traffic()
        return program(session)

    return run_secure(counted, seed=seed, committee=range(size))


def give_words(session: SecureSession, owner: int, values: Words) -> Words:
    """Share ring words from `owner`."""
    piece = (owner, values.shape, values if session.position == owner else None)
    return run(general.share_words(session, [piece]))[0]


def opened(session: SecureSession, *shares: Words) -> list[Words]:
    """Open ring words to all."""
    return run(general.open_words(session, shares))


def all_equal(results: list[list[Words]]) -> list[Words]:
    """What all parties have opened, which must be the same."""
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            assert np.array_equal(mine, theirs)
    return results[0]


def cost(outcome: Outcome) -> tuple[int, list[int]]:
    """Rounds, and bytes sent by position."""
    rounds = {s.traffic.rounds for s in outcome.sessions}
    assert len(rounds) == 1
    return rounds.pop(), [s.traffic.bytes_sent for s in outcome.sessions]


def values_of(held: list[Words], size: int, *, bits: bool = False) -> Words:
    """The values of shares that all parties hand over, after checking that all holders of a component agree on it."""
    layout = layout_of(size // 2)
    total = np.zeros_like(held[0][0])
    for component in range(len(layout.subsets)):
        copies = [held[p][layout.slot(p, component)] for p in layout.holders(component)]
        assert all(np.array_equal(copies[0], copy) for copy in copies)
        total = total ^ copies[0] if bits else total + copies[0]
    return total
