"""Parties in threads that run one program on shares, with repeatable randomness; and what each of them saw."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch

from mpc_party.secure import PrivateInput, ReplicatedShares, SecureSession, SessionContext, share_many
from tests.support.local_mesh import LocalExchange, local_mesh, run_parties

T = TypeVar("T")
CONTEXT = SessionContext(consortium=bytes(range(32)), epoch=3, round=17)
COMMITTEE = (0, 1, 2)


def repeatable_entropy(seed: object, position: int) -> Callable[[int], bytes]:
    """Bytes that look random and are the same in every run of the test."""
    counter = itertools.count()

    def entropy(count: int) -> bytes:
        return hashlib.shake_256(f"{seed}/{position}/{next(counter)}".encode()).digest(count)

    return entropy


@dataclass
class Outcome(Generic[T]):
    """What the program gave at each position, the sessions, and the links with all that was received."""

    results: list[T]
    sessions: list[SecureSession]
    links: list[LocalExchange]


def run_secure(
    program: Callable[[SecureSession], T],
    *,
    seed: object = 0,
    committee: Sequence[int] = COMMITTEE,
    fraction_bits: int = 16,
    tamper: dict[int, Callable] | None = None,
) -> Outcome[T]:
    """Set up a session at each party, make it current, run the program in it."""
    links = local_mesh(committee)
    sessions: dict[int, SecureSession] = {}

    def party(link: LocalExchange) -> T:
        position = committee.index(link.own)
        session = SecureSession(
            link, committee, CONTEXT, fraction_bits=fraction_bits, entropy=repeatable_entropy(seed, position)
        ).setup()
        sessions[position] = session
        link.received.clear()  # what follows is the program's, not the setup's
        link.tamper = (tamper or {}).get(position)
        with session:
            return program(session)

    results = run_parties(links, party)
    return Outcome(results, [sessions[p] for p in range(len(committee))], links)


def give(
    session: SecureSession, owner: int, value: torch.Tensor, fraction_bits: int | None = None
) -> ReplicatedShares:
    """Share `value` from `owner`; the others see only its shape."""
    held = value if session.position == owner else None
    return share_many([PrivateInput(owner, tuple(value.shape), held, fraction_bits)])[0]


def same(results: Sequence[torch.Tensor]) -> torch.Tensor:
    """The value that all parties have opened."""
    first, *others = results
    assert all(torch.equal(first, other) for other in others)
    return first


def generator_of(seed: int) -> np.random.Generator:  # noqa: TID251 - test values, nothing secret
    """A repeatable source of test values."""
    return np.random.default_rng(seed)  # noqa: TID251 - test values, nothing secret
