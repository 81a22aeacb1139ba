import json

import msgspec
import numpy as np
import pytest

from models.policy import evaluation
from models.policy.evaluation import (
    difference_error,
    evaluate,
    held_out_inputs,
    measures,
    policy_hedge,
    wealth_of,
)
from models.policy.network import PolicyNetwork, quantised
from models.policy.training import PolicyConfig
from mpc_party.protocol.errors import ConfigError

CONFIG = PolicyConfig(test_paths=3000, steps=6)


def small_weights(seed=1):
    return (0.05 * np.random.default_rng(seed).standard_normal(401)).tolist()  # noqa: TID251 - no secrets here


@pytest.fixture
def few_resamples(monkeypatch):
    monkeypatch.setattr(evaluation, "RESAMPLES", 20)


@pytest.fixture(scope="module")
def inputs():
    return held_out_inputs(CONFIG, CONFIG.references()[1])


@pytest.mark.usefixtures("few_resamples")
def test_a_network_of_noughts_is_black_scholes():
    said = []
    result = evaluate([0.0] * 401, CONFIG, said.append)
    assert len(said) == 2
    for name in ("brownian", "heston"):
        figures = result["simulators"][name]
        assert figures["policy"] == figures["black_scholes"]
        assert figures["es95_difference"] == 0.0
        assert figures["es95_difference_standard_error"] == 0.0
        assert figures["at_or_below_black_scholes"]
        shown = result["profit_and_loss"][name]
        assert shown["policy"] == shown["black_scholes"]
        assert len(shown["policy"]) == 3000


@pytest.mark.usefixtures("few_resamples")
def test_the_result_is_json():
    result = evaluate(small_weights(), CONFIG, len)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.usefixtures("few_resamples")
def test_what_is_dealt_is_what_is_measured():
    weights = small_weights()
    assert weights != quantised(weights)
    assert evaluate(weights, CONFIG, len) == evaluate(quantised(weights), CONFIG, len)


def test_other_weights_are_refused():
    with pytest.raises(ConfigError):
        evaluate([0.0] * 3, CONFIG, len)


def test_test_paths_are_not_those_of_training():
    one, two = (
        held_out_inputs(msgspec.structs.replace(CONFIG, seed=seed), CONFIG.references()[0]) for seed in (1, 2)
    )
    assert (one.spot[:, -1] != two.spot[:, -1]).all()


def test_the_network_is_run_in_chunks_without_a_seam(inputs, monkeypatch):
    network = PolicyNetwork.from_weights(small_weights())
    whole = policy_hedge(network, inputs)
    monkeypatch.setattr(evaluation, "_CHUNK", 700)
    np.testing.assert_allclose(policy_hedge(network, inputs), whole, atol=1e-14)


def test_measures_by_hand(inputs):
    wealth = np.sort(wealth_of(inputs.delta, inputs, CONFIG))
    found = measures(inputs.delta, inputs, CONFIG)
    assert found["es95"] == pytest.approx(-wealth[:150].mean())
    assert found["es99"] == pytest.approx(-wealth[:30].mean())
    assert found["mean"] == pytest.approx(wealth.mean())
    assert found["standard_deviation"] == pytest.approx(wealth.std(ddof=1))
    trades = np.diff(inputs.delta, axis=1, prepend=0.0)
    assert found["turnover"] == pytest.approx(np.abs(trades).sum(axis=1).mean())
    assert found["cost"] == pytest.approx(1e-3 * (np.abs(trades) * inputs.spot[:, :-1]).sum(axis=1).mean())


def test_the_standard_error_is_that_of_repeated_experiments():
    # the same two policies, 300 times on fresh outcomes: what the bootstrap must find from one of them
    generator = np.random.default_rng(4)  # noqa: TID251 - no secrets here

    def experiment():
        common = generator.standard_normal(4000)
        return common + 0.2 * generator.standard_normal(4000), common

    def difference(pair):
        return np.sort(pair[1])[:200].mean() - np.sort(pair[0])[:200].mean()

    spread = np.std([difference(experiment()) for _ in range(300)])
    estimates = [difference_error(*experiment(), f"{n}") for n in range(5)]
    assert np.mean(estimates) == pytest.approx(spread, rel=0.2)
