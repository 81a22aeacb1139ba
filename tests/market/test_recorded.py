"""Recorded chains: what is read, and what refuses the file, with the line at fault."""

import gzip
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.market import MarketDataError, RecordedChain
from mpc_party.market import recorded as module
from mpc_party.market.recorded import InstrumentName, parse_instrument_name
from mpc_party.protocol.errors import Reason

HEADER = (
    "timestamp,instrument_name,futures_price,index_price,bid_price,ask_price,mark_price,implied_volatility,"
    "delta,vega,open_interest,volume"
)
FIRST, SECOND = "2026-01-01T09:18:35Z", "2026-01-01T15:18:35Z"
FIRST_SECONDS = int(datetime(2026, 1, 1, 9, 18, 35, tzinfo=UTC).timestamp())


def row(
    name="BTC-3JAN26-88000-C", stamp=FIRST, forward="87834.33", bid="0.0085", ask="0.009", vol="0.3337"
) -> str:
    return f"{stamp},{name},{forward},87799.1,{bid},{ask},0.0088,{vol},0.47434,25.5277,255.3,217.4"


@pytest.fixture
def chain(tmp_path):
    def write(*lines: str, name: str = "chain.csv", header: str = HEADER) -> RecordedChain:
        path = tmp_path / name
        text = "\n".join((header, *lines)) + "\n"
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text, encoding="utf-8")
        return RecordedChain(path)

    return write


def refusal(call, *arguments, **options) -> str:
    with pytest.raises(MarketDataError) as caught:
        call(*arguments, **options)
    assert caught.value.reason is Reason.MARKET_DATA_INVALID
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


@pytest.mark.parametrize("name", ["chain.csv", "chain.csv.gz"])
def test_a_chain_is_read_by_moment_in_order_of_expiry_and_strike(chain, name):
    read = chain(
        row("BTC-30JAN26-95000-P", SECOND),
        row("BTC-30JAN26-95000-C", bid="", ask=""),
        row("BTC-3JAN26-90000-P"),
        row("BTC-3JAN26-88000-C"),
        row("BTC-3JAN26-88000-P", vol=""),
        name=name,
    )
    assert read.underlying == "BTC"
    assert read.replays
    assert read.times == (FIRST_SECONDS, FIRST_SECONDS + 6 * 3600)
    assert read.dropped == 0
    at = read.at(FIRST_SECONDS)
    third, thirtieth = (
        int(datetime(2026, 1, day, 8, tzinfo=UTC).timestamp()) for day in (3, 30)
    )  # expiries at 08:00 UTC
    assert len(at) == 4
    assert at.observed_at == FIRST_SECONDS
    assert at.expiry.tolist() == [third, third, third, thirtieth]
    assert at.strike.tolist() == [88000.0, 88000.0, 90000.0, 95000.0]
    assert at.call.tolist() == [False, True, False, True]
    assert np.isnan(at.bid).tolist() == np.isnan(at.ask).tolist() == [False, False, False, True]
    assert np.isnan(at.mark_vol).tolist() == [True, False, False, False]
    assert (at.bid[0], at.ask[0], at.forward[0], at.mark_vol[1]) == (0.0085, 0.009, 87834.33, 0.3337)
    assert at.expiry.dtype == np.int64
    assert at.call.dtype == np.bool_


def test_forwards_are_the_medians_of_their_expiries(chain):
    read = chain(
        row("BTC-3JAN26-88000-C", forward="100"),
        row("BTC-3JAN26-89000-C", forward="102"),
        row("BTC-3JAN26-90000-C", forward="1000"),
        row("BTC-30JAN26-90000-C", forward="200"),
    )
    at = read.at(FIRST_SECONDS)
    assert list(at.forwards().values()) == [102.0, 200.0]
    assert list(at.forwards()) == sorted(set(at.expiry.tolist()))


def test_a_recording_runs_from_moment_to_moment_and_ends(chain):
    read = chain(row(), row(stamp=SECOND))
    first, second = read.times
    assert read.next_time(0, now=0) == first
    assert read.next_time(first - 1, now=10**12) == first
    assert read.next_time(first, now=0) == second
    with pytest.raises(MarketDataError, match="ends at 2026-01-01T15:18:35Z") as caught:
        read.next_time(second, now=0)
    assert caught.value.reason is Reason.MARKET_DATA_STALE


def test_a_moment_that_is_not_in_the_recording(chain):
    with pytest.raises(MarketDataError, match="no moment 12") as caught:
        chain(row()).at(12)
    assert caught.value.reason is Reason.MARKET_DATA_STALE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BTC-3JAN26-88000-C", InstrumentName("BTC", 1_767_427_200, 88000.0, True)),
        ("BTC-03JAN26-88000-C", InstrumentName("BTC", 1_767_427_200, 88000.0, True)),
        ("BTC-29FEB28-0.25-P", InstrumentName("BTC", 1_835_424_000, 0.25, False)),
        ("ETH2-25DEC26-2500-P", InstrumentName("ETH2", 1_798_185_600, 2500.0, False)),
    ],
)
def test_instrument_names(name, expected):
    assert parse_instrument_name(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "BTC",
        "BTC-PERPETUAL",
        "btc-3JAN26-88000-C",
        "BTC-3JAN26-88000-X",
        "BTC-3JAN26-88000-C ",
        "BTC-3JAN26-88000-C\n",
        "BTC-31FEB26-88000-C",
        "BTC-0JAN26-88000-C",
        "BTC-3JAM26-88000-C",
        "BTC-3JAN2026-88000-C",
        "BTC-3JAN26-0-C",
        "BTC-3JAN26--1-C",
        "BTC-3JAN26-1e5-C",
        "BTC-3JAN26-٨٨-C",
        "BTCBTCBTCBTC-3JAN26-88000-C",
        "BTC-3JAN26-1234567890-C",
    ],
)
def test_what_is_no_option_name(name):
    with pytest.raises(ValueError, match=r"."):
        parse_instrument_name(name)


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_refused(text):
    try:
        name = parse_instrument_name(text)
    except ValueError:
        return
    assert name.strike > 0
    assert text.startswith(name.underlying)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row(stamp="2026-01-01 09:18:35"), "not a UTC time"),
        (row(stamp="2026-13-01T09:18:35Z"), "not a UTC time"),
        (row(stamp=""), "not a UTC time"),
        (row("BTC-PERPETUAL"), "not an option's name"),
        (row("BTC-31FEB26-88000-C"), "day is out of range"),
        (row(forward="abc"), "not a number: 'abc'"),
        (row(bid="0.0.1"), "not a number"),
        (row(ask="1_000"), "not a number"),
        (row(vol="٣"), "not a number"),
        (row(vol="0x10"), "not a number"),
        (row() + ",1", "13 fields, 12 expected"),
        (row().rsplit(",", 1)[0], "11 fields, 12 expected"),
        ("", "0 fields, 12 expected"),
        ("x", "1 fields, 12 expected"),
        (row("ETH-3JAN26-3000-C"), "ETH in a recording of BTC"),
        (row("BTC-03JAN26-88000-C"), "twice"),
        (row().replace("BTC", '"BTC'), "not CSV"),
        (row("BTC-" + "9" * 5000), "longer than 4096 characters"),
    ],
)
def test_a_row_that_breaks_the_format_refuses_the_file_with_its_line(chain, line, message):
    good = row(), row("BTC-3JAN26-90000-P")
    with pytest.raises(MarketDataError, match=message) as caught:
        chain(*good, line, row("BTC-3JAN26-91000-P"))
    text = str(caught.value)
    # An open quote runs on to where the file ends; everything else stands on line 4.
    assert "line 4" in text or ("not CSV" in text and "line 5" in text)
    assert caught.value.reason is Reason.MARKET_DATA_INVALID
    assert "\n" not in text
    assert len(text) < 400


def test_lines_are_counted_as_an_editor_does(chain):
    quoted = row().replace("217.4", '"21\n7.4"')  # one row on two lines: the last column is not read
    text = refusal(chain, quoted, row("BTC-PERPETUAL"))
    assert "line 4" in text


@pytest.mark.parametrize("column", module.COLUMNS)
def test_a_missing_column(chain, column):
    assert column in refusal(chain, row(), header=HEADER.replace(column, "x"))


def test_columns_are_found_by_name_and_others_ignored(tmp_path):
    path = tmp_path / "chain.csv"
    path.write_text(
        "ask_price,x,bid_price,implied_volatility,instrument_name,timestamp,futures_price\n"
        f"0.02,what,0.01,0.5,BTC-3JAN26-88000-C,{FIRST},88000\n"
    )
    at = RecordedChain(path).at(FIRST_SECONDS)
    assert (at.bid[0], at.ask[0], at.mark_vol[0], at.forward[0]) == (0.01, 0.02, 0.5, 88000.0)


@pytest.mark.parametrize(
    "numbers",
    [
        {"bid": "-0.001"},
        {"ask": "-1"},
        {"bid": "inf"},
        {"ask": "1e10"},
        {"forward": ""},
        {"forward": "nan"},
        {"forward": "0"},
        {"forward": "-5"},
        {"forward": "1e300"},
        {"vol": "0"},
        {"vol": "-0.5"},
        {"vol": "20.5"},
        {"vol": "-inf"},
        {"name": "BTC-1JAN26-88000-P"},  # expired at 08:00, before the moment
    ],
)
def test_numbers_that_no_option_has_are_dropped_and_counted(chain, numbers):
    read = chain(row("BTC-3JAN26-90000-P"), row(**numbers), row("BTC-3JAN26-91000-P"))
    assert read.dropped == 1
    assert read.at(FIRST_SECONDS).strike.tolist() == [90000.0, 91000.0]


@pytest.mark.parametrize("text", ["nan", "NaN", ""])
def test_an_absent_price_may_be_written_as_nan(chain, text):
    read = chain(row(bid=text, ask=text, vol=text))
    assert read.dropped == 0
    at = read.at(FIRST_SECONDS)
    assert np.isnan([at.bid[0], at.ask[0], at.mark_vol[0]]).all()


def test_a_recording_in_which_everything_is_dropped_holds_no_options(chain):
    assert "holds no options" in refusal(chain, row(forward="0"))


@pytest.mark.parametrize("content", [b"", b"\n", HEADER.encode(), HEADER.encode() + b"\n"])
def test_files_without_rows(tmp_path, content):
    path = tmp_path / "chain.csv"
    path.write_bytes(content)
    assert "column 'timestamp' is missing" in (text := refusal(RecordedChain, path)) or "no options" in text


def test_no_file_a_folder_and_an_unreadable_one(tmp_path):
    assert "no such file" in refusal(RecordedChain, tmp_path / "none.csv")
    assert "cannot be read" in refusal(RecordedChain, tmp_path)


def test_what_is_not_text(tmp_path):
    path = tmp_path / "chain.csv"
    path.write_bytes((HEADER + "\n" + row() + "\n").encode() + b"\xff\xfe\n")
    assert "not UTF-8" in refusal(RecordedChain, path)
    path.write_bytes(gzip.compress((HEADER + "\n" + row()).encode()))  # gzipped, and not called so
    assert "not UTF-8" in refusal(RecordedChain, path)


@pytest.mark.parametrize("damage", ["truncated", "plain", "flipped", "tail"])
def test_a_damaged_gzip_file(tmp_path, damage):
    lines = "\n".join([HEADER, *(row(f"BTC-3JAN26-{80000 + i}-C", vol=f"0.{i + 1}") for i in range(400))])
    packed = bytearray(gzip.compress(lines.encode()))
    if damage == "truncated":
        del packed[len(packed) // 2 :]
    elif damage == "plain":
        packed = bytearray(lines.encode())
    elif damage == "flipped":
        packed[len(packed) // 2] ^= 0x55
    else:
        packed[-6] ^= 1  # in the checksum
    path = tmp_path / "chain.csv.gz"
    path.write_bytes(packed)
    refusal(RecordedChain, path)


def test_a_line_without_end_is_not_unpacked_into_memory(tmp_path, monkeypatch):
    asked = []

    class Recorder(gzip.GzipFile):
        def read1(self, size=-1):
            block = super().read1(size)
            asked.append(len(block))
            return block

    monkeypatch.setattr(gzip, "GzipFile", Recorder)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(HEADER.encode() + b"\n" + b"a" * 50_000_000))
    assert "line 2 is longer" in refusal(RecordedChain, path)
    assert 0 < sum(asked) < 1_000_000


def test_a_file_of_too_many_lines(chain, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINES", 3)
    chain(row(), row("BTC-3JAN26-90000-P"))
    assert "more than 3 lines" in refusal(chain, row(), row("BTC-3JAN26-90000-P"), row("BTC-3JAN26-91000-P"))


@given(st.binary(max_size=400))
def test_any_bytes_after_a_good_header_are_read_or_refused(tmp_path_factory, tail):
    path = tmp_path_factory.mktemp("fuzz") / "chain.csv"
    path.write_bytes((HEADER + "\n" + row() + "\n").encode() + tail)
    try:
        read = RecordedChain(path)
    except MarketDataError as error:
        refused = str(error)
    else:
        refused = ""
        assert FIRST_SECONDS in read.times
    assert "\n" not in refused


def test_two_readers_see_the_same_chain(chain):
    lines = [row(f"BTC-3JAN26-{strike}-{kind}") for strike in (70000, 90000, 88000) for kind in "PC"]
    forward, backward = chain(*lines, name="a.csv"), chain(*reversed(lines), name="b.csv")
    for column in ("expiry", "strike", "call", "forward", "bid", "ask", "mark_vol"):
        assert (
            getattr(forward.at(FIRST_SECONDS), column) == getattr(backward.at(FIRST_SECONDS), column)
        ).all()
