"""Market sources by name."""

import pytest

from mpc_party.market import MarketDataError, RecordedChain, SimulatedMarket, open_source
from mpc_party.market.source import open_flow
from mpc_party.protocol.errors import Reason

ROWS = (
    "timestamp,instrument_name,futures_price,bid_price,ask_price,implied_volatility\n"
    "2026-01-01T09:18:35Z,BTC-3JAN26-88000-C,87834.33,0.0085,0.009,0.3337\n"
)


def test_a_recording(tmp_path, monkeypatch):
    (tmp_path / "a:b.csv").write_text(ROWS)
    source = open_source(f"recorded:{tmp_path}/a:b.csv")
    assert isinstance(source, RecordedChain)
    assert source.underlying == "BTC"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert isinstance(open_source("recorded:~/a:b.csv"), RecordedChain)


def test_a_recording_that_is_not_there(tmp_path):
    with pytest.raises(MarketDataError, match="no such file") as caught:
        open_source(f"recorded:{tmp_path}/none.csv")
    assert caught.value.reason is Reason.MARKET_DATA_INVALID


@pytest.mark.parametrize("seed", [0, 7, 10**18 - 1])
def test_a_simulation(seed):
    source = open_source(f"simulated:{seed}")
    assert isinstance(source, SimulatedMarket)
    time = 1_767_258_000
    assert (source.at(time).bid == SimulatedMarket(seed).at(time).bid)[5:9].all()


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "recorded",
        "recorded:",
        "simulated",
        "simulated:",
        "simulated:-1",
        "simulated:x",
        "simulated:1.5",
        "simulated:٣",
        "simulated:²",
        "simulated: 1",
        "simulated:" + "9" * 19,
        "Recorded:x",
        "live:deribit",
        "x" * 1000,
        "a\nb",
    ],
)
def test_what_names_no_source(spec):
    with pytest.raises(MarketDataError, match="no market source") as caught:
        open_source(spec)
    assert caught.value.reason is Reason.CONFIG_INVALID
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("path", ["~no-such-user/chain.csv", "chain\0.csv"])
@pytest.mark.parametrize(
    ("open_one", "form"),
    [
        (open_source, "recorded:{}"),
        (open_source, "capture:{}"),
        (open_source, "capture:{}@BTC"),
        (open_flow, "capture:{}"),
    ],
)
def test_a_file_that_cannot_be_named(open_one, form, path):
    with pytest.raises(MarketDataError, match="no file can be named") as caught:
        open_one(form.format(path))
    assert caught.value.reason is Reason.CONFIG_INVALID
    assert caught.value.remedy
