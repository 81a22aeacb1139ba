"""Recordings in the making: what is written is what is read, whatever stops the writing."""

import gzip
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.market import MarketDataError, RecordedChain, SimulatedMarket
from mpc_party.market import recorder as module
from mpc_party.market.recorded import parse_instrument_name
from mpc_party.market.recorder import ChainRecorder, instrument_name
from mpc_party.protocol.errors import Reason

MARKET = SimulatedMarket(5)
FIRST = 1_767_258_000
COLUMNS = ("expiry", "strike", "call", "forward", "bid", "ask", "mark_vol")
NAMES = ["chain.csv", "chain.csv.gz"]


def same(read, chain):
    """A recording has the put before the call; within a strike, the simulation has the call first."""
    order = np.lexsort((chain.call, chain.strike, chain.expiry))
    return all(
        np.array_equal(getattr(read, c), getattr(chain, c)[order], equal_nan=c != "call") for c in COLUMNS
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_what_is_read(tmp_path, name):
    path = tmp_path / name
    recorder = ChainRecorder(path, "SIM")
    assert (recorder.last, recorder.rows) == (0, 0)
    sizes = [recorder.append(MARKET.at(FIRST + 60 * k)) for k in range(3)]
    assert path.stat().st_size == sum(sizes)
    read = RecordedChain(path)
    assert (read.underlying, read.dropped) == ("SIM", 0)
    assert read.times == (FIRST, FIRST + 60, FIRST + 120)
    assert recorder.rows == sum(len(read.at(time)) for time in read.times)
    for time in read.times:
        assert same(read.at(time), MARKET.at(time))
        assert read.at(time).seen_at is None


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_gone_on_with(tmp_path, name):
    path = tmp_path / name
    ChainRecorder(path, "SIM").append(MARKET.at(FIRST))
    again = ChainRecorder(path, "SIM")
    assert (again.last, again.rows) == (FIRST, len(MARKET.at(FIRST)))
    again.append(MARKET.at(FIRST + 1))
    read = RecordedChain(path)
    assert read.times == (FIRST, FIRST + 1)
    assert same(read.at(FIRST + 1), MARKET.at(FIRST + 1))


def test_an_empty_file_is_a_new_one(tmp_path):
    path = tmp_path / "chain.csv"
    path.touch()
    ChainRecorder(path, "SIM").append(MARKET.at(FIRST))
    assert RecordedChain(path).times == (FIRST,)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt, OSError, MemoryError])
def test_whatever_stops_the_writing_the_file_is_as_before(tmp_path, monkeypatch, name, stopped_by):
    path = tmp_path / name
    recorder = ChainRecorder(path, "SIM")
    recorder.append(MARKET.at(FIRST))
    before, write = path.read_bytes(), os.write

    def half(descriptor, data):
        if len(data) < 2000:
            raise stopped_by
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(module.os, "write", half)
    with pytest.raises(stopped_by):
        recorder.append(MARKET.at(FIRST + 1))
    assert path.read_bytes() == before
    monkeypatch.setattr(module.os, "write", write)
    recorder.append(MARKET.at(FIRST + 2))
    assert RecordedChain(path).times == (FIRST, FIRST + 2)


def test_two_recorders_do_not_write_to_one_file(tmp_path):
    path = tmp_path / "chain.csv"
    one, other = ChainRecorder(path, "SIM"), ChainRecorder(path, "SIM")
    one.append(MARKET.at(FIRST))
    with pytest.raises(MarketDataError, match="somebody else") as caught:
        other.append(MARKET.at(FIRST))
    assert caught.value.reason is Reason.ALREADY_RUNNING
    one.append(MARKET.at(FIRST + 1))
    assert RecordedChain(path).times == (FIRST, FIRST + 1)


@pytest.mark.parametrize("moment", [FIRST, FIRST - 1])
def test_a_moment_that_is_not_later(tmp_path, moment):
    path = tmp_path / "chain.csv"
    recorder = ChainRecorder(path, "SIM")
    recorder.append(MARKET.at(FIRST))
    with pytest.raises(MarketDataError, match="does not go on"):
        recorder.append(MARKET.at(moment))
    with pytest.raises(MarketDataError, match="does not go on"):
        recorder.append(replace(MARKET.at(FIRST + 1), underlying="BTC"))


def test_files_that_cannot_be_gone_on_with(tmp_path, monkeypatch):
    path = tmp_path / "chain.csv"
    ChainRecorder(path, "SIM").append(MARKET.at(FIRST))
    with pytest.raises(MarketDataError, match="a recording of SIM, not of BTC"):
        ChainRecorder(path, "BTC")
    text = path.read_text()
    wider = tmp_path / "wider.csv"
    wider.write_text(
        "".join(f"{line},1\n" if n else f"{line},x\n" for n, line in enumerate(text.splitlines()))
    )
    with pytest.raises(MarketDataError, match="other columns"):
        ChainRecorder(wider, "SIM")
    packed = tmp_path / "cut.csv.gz"
    packed.write_bytes(gzip.compress(text.encode())[:-20])
    with pytest.raises(MarketDataError, match="cannot be read"):
        ChainRecorder(packed, "SIM")
    with pytest.raises(MarketDataError):
        ChainRecorder(tmp_path, "SIM")
    monkeypatch.setattr(module, "MAX_LINES", 1000)
    with pytest.raises(MarketDataError, match="full"):
        ChainRecorder(path, "SIM").append(MARKET.at(FIRST + 1))


@given(
    st.integers(18_300, 36_000),
    st.one_of(st.integers(1, 10**9 - 1).map(float), st.integers(1, 10**8).map(lambda n: n / 1e4)),
    st.booleans(),
)
def test_names_are_read_as_written(day, strike, call):
    name = instrument_name("BTC", day * 86_400 + 8 * 3600, strike, call=call)
    assert parse_instrument_name(name) == ("BTC", day * 86_400 + 8 * 3600, strike, call)


def test_a_name_as_the_venue_writes_it():
    assert instrument_name("BTC", 1_767_427_200, 88_000.0, call=True) == "BTC-3JAN26-88000-C"
    assert instrument_name("XRP", 1_767_427_200, 0.25, call=False) == "XRP-3JAN26-0.25-P"


@pytest.mark.parametrize(
    ("expiry", "strike"),
    [
        (1_767_427_201, 1.0),
        (1_767_423_600, 1.0),
        (1_767_427_200, 0.0),
        (1_767_427_200, 1e9),
        (1_767_427_200, 1e-9),
    ],
)
def test_options_that_have_no_name(expiry, strike):
    with pytest.raises(ValueError, match=r"expiry|strike"):
        instrument_name("BTC", expiry, strike, call=True)
