"""A small joint computation for tests: a simulated market, desks' snapshots, a dealt model, a local mesh."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from mpc_party.hedging.model import COUNTS, MINIMUM_VARIANCE, POLICY
from mpc_party.hedging.outputs import Opened
from mpc_party.hedging.program import compute
from mpc_party.hedging.public import PublicInputs, public_inputs, to_ring
from mpc_party.hedging.snapshot import Snapshot
from mpc_party.market import DeskView, MarketSource, SimulatedMarket, SurfaceFit, clean, fit_surface
from mpc_party.market.streams import normal, uniform
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.messages import Expiry, Instrument, Proposal
from mpc_party.secure import ReplicatedShares, SecureSession, SessionContext, Traffic
from mpc_party.secure.layout import layout_of
from tests.support.local_mesh import LocalExchange, local_mesh, run_parties

MOMENT = 1_795_000_000
WEIGHTS = (-0.25, 0.4, -0.3)


def make_proposal(
    source: MarketSource,
    moment: int,
    committee: tuple[int, ...] = (0, 1, 2),
    most: int = 680,
    reference: int = 500_000,
) -> Proposal:
    chain = source.at(moment)
    forwards = {e: f for e, f in sorted(chain.forwards().items()) if e - moment >= 3600}
    order = list(forwards)
    rows = sorted(
        {
            (order.index(int(e)), round(k * 1e8), bool(c))
            for e, k, c in zip(chain.expiry, chain.strike, chain.call, strict=True)
            if int(e) in forwards and 0.06 < k / forwards[int(e)] < 18
        }
    )
    # Evenly spread, calls and puts alike.
    rows = [rows[i] for i in sorted({round(x) for x in np.linspace(0, len(rows) - 1, min(most, len(rows)))})]
    used = sorted({r[0] for r in rows})
    return Proposal(
        1,
        1,
        committee,
        moment,
        moment + 3600,
        source.underlying,
        tuple(Expiry(order[i], round(forwards[order[i]] * 1e8), reference) for i in used),
        tuple(Instrument(used.index(i), k, c) for i, k, c in rows),
        10_000,
    )


@dataclass
class Joint:
    """Desks over one public book, three or more."""

    public: PublicInputs
    fits: list[SurfaceFit]
    snapshots: list[Snapshot]
    weights: tuple[float, ...] = WEIGHTS
    kind: str = MINIMUM_VARIANCE
    exchanges: list[LocalExchange] = field(default_factory=list)
    traffic: list[Traffic] = field(default_factory=list)
    sessions: list[SecureSession] = field(default_factory=list)

    def run(self, number: int = 1, attack: Callable[[LocalExchange], None] | None = None) -> list[Opened]:
        """Run the program once over a fresh local mesh; keeps exchanges, sessions and traffic for inspection."""
        threshold = len(self.snapshots) // 2
        components = model_components(self.weights, self.public.program.fraction_bits, threshold)
        committee = tuple(range(len(self.snapshots)))
        self.exchanges = local_mesh(committee)

        def party(exchange: LocalExchange) -> tuple[Opened, SecureSession]:
            if attack is not None:
                attack(exchange)
            context = SessionContext(consortium=b"c" * 32, epoch=1, round=number)
            bits = self.public.program.fraction_bits
            session = SecureSession(exchange, committee=committee, context=context, fraction_bits=bits)
            session.setup()
            i = session.position
            own = torch.from_numpy(np.stack([components[component] for component in session.held]))
            return compute(
                session, self.public, self.snapshots[i], self.kind, ReplicatedShares(session, own, bits)
            ), session

        results = run_parties(self.exchanges, party)
        self.sessions = [session for _, session in results]
        self.traffic = [session.traffic for session in self.sessions]
        return [opened for opened, _ in results]


def model_components(weights: tuple[float, ...], bits: int, threshold: int = 1) -> list[np.ndarray]:
    """All components of the weights; which masks are used does not matter to a test."""
    count = len(layout_of(threshold).subsets) - 1
    masks = np.frombuffer(secrets.token_bytes(8 * count * len(weights)), dtype="<i8").reshape(count, -1)
    return [*masks, to_ring(np.array(weights), bits) - masks.sum(axis=0)]


def make_joint(
    source: MarketSource | None = None,
    moment: int = MOMENT,
    most: int = 60,
    program: Program | None = None,
    kind: str = MINIMUM_VARIANCE,
    desks: str = "abc",
) -> Joint:
    source = source or SimulatedMarket(3)
    program = program or Program()
    proposal = make_proposal(source, moment, most=most)
    public = public_inputs(proposal, program)
    forwards = dict(zip(public.grid.expiry.tolist(), public.grid.forward.tolist(), strict=True))
    fits = []
    for seed in desks:
        vols, _ = clean(DeskView(source, seed).at(moment), forwards, moment, program.max_quote_age)
        fits.append(fit_surface(public.grid, vols, program.band))
    snapshots = [make_snapshot(public, fit, seed) for fit, seed in zip(fits, desks, strict=True)]
    return Joint(public, fits, snapshots, WEIGHTS if kind == MINIMUM_VARIANCE else network_weights(), kind)


def network_weights() -> tuple[float, ...]:
    """A policy network that nobody trained, within what may be dealt."""
    weights = 0.25 * normal("test/network", COUNTS[POLICY])
    weights[-17:] *= 0.1
    return tuple(weights.tolist())


def make_snapshot(public: PublicInputs, fit: SurfaceFit, seed: str) -> Snapshot:
    """A desk's input with an order flow and positions of its own."""
    flow = 2.0 * uniform(f"test/flow/{seed}", 3) - 1.0
    positions = 2.0 * uniform(f"test/positions/{seed}", public.count) - 1.0
    return Snapshot(fit.coefficients, flow, positions, public.program.fraction_bits)
