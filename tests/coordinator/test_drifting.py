"""`mpc-coordinator drift` over a history of packed reports."""

import json
import secrets

import numpy as np
import pytest
import structlog
from typer.testing import CliRunner

from coordinator.cli import app
from coordinator.drifting import model_drift
from coordinator.history import History
from coordinator.home import CoordinatorHome
from mpc_party.console import exit_code
from mpc_party.hedging.drift import Verdict, assess, hedging_intervals
from mpc_party.protocol.errors import ConsortiumError
from mpc_party.protocol.messages import Expiry, Instrument
from mpc_party.protocol.report import HedgeReport, encode_report
from mpc_party.protocol.words import ForwardFields, book_hash, pack_book, pack_forward, pack_params
from tests.support.drifting_reports import reports

MODEL, OTHER = b"\x11" * 32, b"\x22" * 32


@pytest.fixture(autouse=True)
def logging_as_it_was():
    yield
    structlog.reset_defaults()


def packed(series, number, model):
    """A report and its book, as the history has them."""
    expiries = np.unique(series.expiry)
    slots = tuple(
        Expiry(int(e), round(float(series.forward[series.expiry == e][0]) * 1e8), 500_000) for e in expiries
    )
    instruments = tuple(
        Instrument(int(np.searchsorted(expiries, e)), round(float(k) * 1e8), bool(c))
        for e, k, c in zip(series.expiry, series.strike, series.call, strict=True)
    )
    columns = {
        "iv": series.iv * 1e6,
        "bs_delta": series.bs_delta * 1e6,
        "hedge_delta": series.hedge_delta * 1e6,
        "gamma": np.zeros(len(series.expiry)),
        "vega": np.zeros(len(series.expiry)),
        "premium": series.premium * 1e8,
    }
    report = HedgeReport(
        consortium=b"\x33" * 32,
        epoch=1,
        round=number,
        observed_at=series.observed_at,
        valid_until=series.observed_at + 3600,
        book=book_hash("SIM", slots, instruments),
        model=model,
        inputs=secrets.token_bytes(32),
        forwards=b"".join(pack_forward(ForwardFields(slot.expiry, slot.forward)) for slot in slots),
        params=pack_params({name: np.rint(column).astype(np.int64) for name, column in columns.items()}),
    )
    return encode_report(report), pack_book("SIM", slots, instruments)


def write(home, series, model=MODEL, first=1, state="settled"):
    with History(home.history_file) as history:
        for number, one in enumerate(series, start=first):
            report, book = packed(one, number, model)
            history.start(number, number, 1, ("alpha", "bravo", "charlie"))
            history.update(number, state=state, report=report, book=book)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MPC_COORDINATOR_HOME", str(tmp_path))
    return CoordinatorHome(tmp_path)


def call(*arguments):
    result = CliRunner().invoke(app, ["drift", *map(str, arguments)])
    if isinstance(result.exception, ConsortiumError):
        return exit_code(result.exception), result.stdout, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_model_that_hedges_the_wrong_way_round_is_worse_and_says_what_to_do(home):
    write(home, reports(1, 61, -1.0))
    status, out, _ = call("--json", "--half-life", 1000)
    found = json.loads(out)
    assert status == 1
    assert found["verdict"] == "worse"
    assert found["low"] <= found["gain"] <= found["high"] < 0
    assert found["intervals"] == 60
    assert found["model"] == "0x" + MODEL.hex()
    assert "mpc-party refit" in found["next"]
    assert "mpc-models deal" in found["next"]


def test_the_right_model_and_a_line_for_a_person(home):
    write(home, reports(11, 161, 1.0))
    status, out, err = call("--half-life", 1000)
    assert (status, out) == (0, "")
    assert err.startswith("better: gain +")
    assert "160 intervals" in err
    assert "Next: nothing" in err


def test_words_of_a_report_are_exact_enough_for_the_verdict(home):
    series = reports(11, 41, 1.0)
    write(home, series)
    with History(home.history_file, read_only=True) as history:
        packed_drift = model_drift(history, limit=1000, half_life=30.0).drift
    exact = assess(hedging_intervals(series), 30.0)
    assert packed_drift.gain == pytest.approx(exact.gain, abs=1e-3)
    assert packed_drift.rows == exact.rows


def test_only_settled_reports_of_the_latest_model_count(home):
    write(home, reports(1, 30, -1.0), model=OTHER)
    series = [r for r in reports(1, 45, 1.0) if r.observed_at > reports(1, 30, -1.0)[-1].observed_at]
    write(home, series, first=31)
    write(home, reports(1, 3, -1.0), first=100, state="aborted")
    with History(home.history_file, read_only=True) as history:
        found = model_drift(history, limit=1000, half_life=7.0)
        assert (found.model, found.reports, found.other) == (MODEL.hex(), 15, 30)
        assert found.drift.intervals == 14
        assert found.drift.verdict is Verdict.UNDECIDED
        assert "are the fewest" in found.advice()
        assert model_drift(history, limit=8, half_life=7.0).reports == 5


def test_a_history_without_reports_is_undecided(home):
    write(home, [])
    status, out, _ = call("--json")
    found = json.loads(out)
    assert (status, found["verdict"], found["gain"], found["intervals"]) == (0, "undecided", None, 0)
    status, _, err = call()
    assert status == 0
    assert err.startswith("undecided: 0 reports")


def test_no_history_is_one_clear_error(home):
    status, out, error = call()
    assert (status, out) == (2, "")
    assert "no such file" in error


@pytest.mark.parametrize("arguments", [["--half-life", "0"], ["--limit", "1"], ["--spacing", "-1"]])
def test_options_out_of_range_are_refused(home, arguments):
    assert call(*arguments)[0] == 2
