"""The public inputs: derived from a proposal alone, as integers, and bound by one digest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.hedging.public import PublicInputs, public_inputs, to_ring
from mpc_party.market import Grid
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.messages import Expiry, Instrument, Proposal
from tests.support.books import DAY, NOW, book

ULP = 2.0**-16


def proposal() -> Proposal:
    return Proposal(
        round=1,
        epoch=1,
        committee=(0, 1, 2),
        observed_at=NOW,
        valid_until=NOW + 3600,
        underlying="BTC",
        expiries=(
            Expiry(NOW + DAY, 9_000_000_000_000, 500_000),
            Expiry(NOW + 30 * DAY, 9_100_000_000_000, 450_000),
        ),
        instruments=(
            Instrument(0, 8_800_000_000_000, False),
            Instrument(0, 8_800_000_000_000, True),
            Instrument(1, 9_500_000_000_000, True),
        ),
        deadline_ms=10_000,
    )


def test_a_proposal_in_natural_units():
    public = public_inputs(proposal(), Program())
    assert public.count == 3
    assert public.grid.observed_at == NOW
    assert public.strike.tolist() == pytest.approx([88_000.0, 88_000.0, 95_000.0], rel=1e-15)
    assert public.moneyness.tolist() == pytest.approx([88 / 90, 88 / 90, 95 / 91], rel=1e-15)
    assert public.time.tolist() == [1 / 365, 1 / 365, 30 / 365]
    assert public.reference_vol.tolist() == pytest.approx([0.5, 0.5, 0.45], rel=1e-15)
    assert public.call.tolist() == [False, True, True]
    assert public.expiry_index.dtype == np.int64


def test_tables_are_integers_of_the_stated_shapes():
    public = public_inputs(proposal(), Program())
    assert public.surface_map.shape == (3, 3)
    assert public.coefficients.shape == (16, 13, 3)  # five outputs, three derived rows, eight scenarios
    assert public.surface_map.dtype == public.coefficients.dtype == np.int64
    basis = public.grid.basis(public.expiry_index, public.strike)
    assert np.abs(public.surface_map * ULP - basis / 1.4).max() <= ULP / 2
    assert np.abs(public.coefficients).max() < 64 / ULP


def test_the_map_takes_coefficients_within_the_band_to_u_within_one():
    public = book()
    level = public.surface_map * ULP @ np.array([1.4, 0, 0])
    assert np.abs(level - 1).max() < 2 * ULP


def test_two_parties_derive_one_digest():
    one, other = public_inputs(proposal(), Program()), public_inputs(proposal(), Program())
    assert one.digest == other.digest
    assert len(one.digest) == 32


CHANGES = {
    "observed_at": {"grid": {"observed_at": NOW + 60}},
    "expiry": {"grid": {"expiry": np.array([NOW + DAY, NOW + 31 * DAY])}},
    "forward": {"grid": {"forward": np.array([90_000.0, 91_010.0])}},
    "reference vol": {"grid": {"reference_vol": np.array([0.5, 0.451])}},
    "strike": {"strike": np.array([88_000.0, 88_000.0, 95_010.0])},
    "call": {"call": np.array([False, True, False])},
    "expiry index": {"expiry_index": np.array([0, 1, 1])},
    "order": {"call": np.array([True, False, True])},
    "degree": {"program": Program(degree=11)},
    "band": {"program": Program(band=1.401)},
    "fraction bits": {"program": Program(fraction_bits=17)},
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_changes_with_each_input(change):
    public = public_inputs(proposal(), Program())
    fields = {name: getattr(public, name) for name in ("program", "grid", "expiry_index", "strike", "call")}
    grid = {
        name: getattr(public.grid, name) for name in ("observed_at", "expiry", "forward", "reference_vol")
    }
    for name, value in CHANGES[change].items():
        fields[name] = Grid(**(grid | value)) if name == "grid" else value
    assert PublicInputs(**fields).digest != public.digest


def test_the_digest_is_of_all_words():
    public = book(days=(1.0, 30.0))
    assert len(public.digest) == 32
    for name in ("surface_map", "coefficients", "root_time_feature", "expiry_index"):
        other = book(days=(1.0, 30.0))
        table = np.array(getattr(other, name))
        table.flat[-1] += 1
        object.__setattr__(other, name, table) if name == "expiry_index" else other.__dict__.update(
            {name: table}
        )
        if name == "expiry_index":  # other tables follow it; only the index may differ here
            other.__dict__.update(
                surface_map=public.surface_map,
                coefficients=public.coefficients,
                root_time_feature=public.root_time_feature,
            )
        assert other.digest != public.digest, name


def test_the_same_words_at_another_precision_are_another_input():
    one, other = book(days=(1.0,)), book(days=(1.0,), program=Program(fraction_bits=17))
    other.__dict__.update(surface_map=one.surface_map, coefficients=one.coefficients)
    assert other.digest != one.digest


@pytest.mark.parametrize(
    ("value", "bits", "word"),
    [
        (0.0, 16, 0),
        (1.0, 16, 65_536),
        (-1.0, 16, -65_536),
        (0.5 * ULP, 16, 0),  # ties to even
        (1.5 * ULP, 16, 2),
        (-0.5 * ULP, 16, 0),
        (-1.5 * ULP, 16, -2),
        (0.1, 12, 410),
        (0.1, 20, 104_858),
    ],
)
def test_rounding_to_the_ring(value, bits, word):
    found = to_ring(np.array([value]), bits)
    assert found.tolist() == [word]
    assert found.dtype == np.int64


@given(st.lists(st.floats(-1e6, 1e6), max_size=20), st.integers(12, 20))
def test_rounding_is_to_the_nearest(values, bits):
    array = np.array(values, dtype=np.float64)
    assert (np.abs(to_ring(array, bits) * 2.0**-bits - array) <= 2.0 ** -(bits + 1)).all()
