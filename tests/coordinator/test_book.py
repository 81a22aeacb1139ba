import gzip
import math
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.book import MAX_PROPOSAL_BYTES, MarketBook, PublicMarket, make_book
from mpc_party.daemon.proposal_check import check_structure
from mpc_party.market import RecordedChain, SimulatedMarket
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import encode_message
from tests.support.signed_group import CHAIN_START, DAY, SignedGroup, flat_market

HOUR = 3600


def market(instruments, forwards=((CHAIN_START + DAY, 100.0),)):
    return PublicMarket(CHAIN_START, "BTC", tuple(forwards), tuple(instruments))


def test_prices_and_times_are_in_the_messages_units():
    book = make_book(market([(CHAIN_START + DAY, 95.5, True)]), {CHAIN_START + DAY: 0.4321}, Program())
    assert book.expiries[0].forward == 100 * 10**8
    assert book.expiries[0].reference_vol == 432_100
    assert book.instruments[0].strike == 9_550_000_000
    assert book.valid_until == CHAIN_START + Program().report_validity


def test_an_expiry_that_was_not_published_starts_at_the_default():
    book = make_book(market([(CHAIN_START + DAY, 95.5, True)]), {CHAIN_START + 2 * DAY: 0.9}, Program())
    assert book.expiries[0].reference_vol == 550_000


@pytest.mark.parametrize(("vol", "reference"), [(0.001, 10_000), (9.0, 5_000_000)])
def test_references_stay_within_the_messages_bounds(vol, reference):
    book = make_book(market([(CHAIN_START + DAY, 95.5, True)]), {CHAIN_START + DAY: vol}, Program())
    assert book.expiries[0].reference_vol == reference


def test_the_last_hour_is_left_out():
    forwards = ((CHAIN_START + HOUR - 1, 100.0), (CHAIN_START + HOUR, 100.0))
    book = make_book(market([(e, 100.0, True) for e, _ in forwards], forwards), {}, Program())
    assert [e.expiry for e in book.expiries] == [CHAIN_START + HOUR]


def test_what_is_cut_is_farthest_from_the_money_in_standard_deviations():
    near, far = CHAIN_START + DAY, CHAIN_START + 100 * DAY
    instruments = [(near, 100.0, True), (near, 110.0, True), (far, 150.0, True), (far, 300.0, True)]
    # log(1.1)/sqrt(1/365) = 1.82, log(1.5)/sqrt(100/365) = 0.77, log(3)/sqrt(100/365) = 2.10
    chosen = make_book(market(instruments, ((near, 100.0), (far, 100.0))), {}, Program(max_instruments=3))
    assert [(i.expiry, i.strike // 10**8) for i in chosen.instruments] == [(0, 100), (0, 110), (1, 150)]


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf, 1e12, 1e-9])
def test_prices_that_are_none_are_left_out(price):
    kept = (CHAIN_START + DAY, 100.0, True)
    assert len(make_book(market([kept, (CHAIN_START + DAY, price, True)]), {}, Program()).instruments) == 1
    with pytest.raises(RoundError) as caught:
        make_book(market([kept], ((CHAIN_START + DAY, price),)), {}, Program())
    assert caught.value.reason is Reason.MARKET_DATA_STALE


def test_absurd_strikes_are_left_out_because_parties_refuse_them():
    expiry = CHAIN_START + DAY
    chosen = make_book(market([(expiry, s, True) for s in (1.0, 5.0, 100.0, 1950.0, 2100.0)]), {}, Program())
    assert [i.strike // 10**8 for i in chosen.instruments] == [100]


def test_strikes_that_round_to_the_same_unit_are_one_instrument():
    expiry = CHAIN_START + DAY
    chosen = make_book(market([(expiry, s, True) for s in (100.0, 100.0 + 1e-10)]), {}, Program())
    assert len(chosen.instruments) == 1


def test_an_empty_market_is_refused():
    with pytest.raises(RoundError):
        make_book(market([]), {}, Program())


strikes = st.floats(1.0, 1e6, allow_nan=False)
chains = st.lists(st.tuples(st.integers(0, 90), strikes, st.booleans()), min_size=1, max_size=120)


@settings(deadline=None, max_examples=60)
@given(chains, st.integers(1, 100))
def test_whatever_the_market_shows_parties_find_the_structure_right(rows, limit):
    forwards = tuple((CHAIN_START + (d + 1) * DAY, 1000.0 + d) for d in range(91))
    instruments = [(CHAIN_START + (d + 1) * DAY, k, c) for d, k, c in rows]
    try:
        chosen = make_book(market(instruments, forwards), {}, Program(max_instruments=limit))
    except RoundError:
        assert all(not 1 / 19 <= k / (1000 + d) <= 19 for d, k, _ in rows)
        return
    proposal = chosen.proposal(1, 1, (0, 1, 2), 10_000)
    check_structure(proposal, _consortium(limit))
    assert len(encode_message(proposal)) <= MAX_PROPOSAL_BYTES


_groups = {}


def _consortium(limit):
    if not _groups:
        _groups[0] = SignedGroup()
    return msgspec.structs.replace(_groups[0].consortium, program=Program(max_instruments=limit))


def test_the_largest_proposal_fits_in_a_message():
    expiries = [(CHAIN_START + (d + 1) * DAY, 4.5e10) for d in range(64)]
    rows = [(e, 4e10 + 1e6 * k, bool(k % 2)) for e, _ in expiries for k in range(16)]
    chosen = make_book(market(rows, expiries), {}, Program(max_instruments=1024))
    assert len(chosen.instruments) == 1024
    assert len(encode_message(chosen.proposal(2**63 - 1, 1, (0, 1, 2), 600_000))) <= MAX_PROPOSAL_BYTES


def test_a_simulated_market_is_followed_by_the_clock():
    source = MarketBook(SimulatedMarket(7))
    first = source.observe(CHAIN_START, retry=False)
    assert first.observed_at == CHAIN_START
    assert source.observe(CHAIN_START + 5, retry=True).observed_at == CHAIN_START + 5
    source.continue_after(CHAIN_START + 100)
    assert source.observe(CHAIN_START + 6, retry=False).observed_at == CHAIN_START + 101


def recording(tmp_path):
    lines = ["timestamp,instrument_name,futures_price,bid_price,ask_price,implied_volatility"]
    lines += [f"2026-01-01T{hour:02}:00:00Z,BTC-3JAN26-88000-C,88000,0.01,0.02,0.5" for hour in (0, 6, 12)]
    path = tmp_path / "chain.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return RecordedChain(path)


def test_a_recording_moves_on_with_each_round_but_not_with_a_retry(tmp_path):
    source = MarketBook(recording(tmp_path))
    assert source.replays
    times = [source.observe(0, retry=retry).observed_at for retry in (False, True, False)]
    assert times == [CHAIN_START, CHAIN_START, CHAIN_START + 6 * HOUR]
    source.continue_after(CHAIN_START + 6 * HOUR)
    assert source.observe(0, retry=False).observed_at == CHAIN_START + 12 * HOUR


def test_a_real_chain_makes_a_full_book():
    default = (
        Path(__file__).resolve().parents[3] / "shared" / "data" / "deribit_btc_options_2026-01_02.csv.gz"
    )
    path = Path(os.environ.get("MPC_CHAIN_FILE", default))
    if not path.exists():
        pytest.skip("no recorded chain: name one in MPC_CHAIN_FILE")
    source = MarketBook(RecordedChain(path))
    seen = source.observe(0, retry=False)
    chosen = make_book(seen, {}, Program())
    assert len(chosen.instruments) >= 500
    assert flat_market(CHAIN_START).underlying == seen.underlying
    check_structure(chosen.proposal(1, 1, (0, 1, 2), 10_000), _consortium(1024))
