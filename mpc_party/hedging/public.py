"""The public inputs of one round: everything about the book that all parties know, as integers of the ring.

Floating-point functions may differ in the last digit between machines, and shares computed from different public
numbers open to nonsense. So each party derives these integers itself, and the parties compare their digest over the
mesh before anything secret is shared (`program-mismatch` otherwise).
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.chebyshev import Output, coefficient_table
from mpc_party.hedging.scenarios import scenario_table
from mpc_party.market.surface import Grid
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.messages import Proposal

Floats = NDArray[np.float64]
Words = NDArray[np.int64]

FORWARD_UNIT = 1e-8
VOL_UNIT = 1e-6
STRIKE_UNIT = 1e-8
_DOMAIN = b"mpc-hedge/public-inputs/v2"


class Derived(IntEnum):
    """Rows of the coefficients after those of `Output`, each a public multiple of one of them or of the log-vol."""

    GAMMA = 5  # forward * gamma, for the owners' exposures
    VEGA = 6  # vega / forward
    LOG_VOL = 7  # log(vol / 0.5) / 2, a feature of the policy network


FIRST_SCENARIO = 8
LARGEST_GAMMA_SCALE = (
    1024.0  # an hour at a vol of 0.09: beyond, a net gamma says nothing and needs room in the ring
)


def to_ring(values: Floats, fraction_bits: int) -> Words:
    """Round to fixed point, nearest (ties to even)."""
    return np.rint(values * float(1 << fraction_bits)).astype(np.int64)


@dataclass(frozen=True)
class PublicInputs:
    """Public integers and arrays for n instruments over E expiries.

    Attributes:
        program: the consortium's parameters (fraction bits, degree, band).
        grid: expiries with times, forwards and reference vols, as the private fits use them too.
        expiry_index: (n,) index of each instrument's expiry.
        strike: (n,) in the quote currency.
        call: (n,).
    """

    program: Program
    grid: Grid
    expiry_index: Words
    strike: Floats
    call: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Number of instruments."""
        return len(self.strike)

    @property
    def moneyness(self) -> Floats:
        """Strike / forward, (n,)."""
        return np.asarray(self.strike / self.grid.forward[self.expiry_index], dtype=np.float64)

    @property
    def time(self) -> Floats:
        """Years to expiry, (n,)."""
        return np.asarray(self.grid.time[self.expiry_index], dtype=np.float64)

    @property
    def reference_vol(self) -> Floats:
        """Reference vol, (n,)."""
        return np.asarray(self.grid.reference_vol[self.expiry_index], dtype=np.float64)

    @cached_property
    def surface_map(self) -> Words:
        """(n, 3) ring integers: basis / band, so that map times coefficients gives u in [-1, 1]."""
        basis = self.grid.basis(self.expiry_index, self.strike) / self.program.band
        return to_ring(basis, self.program.fraction_bits)

    @property
    def gamma_scale(self) -> Floats:
        """(n,): forward * gamma is this times the shape of gamma; in exposures, where 1,024 is the most, at most that."""
        return np.minimum(1.0 / (self.reference_vol * np.sqrt(self.time)), LARGEST_GAMMA_SCALE)

    @property
    def median_reference_vol(self) -> float:
        """Median over the expiries: what realised vol is compared with."""
        return float(np.median(self.grid.reference_vol))

    @cached_property
    def coefficients(self) -> Words:
        """(8 + S, degree + 1, n) ring integers: the rows of `Output`, then of `Derived`, then the S scenarios' losses."""
        program = self.program
        table = coefficient_table(
            self.moneyness, self.reference_vol, self.time, self.call, program.band, program.degree
        )
        log_vol = np.zeros_like(table[Output.DENSITY])
        log_vol[0], log_vol[1] = np.log(self.reference_vol / 0.5) / 2.0, program.band / 2.0
        derived = np.stack(
            [
                table[Output.GAMMA_SHAPE] * self.gamma_scale,
                table[Output.DENSITY] * np.sqrt(self.time),
                log_vol,
            ]
        )
        losses = scenario_table(
            self.moneyness,
            self.reference_vol,
            self.time,
            self.call,
            program.band,
            program.degree,
            program.scenarios,
        )
        return to_ring(np.concatenate([table, derived, losses]), program.fraction_bits)

    @cached_property
    def root_time_feature(self) -> Words:
        """(n,) ring integers: min(sqrt(T), 2) / 2, the policy network's feature that is public."""
        return to_ring(np.minimum(np.sqrt(self.time), 2.0) / 2.0, self.program.fraction_bits)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of all integers that enter the computation; equal at all parties or the round stops."""
        digest = hashlib.sha256(_DOMAIN)
        digest.update(self.program.fraction_bits.to_bytes(1, "big"))
        for table in (self.expiry_index, self.surface_map, self.coefficients, self.root_time_feature):
            digest.update(repr(table.shape).encode())
            digest.update(np.ascontiguousarray(table, dtype="<i8").tobytes())
        return digest.digest()


def public_inputs(proposal: Proposal, program: Program) -> PublicInputs:
    """Derive the public inputs from a proposal whose fields have been checked."""
    grid = Grid(
        proposal.observed_at,
        np.array([e.expiry for e in proposal.expiries], dtype=np.int64),
        np.array([e.forward for e in proposal.expiries], dtype=np.float64) * FORWARD_UNIT,
        np.array([e.reference_vol for e in proposal.expiries], dtype=np.float64) * VOL_UNIT,
    )
    return PublicInputs(
        program,
        grid,
        np.array([i.expiry for i in proposal.instruments], dtype=np.int64),
        np.array([i.strike for i in proposal.instruments], dtype=np.float64) * STRIKE_UNIT,
        np.array([i.call for i in proposal.instruments], dtype=np.bool_),
    )
