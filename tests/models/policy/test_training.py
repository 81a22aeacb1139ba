import msgspec
import numpy as np
import pytest
import torch

from models.paths import BrownianMarket
from models.policy import training
from models.policy.config import Scenario
from models.policy.evaluation import evaluate
from models.policy.network import PolicyNetwork, quantised
from models.policy.training import PolicyConfig, train
from mpc_party.hedging.model import FEATURES, POLICY, encode_weights, policy_weights
from mpc_party.protocol.errors import ConfigError

SMALL = PolicyConfig(
    epochs=60,
    paths=1500,
    check_every=20,
    validation_paths=3000,
    test_paths=8000,
    mixed_scenarios=0,
    learning_rate=1e-2,
)


def quiet(line):
    assert line


@pytest.fixture(scope="module")
def trained():
    said = []
    return train(SMALL, said.append), said


def test_a_little_training_beats_black_scholes_on_other_paths_of_each_simulator(trained):
    result = evaluate(trained[0].weights, SMALL, quiet)
    for name in ("brownian", "heston"):
        figures = result["simulators"][name]
        assert figures["at_or_below_black_scholes"]
        assert figures["es95_difference"] < -3 * figures["es95_difference_standard_error"]


def test_what_is_trained_can_be_dealt(trained):
    weights = trained[0].weights
    encode_weights(POLICY, weights, 16)
    assert weights == quantised(weights)


def test_fixed_point_moves_the_hedge_by_little(trained):
    generator = np.random.default_rng(5)  # noqa: TID251 - no secrets here

    def rounded(values):  # a truncation under sharing is wrong by less than one unit, up or down
        return np.floor(values * 2**16 + generator.random(values.shape)) / 2**16

    def network(features, kept):
        parts = policy_weights(np.array(trained[0].weights))
        first = kept(kept(features @ parts.first.T + parts.first_bias) ** 2)
        second = kept(kept(first @ parts.second.T + parts.second_bias) ** 2)
        return kept(second @ parts.last + parts.last_bias)

    low, high = (np.array([getattr(known, end) for known in FEATURES]) for end in ("low", "high"))
    features = low + (high - low) * generator.random((5000, 6))
    density = features[:, 1]
    off = density * (network(rounded(features), rounded) - network(features, lambda values: values))
    assert 0.0 < np.abs(off).max() < 1e-4


def test_the_repr_shows_no_weight(trained):
    assert str(trained[0].weights[0]) not in repr(trained[0])
    assert "weights" not in repr(trained[0])


def test_progress_and_metrics_are_told(trained):
    policy, (warning, *said) = trained
    assert "anybody can train these weights" in warning
    assert [line.split()[1] for line in said] == ["20", "40", "60"]
    assert policy.metrics["epochs"] == 60
    assert policy.metrics["validation_risk_ratio"] < 0.95
    assert set(policy.metrics["validation_risk_ratio_by_scenario"]) == {
        "brownian/0.2/20/0",
        "heston/0.2/20/0",
    }
    msgspec.json.encode(policy.metrics)


def test_the_seed_determines_the_result():
    brief = msgspec.structs.replace(
        SMALL, epochs=3, paths=200, check_every=1, mixed_scenarios=2, validation_paths=200
    )
    first, again, other = (train(msgspec.structs.replace(brief, seed=seed), quiet) for seed in (1, 1, 2))
    assert first.weights == again.weights
    assert first.weights != other.weights


def test_a_seed_of_ones_own_needs_no_warning():
    said = []
    train(msgspec.structs.replace(SMALL, seed=2, epochs=1, paths=100, validation_paths=100), said.append)
    assert len(said) == 1


def test_training_that_gets_no_better_stops_and_leaves_black_scholes(monkeypatch):
    monkeypatch.setattr(training, "_validate", lambda *given: [1.5] * len(given[2]))
    config = msgspec.structs.replace(
        SMALL, epochs=50, paths=200, check_every=1, patience=3, validation_paths=200
    )
    policy = train(config, quiet)
    assert policy.metrics["epochs"] == 3
    assert policy.metrics["best_epoch"] == 0
    network = PolicyNetwork.from_weights(policy.weights)
    assert not network.last.weight.any()
    assert not network.last.bias.any()


def test_the_entropic_loss_trains_too():
    config = msgspec.structs.replace(
        SMALL, loss="entropic", risk_aversion=2.0, markets=("brownian",), epochs=40, paths=1000
    )
    assert train(config, quiet).metrics["validation_risk_ratio"] < 0.97


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    config = msgspec.structs.replace(SMALL, epochs=1, paths=100, validation_paths=100, threads=before + 1)
    train(config, quiet)
    assert torch.get_num_threads() == before


def test_gradients_of_the_whole_loss_agree_with_finite_differences():
    batch = training._batch(SMALL, Scenario(BrownianMarket(), 5, 0.0), "gradient", 400)
    batch = batch._replace(
        **{name: getattr(batch, name).double() for name in ("features", "delta", "density", "spot", "payoff")}
    )
    generator = np.random.default_rng(3)  # noqa: TID251 - no secrets here
    weights = 0.2 * generator.standard_normal(401)
    for loss in ("expected-shortfall", "entropic"):
        config = msgspec.structs.replace(SMALL, loss=loss)
        network = PolicyNetwork.from_weights(weights.tolist())
        training._relative_risk(config, network, batch).backward()
        gradient = torch.cat([part.grad.reshape(-1) for part in network._parts()]).numpy()
        direction = generator.standard_normal(401)
        ends = [
            training._relative_risk(
                config, PolicyNetwork.from_weights((weights + h * direction).tolist()), batch
            ).item()
            for h in (1e-7, -1e-7)
        ]
        assert (ends[0] - ends[1]) / 2e-7 == pytest.approx(gradient @ direction, rel=1e-4)


def test_mixed_scenarios_are_drawn_from_the_lists():
    config = PolicyConfig(vols=(0.3,), maturities=(7,), moneyness=(1.0, -1.0), mixed_scenarios=8)
    drawn = training._drawn(config, 5)
    assert [scenario.name for scenario in drawn[:2]] == ["brownian/0.2/20/0", "heston/0.2/20/0"]
    mixed = drawn[2:]
    assert len(mixed) == 8
    assert {scenario.market.name for scenario in mixed} == {"brownian", "heston"}
    assert {(scenario.steps, scenario.moneyness) for scenario in mixed} == {(7, 1.0), (7, -1.0)}
    assert all(scenario.market.vol == pytest.approx(0.3) for scenario in mixed)


def test_a_strike_is_its_number_of_standard_deviations_from_the_spot():
    assert Scenario(BrownianMarket(vol=0.5), 10, -1.0).strike == pytest.approx(np.exp(-0.5 * np.sqrt(0.04)))


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0}, {"tail": 0.0}, {"loss": "variance"}, {"markets": ["sabr"]}, {"seed": -1}, {"unknown": 1},
        {"vols": [0.0]}, {"cost": 1.0}, {"maturities": [1]},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, PolicyConfig)


@pytest.mark.parametrize("fields", [{"markets": ()}, {"markets": ("heston", "heston")}, {"vols": ()}])
def test_settings_that_leave_nothing_to_train_on_are_refused(fields):
    with pytest.raises(ConfigError, match="policy config"):
        PolicyConfig(**fields)
