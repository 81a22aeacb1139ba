"""A desk's positions file: read whole or refused by line, matched to a book by name."""

import numpy as np
import pytest

from mpc_party.market import MarketDataError
from mpc_party.market.positions import MAX_FILE, Positions, read_positions
from mpc_party.market.recorded import InstrumentName
from mpc_party.protocol.errors import ConfigError, Reason

MARCH = 1_774_598_400  # 2026-03-27T08:00Z
HEADER = "instrument,contracts\n"


@pytest.fixture
def file(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "positions.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_file_of_two_options(file):
    positions = read_positions(file(HEADER + "BTC-27MAR26-90000-C,-12.5\nBTC-27MAR26-95000-P,3e2\n"))
    assert positions.contracts == {
        InstrumentName("BTC", MARCH, 90_000.0, True): -12.5,
        InstrumentName("BTC", MARCH, 95_000.0, False): 300.0,
    }
    assert repr(positions) == "Positions(2 options)"
    assert str(positions) == "<Positions>"


def test_only_the_header_is_no_position(file):
    assert read_positions(file(HEADER)).contracts == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the first line must be instrument,contracts"),
        ("contracts,instrument\n", "line 1"),
        ("instrument,contracts,more\n", "line 1"),
        (HEADER + "BTC-27MAR26-90000-C\n", "line 2: 1 fields"),
        (HEADER + "BTC-27MAR26-90000-C,1,2\n", "line 2: 3 fields"),
        (HEADER + "BTC-27MAR26-90000-X,1\n", "line 2: not an option's name"),
        (HEADER + "BTC-27MAR26-90000-C,\n", "line 2: contracts are not a number"),
        (HEADER + "BTC-27MAR26-90000-C,nan\n", "line 2: contracts are not within"),
        (HEADER + "BTC-27MAR26-90000-C,inf\n", "line 2: contracts are not within"),
        (HEADER + "BTC-27MAR26-90000-C,1e10\n", "line 2: contracts are not within"),
        (HEADER + "BTC-27MAR26-90000-C,1_000\n", "line 2: contracts are not a number"),
        (
            HEADER + "BTC-27MAR26-90000-C,1\nBTC-27MAR26-90000-C,2\n",
            "line 3: BTC-27MAR26-90000-C stands twice",
        ),
        (HEADER + 'BTC-27MAR26-90000-C,"1\n', "not CSV|not a number"),
    ],
)
def test_a_mistake_is_refused_with_its_line(file, text, words):
    with pytest.raises(MarketDataError, match=words) as caught:
        read_positions(file(text))
    assert caught.value.reason is Reason.MARKET_DATA_INVALID
    assert "\n" not in str(caught.value)


def test_a_mistake_does_not_show_a_position(file):
    with pytest.raises(MarketDataError) as caught:
        read_positions(file(HEADER + "BTC-27MAR26-90000-C,777777x\n"))
    assert "777777" not in str(caught.value)


def test_files_that_are_not_there_or_too_long(file, tmp_path):
    with pytest.raises(ConfigError):
        read_positions(tmp_path / "nowhere.csv")
    with pytest.raises(ConfigError):
        read_positions(file("x" * (MAX_FILE + 1)))
    with pytest.raises(ConfigError):
        read_positions(file(b"\xff\xfe"))


def test_matched_to_a_book_by_name_whatever_the_strikes_rounding():
    held = Positions(
        {
            InstrumentName("XRP", MARCH, 0.7, True): 2.0,
            InstrumentName("XRP", MARCH, 0.7, False): -1.0,
            InstrumentName("ETH", MARCH, 0.7, True): 5.0,
            InstrumentName("XRP", MARCH, 1.0, True): 0.0,
        }
    )
    strike = np.array([70_000_000, 70_000_000, 95_000_000], dtype=np.float64) * 1e-8
    assert strike[0] != 0.7
    contracts, left_out = held.in_book("XRP", np.full(3, MARCH), strike, np.array([True, False, True]))
    assert contracts.tolist() == [2.0, -1.0, 0.0]
    assert left_out == 1  # the ETH option; one of which nothing is held is not missed
