"""Whether a report follows: one unit beyond the allowance, in one field of one instrument, is found; one less is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpc_party.audit.verdict import FIELDS, allowed_units, compare, judge, replayed_columns
from mpc_party.hedging.model import COUNTS, POLICY
from mpc_party.hedging.outputs import Opened, report_columns
from mpc_party.hedging.replay import allowance, replay
from mpc_party.market.streams import normal
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.words import pack_params, unpack_params
from tests.audit.scene import Scene

UNITS = {
    "iv": lambda p: p.reference_vol * 1e6,
    "bs_delta": lambda p: np.full(p.count, 1e6),
    "hedge_delta": lambda p: np.full(p.count, 1e6),
    "gamma": lambda p: 1e6 / (p.reference_vol * np.sqrt(p.time)),
    "vega": lambda p: 1e8 * np.sqrt(p.time),
    "premium": lambda p: np.full(p.count, 1e8),
    "maintenance_margin": lambda p: np.full(p.count, 1e6),
    "initial_margin": lambda p: np.full(p.count, 1.25e6),
}


@pytest.fixture(scope="module")
def evidence(scene):
    return scene.gather(scene.disclosures())


def moved(scene, evidence, field, by):
    """The honest report with one field of instrument 7 moved by `by(allowance)` report units."""
    columns = unpack_params(scene.report.params)
    columns[field] = columns[field].copy()
    columns[field][7] += by(int(allowed_units(evidence.public)[field][7]))
    return judge(pack_params(columns), evidence)


def test_the_report_of_an_honest_round_follows(scene, evidence):
    verdict = judge(scene.report.params, evidence)
    assert verdict.follows
    assert verdict.instruments == len(scene.proposal.instruments)
    assert verdict.differences == ()
    assert set(verdict.used) == set(FIELDS)
    assert max(verdict.used.values()) == 0.0


# Fields that their word's own rules hold at one end are moved to the other side.
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("field", [field for field in FIELDS if field != "initial_margin"])
def test_one_unit_beyond_the_allowance_is_found(scene, evidence, field, sign):
    if field == "maintenance_margin" and sign > 0:
        sign = -1  # it may not exceed the initial margin
    at_the_edge = moved(scene, evidence, field, lambda allowed: sign * allowed)
    assert at_the_edge.follows
    assert at_the_edge.used[field] == 1.0
    beyond = moved(scene, evidence, field, lambda allowed: sign * (allowed + 1))
    assert not beyond.follows
    (difference,) = beyond.differences
    assert (difference.instrument, difference.field) == (7, field)
    assert difference.reported - difference.replayed == sign * (difference.allowance + 1)


def test_one_unit_beyond_the_allowance_of_the_initial_margin_is_found(scene, evidence):
    assert moved(scene, evidence, "initial_margin", lambda allowed: allowed).follows
    (difference,) = moved(scene, evidence, "initial_margin", lambda allowed: allowed + 1).differences
    assert difference.field == "initial_margin"


def test_the_allowance_is_that_of_the_table_and_a_unit_of_rounding(evidence):
    """So that nothing that matters hides in it: a few units of the fixed point's last place."""
    public, allowed = evidence.public, allowed_units(evidence.public)
    sources = dict(zip(FIELDS, (0, 1, 5, 3, 2, 4, 6, 6), strict=True))
    for field in FIELDS:
        exact = (allowance(public)[sources[field]] + 2.0**-17) * UNITS[field](public)
        assert (allowed[field] >= exact).all()
        assert (allowed[field] <= exact + 2.5).all()


def test_every_table_within_the_allowance_follows(evidence):
    """The largest differences that fixed point may make, in all directions at once."""
    public = evidence.public
    table = replay(public, list(evidence.market), evidence.kind, evidence.weights)
    replayed, allowed = replayed_columns(public, table), allowed_units(public)
    scale = float(1 << 16)
    for number in range(20):
        signs = np.sign(normal(f"test/signs/{number}", table.size)).reshape(table.shape)
        shifted = table + signs * allowance(public)[:, None]
        # A ring word lies within the allowance of the replay: towards it where it is not representable.
        words = np.where(signs > 0, np.floor(shifted * scale), np.ceil(shifted * scale)).astype(np.int64)
        verdict = compare(report_columns(public, Opened(words, 16)), replayed, allowed)
        assert verdict.follows, verdict.differences[:3]
        assert max(verdict.used.values()) > 0.9


def test_differences_come_by_instrument_and_by_field_of_the_word(scene, evidence):
    columns = unpack_params(scene.report.params)
    for instrument, field in ((4, "vega"), (2, "premium"), (4, "iv")):
        columns[field] = columns[field].copy()
        columns[field][instrument] += 10**6
    found = [(each.instrument, each.field) for each in judge(pack_params(columns), evidence).differences]
    assert found == [(2, "premium"), (4, "iv"), (4, "vega")]


def test_another_model_does_not_give_the_report(scene, evidence):
    other = replace(evidence, weights=evidence.weights + np.array([0.0, 0.01, 0.0]))
    verdict = judge(scene.report.params, other)
    assert {each.field for each in verdict.differences} == {"hedge_delta"}


def test_other_inputs_do_not_give_the_report(scene, evidence):
    shifted = tuple(words + 6553 for words in evidence.market)
    verdict = judge(scene.report.params, replace(evidence, market=shifted))
    assert {"iv", "premium", "maintenance_margin"} <= {each.field for each in verdict.differences}


def test_weights_that_explode_differ_and_do_not_crash(scene, evidence):
    for weight in (1e300, -1e18, np.inf, np.nan):
        with np.errstate(all="ignore"):
            verdict = judge(scene.report.params, replace(evidence, weights=np.full(3, weight)))
        assert not verdict.follows


def test_margins_that_were_left_out_differ(scene, evidence):
    columns = unpack_params(scene.report.params)
    del columns["maintenance_margin"], columns["initial_margin"]
    verdict = judge(pack_params(columns), evidence)
    assert {each.field for each in verdict.differences} == {"maintenance_margin", "initial_margin"}


@pytest.mark.parametrize("bits", [12, 20])
def test_other_numbers_of_fraction_bits(bits):
    scene = Scene(program=Program(fraction_bits=bits))
    evidence = scene.gather(scene.disclosures())
    assert judge(scene.report.params, evidence).follows
    columns = unpack_params(scene.report.params)
    columns["iv"] = columns["iv"] + 2 * allowed_units(evidence.public)["iv"]
    assert len(judge(pack_params(columns), evidence).differences) == evidence.public.count


def test_the_policy_network():
    weights = tuple(0.05 * normal("test/policy", COUNTS[POLICY]))
    scene = Scene(kind=POLICY, weights=weights)
    evidence = scene.gather(scene.disclosures())
    assert evidence.kind == POLICY
    assert judge(scene.report.params, evidence).follows
