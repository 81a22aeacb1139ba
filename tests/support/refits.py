"""Refits between threads: made-up desks' equations, a consortium of any size, and what comes out of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_rules import VERSION
from mpc_party.protocol.identity import CoordinatorIdentity, Identity
from mpc_party.protocol.model_share import ModelShare, open_share, subsets
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.refit.agreement import RefitParameters, agree
from mpc_party.refit.equations import Equations, equations
from mpc_party.refit.protocol import compute_refit
from tests.support.local_mesh import LocalExchange, local_mesh, party_outcomes
from tests.support.secure_parties import generator_of
from tests.support.world import NAMES

PARAMETERS = RefitParameters("BTC")
TRUE_WEIGHTS = (-0.25, 0.4, -0.3)  # a, b, c
MODULUS = 1 << 64


def desk_sums(seed: int, rows: int = 400, weights: Sequence[float] = TRUE_WEIGHTS, noise: float = 0.2):
    """Normal equations of made-up rows, (3, 3) and (3,), in the shifted Legendre basis."""
    generator = generator_of(seed)
    delta = generator.uniform(0.05, 0.95, rows)
    basis = np.stack([np.ones(rows), 2 * delta - 1, 6 * delta**2 - 6 * delta + 1], axis=1)
    scale = generator.normal(size=rows)
    error = scale * (np.stack([np.ones(rows), delta, delta**2], axis=1) @ weights)
    error += noise * generator.normal(size=rows)
    regressors = scale[:, None] * basis
    return regressors.T @ regressors, regressors.T @ error


def desk_equations(seed: int, **settings: object) -> Equations:
    return equations(*desk_sums(seed, **settings))


@cache
def identities(count: int) -> tuple[Identity, ...]:
    return tuple(Identity.generate(name, f"127.0.0.1:{4000 + i}") for i, name in enumerate(NAMES[:count]))


@cache
def consortium_of(count: int, threshold: int = 1) -> Consortium:
    return Consortium(
        version=VERSION,
        name="desks",
        id=secrets.token_hex(32),
        epoch=1,
        threshold=threshold,
        broker="mqtt://127.0.0.1:9",
        coordinator=CoordinatorIdentity.generate().signing_key,
        members=tuple(identity.member for identity in identities(count)),
    )


@dataclass
class Run:
    """What each member got, and its link with all that it received."""

    consortium: Consortium
    outcomes: dict[int, SharesAtRest | BaseException]
    links: list[LocalExchange]

    @property
    def shares(self) -> list[SharesAtRest]:
        for outcome in self.outcomes.values():
            if isinstance(outcome, BaseException):
                raise outcome
        return [self.outcomes[member] for member in sorted(self.outcomes)]

    def opened(self, member: int) -> ModelShare:
        """The member's file, as `mpc-party run` would read it."""
        share = self.shares[member]
        identity = identities(len(self.links))[member]
        data = share.seal(identity.member.encryption_key)
        return open_share(data, identity.decrypt, member=member, commitment=self.shares[0].commitment)


def run_refit(
    inputs: Sequence[Equations],
    *,
    parameters: RefitParameters = PARAMETERS,
    attack: Callable[[LocalExchange], None] | None = None,
    consortium: Consortium | None = None,
) -> Run:
    """One refit of `len(inputs)` members; `attack` may change a link before it begins."""
    consortium = consortium or consortium_of(len(inputs))
    links = local_mesh(range(len(inputs)))

    def member(link: LocalExchange) -> SharesAtRest:
        ceremony = agree(link, consortium, parameters)
        link.received.clear()
        if attack is not None:
            attack(link)
        return compute_refit(link, consortium, ceremony, parameters, inputs[link.own])

    return Run(consortium, party_outcomes(links, member), links)


def rebuild(shares: Sequence[ModelShare]) -> np.ndarray:
    """The weights from the files of any t + 1 members: what only a coalition beyond the threshold can do."""
    header = shares[0].header
    total = np.zeros(header.count, dtype=np.int64)
    for subset in subsets(header.members, header.threshold):
        holder = next(share for share in shares if share.member not in subset)
        total += np.frombuffer(holder.component(subset), dtype="<i8")
    return total / 2.0**header.fraction_bits
