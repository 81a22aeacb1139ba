import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.feeds.instrument_name import instrument_name, parse_instrument
from mpc_party.market.recorded import parse_instrument_name
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.words import InstrumentFields, pack_instrument

LAST_DAY = 32_503_680_000  # of the year 2999


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("BTC-28MAR27-90000-C", InstrumentFields("BTC", True, 1_806_220_800, 9_000_000_000_000)),
        ("ETH-3JAN26-3500.25-P", InstrumentFields("ETH", False, 1_767_427_200, 350_025_000_000)),
        ("BTC-20270328T1200-1-C", InstrumentFields("BTC", True, 1_806_235_200, 100_000_000)),
        ("X1-20270328T120001-0.00000001-P", InstrumentFields("X1", False, 1_806_235_201, 1)),
    ],
)
def test_names_and_what_they_stand_for(name, fields):
    assert parse_instrument(name) == fields
    assert instrument_name(fields) == name


def test_a_venues_name_means_the_same_to_both_readers():
    for name in ("BTC-28MAR27-90000-C", "ETH-1DEC30-0.5-P"):
        venue, ours = parse_instrument_name(name), parse_instrument(name)
        assert (venue.underlying, venue.expiry, venue.call) == (ours.underlying, ours.expiry, ours.call)
        assert round(venue.strike * 1e8) == ours.strike


@pytest.mark.parametrize(
    "name",
    [
        "", "BTC", "BTC-28MAR27-90000", "BTC-28MAR27-90000-X", "btc-28MAR27-90000-C", "BTC-31FEB27-90000-C",
        "BTC-28MAI27-90000-C", "BTC-28MAR27-0-C", "BTC-28MAR27--1-C", "BTC-28MAR27-1.123456789-C",
        "BTC-28MAR27-9" + "0" * 30 + "-C", "BTC-20271328T1200-1-C",
        "BTC-28MAR27-90000-C\n", "BTC-2٨MAR27-90000-C", "ABCDEFGHIJKLM-28MAR27-1-C",
    ],
)  # fmt: skip
def test_what_is_no_name(name):
    with pytest.raises(ConfigError) as caught:
        parse_instrument(name)
    assert "\n" not in caught.value.message


@given(
    st.from_regex(r"[A-Z0-9]{1,12}", fullmatch=True),
    st.booleans(),
    st.integers(1_000_000_000, LAST_DAY),
    st.integers(1, 10**26),
)
def test_every_option_has_a_name_of_its_own(underlying, call, expiry, strike):
    fields = InstrumentFields(underlying, call, expiry, strike)
    assert parse_instrument(instrument_name(fields)) == fields
    pack_instrument(fields)


def test_an_expiry_beyond_the_calendar_is_shown():
    assert instrument_name(InstrumentFields("BTC", True, 2**40 - 1, 10**8)) == "BTC-@1099511627775-1-C"
