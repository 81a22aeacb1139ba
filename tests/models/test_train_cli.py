"""`mpc-models train` and `evaluate` in process, on a recording with a known relation and on a tiny policy."""

import itertools
import json
import stat

import pytest
import structlog
from typer.testing import CliRunner

from models.cli import app
from models.metrics import hedging_metrics
from models.model_file import ModelFile, load_model, save_model
from models.training import load_policy_config
from mpc_party.console import exit_code
from mpc_party.hedging.model import COUNTS, MINIMUM_VARIANCE, POLICY
from mpc_party.protocol.errors import ConsortiumError
from tests.support.smile_recordings import START, STEP, write_recording

WEIGHTS = (-0.4, 0.5, -0.2)
TINY = """
epochs = 1
paths = 100
mixed_scenarios = 0
validation_paths = 100
test_paths = 200
steps = 3
"""


@pytest.fixture(autouse=True)
def plain_logging():
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_recording(tmp_path_factory.mktemp("market") / "chain.csv.gz", WEIGHTS)


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, ConsortiumError):
        return exit_code(result.exception), result.stdout, str(result.exception)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def train(out, recording, *options):
    return call(
        "train", "--kind", MINIMUM_VARIANCE, "--market", f"recorded:{recording}", "--out", out, *options
    )


def evaluate(model, out, recording, *options):
    return call("evaluate", "--model", model, "--market", f"recorded:{recording}", "--out", out, *options)


def png(path):
    data = path.read_bytes()
    return data.startswith(b"\x89PNG\r\n") and len(data) > 5000 and stat.S_IMODE(path.stat().st_mode) == 0o600


def shown(weights):
    """What a weight that is shown with four digits or more has in it."""
    return [f"{weight:.12f}"[:6] for weight in weights]


@pytest.fixture(scope="module")
def made(recording, tmp_path_factory):
    """A folder with a trained model and its evaluation, and what the two commands printed."""
    folder = tmp_path_factory.mktemp("made")
    trained = train(folder / "model.toml", recording, "--json")
    evaluated = evaluate(folder / "model.toml", folder / "new" / "evaluation", recording, "--json")
    assert (trained[0], evaluated[0]) == (0, 0)
    return folder, json.loads(trained[1]), json.loads(evaluated[1])


def test_train(made):
    folder, trained, _ = made
    model = load_model(folder / "model.toml")
    assert stat.S_IMODE((folder / "model.toml").stat().st_mode) == 0o600
    # At the deltas of the recording the relation is found; far from them, the quadratic is free to differ.
    for d in (0.2, 0.5, 0.8):
        fitted, true = (sum(w * d**k for k, w in enumerate(weights)) for weights in (model.weights, WEIGHTS))
        assert fitted == pytest.approx(true, abs=0.05)
    metrics = trained["metrics"]
    assert metrics["intervals"] == 39
    assert 0.3 < metrics["gain"]["low"] < metrics["gain"]["value"] < metrics["gain"]["high"] < 1
    assert metrics["gain_as_reported"] == pytest.approx(metrics["gain"]["value"], abs=1e-3)


def test_evaluate(made):
    folder, trained, found = made
    written = folder / "new" / "evaluation"
    assert found == json.loads((written / "metrics.json").read_text())
    assert stat.S_IMODE((written / "metrics.json").stat().st_mode) == 0o600
    assert found["walk_forward"] == trained["metrics"]
    assert found["model"]["gain"]["value"] > trained["metrics"]["gain"]["value"]  # it has seen the market
    assert found["market"]["moments"] == 40
    assert found["plots"] == ["hedging-errors.png", "surface.png", "deltas.png"]
    assert sorted(path.name for path in written.iterdir()) == sorted(["metrics.json", *found["plots"]])
    assert all(png(written / name) for name in found["plots"])


def test_no_weight_is_printed_or_in_the_metrics(made):
    folder, *printed = made
    weights = load_model(folder / "model.toml").weights
    assert not any(json.dumps(value).count(text) for value in printed for text in shown(weights))
    assert all(text in json.dumps(weights) for text in shown(weights))  # the check would find them


def test_a_person_is_told_the_gain_and_the_next_step(recording, tmp_path):
    status, out, said = train(tmp_path / "model.toml", recording, "--half-life", 5, "--price", "mid")
    assert (status, out) == (0, "")
    assert "% below plain delta's" in said
    assert "mpc-models evaluate" in said
    assert "holds 0" not in said
    assert not any(text in said for text in shown(load_model(tmp_path / "model.toml").weights))
    status, _, said = evaluate(tmp_path / "model.toml", tmp_path / "out", recording)
    assert (status, "Fitted before every interval instead" in said) == (0, True)


def test_a_market_that_shows_nothing_is_called_that(tmp_path):
    market = write_recording(
        tmp_path / "noise.csv.gz", (0.0, 0.0, 0.0), moments=24, noise=0.004, seed="noise"
    )
    status, _, said = train(tmp_path / "model.toml", market)
    assert (status, "does not show that the model is better" in said) == (0, True)


def test_the_same_market_gives_the_same_file(recording, tmp_path):
    for name in ("one", "two"):
        assert train(tmp_path / name, recording)[0] == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_from_and_to(recording, tmp_path):
    status, out, _ = train(
        tmp_path / "model.toml", recording, "--from", "2026-01-02", "--to", "2026-01-08T08:00:00Z", "--json"
    )
    assert status == 0
    assert json.loads(out)["metrics"]["intervals"] == 25  # 2 January 02:00 to 8 January 08:00
    status, out, _ = evaluate(
        tmp_path / "model.toml", tmp_path / "out", recording, "--from", "2026-01-05", "--json"
    )
    market = json.loads(out)["market"]
    assert (status, market["from"] % STEP, market["to"]) == (0, START % STEP, START + 39 * STEP)


def test_a_model_file_is_replaced_only_when_told(recording, tmp_path):
    path = tmp_path / "model.toml"
    path.write_text("kept")
    status, _, said = train(path, recording)
    assert (status, "--replace" in said, path.read_text()) == (2, True, "kept")
    assert train(path, recording, "--replace")[0] == 0
    assert load_model(path).kind == MINIMUM_VARIANCE


def test_a_policy(tmp_path):
    (tmp_path / "train.toml").write_text(TINY)
    config = ["--config", tmp_path / "train.toml"]
    status, out, _ = call("train", "--kind", POLICY, *config, "--out", tmp_path / "model.toml", "--json")
    assert status == 0
    model = load_model(tmp_path / "model.toml")
    assert (model.kind, len(model.weights)) == (POLICY, COUNTS[POLICY])
    assert not any(repr(weight) in out for weight in model.weights if abs(weight) > 1e-3)
    status, out, _ = call(
        "evaluate", "--model", tmp_path / "model.toml", *config, "--out", tmp_path / "out", "--json"
    )
    assert status == 0
    found = json.loads(out)
    assert (found["kind"], found["plots"]) == (POLICY, ["profit-and-loss.png"])
    assert found["simulated"]["test_paths"] == 200
    assert "profit_and_loss" not in found["simulated"]
    assert png(tmp_path / "out" / "profit-and-loss.png")


@pytest.mark.parametrize(("seed", "warned"), [("", True), ("seed = 77\n", False)])
def test_a_seed_that_everybody_has_is_said(tmp_path, seed, warned):
    (tmp_path / "train.toml").write_text(seed + TINY)
    status, out, said = call(
        "train", "--kind", POLICY, "--config", tmp_path / "train.toml", "--out", tmp_path / "model.toml"
    )
    assert (status, out) == (0, "")
    assert ("default seed" in said) == warned
    assert "of Black-Scholes delta's" in said


def test_a_policy_on_a_market_too(recording, tmp_path):
    (tmp_path / "train.toml").write_text(TINY)
    save_model(tmp_path / "model.toml", ModelFile(POLICY, (0.0,) * COUNTS[POLICY]))
    status, out, _ = evaluate(
        tmp_path / "model.toml", tmp_path / "out", recording, "--config", tmp_path / "train.toml", "--json"
    )
    found = json.loads(out)
    assert status == 0
    assert found["model"]["gain"]["value"] == 0.0  # no weights: plain delta
    assert "walk_forward" not in found
    assert len(found["plots"]) == 4


def test_the_example_configuration_is_the_default():
    assert load_policy_config("configs/train.example.toml") == load_policy_config(None)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--kind", MINIMUM_VARIANCE], "--market"),
        (["--kind", MINIMUM_VARIANCE, "--market", "recorded:none.csv"], "none.csv: no such file"),
        (["--kind", MINIMUM_VARIANCE, "--market", "moon:1"], "no market source"),
        (["--kind", MINIMUM_VARIANCE, "--market", "simulated:1"], "--from and --to"),
        (["--kind", MINIMUM_VARIANCE, "--market", "simulated:1", "--config", "x"], "--config says nothing"),
        (["--kind", POLICY, "--market", "simulated:1"], "--market says nothing"),
        (["--kind", POLICY, "--half-life", "3"], "--half-life says nothing"),
        (["--kind", POLICY, "--config", "none.toml"], "none.toml: no such file"),
    ],
)
def test_a_command_line_that_cannot_be_followed_is_one_line(tmp_path, monkeypatch, arguments, match):
    monkeypatch.chdir(tmp_path)
    status, out, said = call("train", *arguments, "--out", "model.toml")
    assert (status, out) == (2, "")
    assert match in said
    assert "\n" not in said
    assert list(tmp_path.iterdir()) == []


def test_where_to_write_is_looked_at_first(recording, tmp_path):
    status, _, said = train(tmp_path / "missing" / "model.toml", recording)
    assert (status, "no folder" in said) == (2, True)
    save_model(tmp_path / "model.toml", ModelFile(MINIMUM_VARIANCE, WEIGHTS))
    (tmp_path / "file").write_text("")
    status, _, said = evaluate(tmp_path / "model.toml", tmp_path / "file", recording)
    assert (status, "cannot make the folder" in said) == (2, True)
    assert call("evaluate", "--model", tmp_path / "model.toml", "--out", tmp_path)[0] == 2


def test_a_market_too_short_to_judge_by(recording, tmp_path):
    status, _, said = train(tmp_path / "model.toml", recording, "--to", "2026-01-03")
    assert (status, "16 are needed" in said) == (1, True)
    assert not (tmp_path / "model.toml").exists()


def test_a_simulated_market_has_a_past_between_from_and_to(tmp_path):
    status, out, _ = call(
        "train", "--kind", MINIMUM_VARIANCE, "--market", "simulated:3", "--from", "2026-01-01", "--to", "2026-01-05",
        "--out", tmp_path / "model.toml", "--json",
    )  # fmt: skip
    assert (status, json.loads(out)["metrics"]["intervals"]) == (0, 16)
    status, _, said = call(
        "train", "--kind", MINIMUM_VARIANCE, "--market", "simulated:3", "--from", "2026-01-01", "--to", "2099-01-05",
        "--out", tmp_path / "other.toml",
    )  # fmt: skip
    assert (status, "both in the past" in said) == (2, True)


def test_help_says_what_is_secret():
    for command in ("train", "evaluate"):
        result = CliRunner().invoke(app, [command, "--help"])
        assert result.exit_code == 0
        assert "Secret" in result.stdout
        assert len(result.stdout.splitlines()) > 20


def test_documented_keys(made):
    """The docstrings are the keys' documentation: a key that they do not name is one that nobody can look up."""
    import models.evaluation  # noqa: PLC0415

    found = made[2]
    for key in itertools.chain(found, found["market"]):
        assert key in models.evaluation.__doc__
    for key in itertools.chain(found["model"], found["model"]["gain"], found["model"]["by_type"][0]):
        assert f'"{key}"' in hedging_metrics.__doc__


def test_a_market_that_stands_still_is_refused(tmp_path):
    market = write_recording(tmp_path / "still.csv.gz", moments=20, noise=0.0, move=0.0)
    status, _, said = train(tmp_path / "model.toml", market)
    assert (status, "no model can be fitted" in said) == (1, True)
    assert not (tmp_path / "model.toml").exists()
