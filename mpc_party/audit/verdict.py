"""Whether a report follows from inputs and weights: field by field, instrument by instrument, in the report's own units.

The replay is in float64, the round was in fixed point. `replay.allowance` bounds by how much their tables may differ; a unit of
rounding comes on top where the table becomes integers. What lies beyond was not computed from these inputs and weights.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpc_party.audit.evidence import Evidence
from mpc_party.hedging.model import MINIMUM_VARIANCE
from mpc_party.hedging.outputs import Column, Opened, report_columns
from mpc_party.hedging.public import VOL_UNIT, PublicInputs
from mpc_party.hedging.replay import allowance, replay
from mpc_party.protocol.words import PARAM_FIELDS, unpack_params

Words = NDArray[np.int64]
Floats = NDArray[np.float64]

_SOURCE: Final = {
    "iv": Column.VOL_RATIO,
    "bs_delta": Column.DELTA,
    "hedge_delta": Column.HEDGE_DELTA,
    "gamma": Column.GAMMA_SHAPE,
    "vega": Column.DENSITY,
    "premium": Column.TIME_VALUE,
    "maintenance_margin": Column.SCENARIO_LOSS,
    "initial_margin": Column.SCENARIO_LOSS,
}
FIELDS: Final = tuple(field.name for field in PARAM_FIELDS)
_LARGEST_WORD: Final = (1 << 23) - 1  # what `report_columns` takes; a replay beyond it differs all the same


class Difference(NamedTuple):
    """One field of one instrument that does not follow; all but the index in the field's report units."""

    instrument: int
    field: str
    reported: int
    replayed: int
    allowance: int


@dataclass(frozen=True)
class Verdict:
    """What came of the comparison. `used`: per field, the largest difference as a share of its allowance."""

    instruments: int
    differences: tuple[Difference, ...]
    used: dict[str, float]

    @property
    def follows(self) -> bool:
        """Whether every field of every instrument is what the inputs and weights give."""
        return not self.differences


def judge(params: bytes, evidence: Evidence) -> Verdict:
    """Replay a round in the clear, and compare.

    Args:
        params: the report's words; as many as the evidence has instruments.
        evidence: from `gather`.
    """
    public = evidence.public
    table = replay(public, list(evidence.market), evidence.kind, evidence.weights)
    return compare(
        unpack_params(params),
        replayed_columns(public, table),
        allowed_units(public, evidence.kind, evidence.weights, len(evidence.market)),
    )


def replayed_columns(public: PublicInputs, table: Floats) -> dict[str, Words]:
    """A replayed table (7, n) in report units, by field, int64 (n,) each: rounded as a round rounds."""
    bits = public.program.fraction_bits
    words = np.nan_to_num(np.rint(table * float(1 << bits)), nan=_LARGEST_WORD)
    limited = np.clip(words, -_LARGEST_WORD, _LARGEST_WORD).astype(np.int64)
    return report_columns(public, Opened(limited, bits))


def allowed_units(
    public: PublicInputs, kind: str = MINIMUM_VARIANCE, weights: Floats | None = None, parties: int = 3
) -> dict[str, Words]:
    """By how many report units an honest report may differ from its replay, by field, int64 (n,) each.

    Kind, weights and parties as `replay.allowance` takes them.
    """
    percent = public.program.initial_margin_percent
    root_time = np.sqrt(public.time)
    million = np.full(public.count, 1e6)
    scales = {
        "iv": public.reference_vol / VOL_UNIT,
        "bs_delta": million,
        "hedge_delta": million,
        "gamma": 1e6 / (public.reference_vol * root_time),
        "vega": 1e8 * root_time,
        "premium": 100 * million,
        "maintenance_margin": million,
        "initial_margin": million * percent / 100,
    }
    # The replay's own rounding to the ring is half a unit in the last place; rounding to report units moves each side by
    # half a unit at most, so that two integers lie one further apart than the numbers they stand for.
    table = allowance(public, kind, weights, parties) + 0.5 * 2.0**-public.program.fraction_bits
    allowed = {
        field: np.floor(table[_SOURCE[field]] * scale).astype(np.int64) + 1 for field, scale in scales.items()
    }
    allowed["initial_margin"] = allowed["maintenance_margin"] * percent // 100 + 1
    return allowed


def compare(reported: dict[str, Words], replayed: dict[str, Words], allowed: dict[str, Words]) -> Verdict:
    """Compare columns of equal length, int64 (n,) each, by the names of the param word."""
    differences: list[Difference] = []
    used: dict[str, float] = {}
    for field in FIELDS:
        distance = np.abs(reported[field] - replayed[field])
        used[field] = float((distance / allowed[field]).max())
        differences += [
            Difference(
                int(i), field, int(reported[field][i]), int(replayed[field][i]), int(allowed[field][i])
            )
            for i in np.flatnonzero(distance > allowed[field])
        ]
    differences.sort(key=lambda each: (each.instrument, FIELDS.index(each.field)))
    return Verdict(len(reported["iv"]), tuple(differences), used)
