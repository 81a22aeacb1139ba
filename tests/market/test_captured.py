"""Captures as sources: what had been received by a moment and no more, in any order of asking."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from mpc_party.market import captured
from mpc_party.market.captured import CapturedChain, CapturedFlow, open_captured_chain, open_captured_flow
from mpc_party.market.desk import DeskView
from mpc_party.market.errors import MarketDataError
from mpc_party.market.flow import FlowFeatures
from mpc_party.market.source import open_flow, open_source
from mpc_party.market.streams import normal, uniform
from mpc_party.market.venues.events import TopOfBook
from mpc_party.protocol.errors import Reason
from tests.support.venues.binance_messages import MS, best_quote, trade

T0 = MS // 1000
DATA = Path(os.environ.get("HEDGE_DATA", Path(__file__).parents[2].parent / "shared/data"))
REAL = DATA / "deribit_ws_capture.txt"


def ticker(at, name, bid=0.02, ask=0.021, vol=52.0, forward=60_000.0, **changes):
    data = {
        "instrument_name": name,
        "timestamp": round(at * 1000),
        "state": "open",
        "underlying_price": forward,
        "index_price": 59_990.0,
        "best_bid_price": bid,
        "best_bid_amount": 1.0,
        "best_ask_price": ask,
        "best_ask_amount": 2.0,
        "mark_iv": vol,
    } | changes
    message = {"jsonrpc": "2.0", "method": "subscription"}
    message["params"] = {"channel": f"ticker.{name}.raw", "data": data}
    return f"{at:.6f}: {json.dumps(message)}\n"


CALL, PUT, ETHER = "BTC-27DEC24-60000-C", "BTC-30AUG24-58000-P", "ETH-27DEC24-3000-C"


@pytest.fixture
def write(tmp_path):
    def write(text, name="capture.txt"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def chain_file(write):
    return write(
        f"wss://venue.example/ws <-> {T0}.1\n"
        f'wss://venue.example/ws <- {T0}.2: {{"id":0,"method":"public/subscribe"}}\n'
        f'{T0}.3: {{"jsonrpc":"2.0","id":0,"result":[]}}\n'
        + ticker(T0 + 0.5, CALL)
        + ticker(T0 + 1.0, PUT, bid=0.01, ask=0.012)
        + ticker(T0 + 1.25, CALL, bid=0.03, ask=0.031, forward=60_500.0)
        + ticker(T0 + 3.5, CALL, bid=0.05, ask=0.04)  # crossed: not used
        + f"{T0 + 4}: not a message\n"
        + ticker(T0 + 5.0, CALL, bid=None, ask=0.041, best_bid_amount=None)
    )


class TestChain:
    def test_a_moment_shows_what_had_been_received(self, chain_file):
        source = CapturedChain(chain_file)
        assert source.replays
        assert source.underlying == "BTC"
        first = source.at(T0 + 1)
        assert first.seen_at.tolist() == [
            T0 + 1,
            T0,
        ]  # the nearer expiry first; a ticker of this very moment counts
        second = source.at(T0 + 2)
        assert second.strike.tolist() == [58_000, 60_000]
        assert second.call.tolist() == [False, True]
        assert second.bid.tolist() == [0.01, 0.03]
        assert second.ask.tolist() == [0.012, 0.031]
        assert second.forward.tolist() == [60_000, 60_500]
        assert second.mark_vol.tolist() == [0.52, 0.52]
        assert second.seen_at.tolist() == [T0 + 1, T0 + 1]
        last = source.at(T0 + 5)
        assert math.isnan(last.bid[1])
        assert last.ask[1] == 0.041
        source.close()
        source.close()

    def test_asked_backwards_it_says_the_same(self, chain_file):
        source = CapturedChain(chain_file)
        forwards = [source.at(T0 + i) for i in range(1, 6)]
        for i in (5, 3, 1, 4, 2):
            again = source.at(T0 + i)
            for column in ("expiry", "strike", "bid", "ask", "forward", "seen_at"):
                assert np.array_equal(
                    getattr(again, column), getattr(forwards[i - 1], column), equal_nan=column == "bid"
                )

    def test_counts_of_the_reading(self, chain_file):
        source = CapturedChain(chain_file)
        assert source.dropped == {"crossed": 1, "malformed": 1}
        assert source.messages == 8  # the connection and the answer among them

    def test_moments(self, chain_file):
        source = CapturedChain(chain_file)
        times, now = [], 0
        while len(times) < 5:
            times.append(source.next_time(times[-1] if times else 0, now))
        assert times == [T0 + i for i in range(1, 6)]
        with pytest.raises(MarketDataError, match="the capture ends at 2024-08-09T00:00:05Z") as caught:
            source.next_time(times[-1], now)
        assert caught.value.reason is Reason.MARKET_DATA_STALE

    @pytest.mark.parametrize("away", [-5, 0, 6, 10**6])
    def test_moments_that_it_has_not(self, chain_file, away):
        with pytest.raises(
            MarketDataError, match=r"from 2024-08-09T00:00:01Z to 2024-08-09T00:00:05Z"
        ) as caught:
            CapturedChain(chain_file).at(T0 + away)
        assert caught.value.reason is Reason.MARKET_DATA_STALE

    def test_old_quotes_are_not_shown(self, write):
        path = write(ticker(T0, CALL) + ticker(T0 + 50, PUT) + ticker(T0 + 200, PUT))
        source = CapturedChain(path)
        assert len(source.at(T0 + 60)) == 2
        assert len(source.at(T0 + 61)) == 1
        with pytest.raises(MarketDataError, match="no fresh quote"):
            source.at(T0 + 150)
        assert len(source.at(T0 + 200)) == 1

    def test_the_desk_gets_its_own_quotes(self, chain_file):
        quotes = DeskView(CapturedChain(chain_file), "seed").at(T0 + 2)
        assert quotes.bid.tolist() == [0.01, 0.03]
        assert quotes.seen_at.tolist() == [T0 + 1, T0 + 1]

    def test_one_underlying_of_several(self, write):
        path = write(ticker(T0, CALL) + ticker(T0 + 1, ETHER, forward=3_000.0) + ticker(T0 + 9, CALL))
        with pytest.raises(
            MarketDataError, match=r"a capture of BTC, ETH; name one of them, as capture:FILE@BTC"
        ):
            open_captured_chain(str(path))
        with pytest.raises(MarketDataError, match="a capture of BTC, ETH"):
            open_captured_chain(f"{path}@SOL")
        source = open_source(f"capture:{path}@ETH")
        assert source.underlying == "ETH"
        assert source.next_time(0, 0) == T0 + 1
        assert source.at(T0 + 1).strike.tolist() == [3000]

    def test_files_that_hold_none(self, write):
        with pytest.raises(MarketDataError, match="no tickers of options"):
            CapturedChain(write(f'{T0}.5: {{"id":1}}\n'))
        with pytest.raises(MarketDataError, match="of Binance, which has no options"):
            CapturedChain(write(f"{T0 * 10**9} {trade().decode()}\n"))

    @pytest.mark.parametrize("detail", ["", "@BTC"])
    def test_details_that_are_none(self, detail):
        assert open_captured_chain(detail) is None

    def test_an_at_sign_in_a_path(self, chain_file, tmp_path):
        path = chain_file.rename(tmp_path / "me@home.txt")
        assert open_captured_chain(str(path)).underlying == "BTC"


@pytest.mark.skipif(
    not REAL.is_file(), reason=f"the capture is not ours to redistribute: no file {REAL} (set HEDGE_DATA)"
)
@pytest.mark.parametrize(("underlying", "options"), [("BTC", 7), ("ETH", 3)])
def test_the_real_capture(underlying, options):
    source = open_source(f"capture:{REAL}@{underlying}")
    assert source.messages == 137  # 135 notifications, an answer, and the connection
    assert not source.dropped
    time, chains = 0, []
    while True:
        try:
            time = source.next_time(time, 0)
        except MarketDataError:
            break
        chains.append(source.at(time))
    assert len(chains) == {"BTC": 32, "ETH": 30}[underlying]
    assert {len(chain) for chain in chains} == {options}
    for chain in chains:
        assert (chain.seen_at <= chain.observed_at).all()
        assert (chain.observed_at - chain.seen_at <= 20).all()
    moves = [np.log(chain.forward / chains[0].forward) for chain in chains]
    assert 0 < np.abs(moves).max() < 0.01


def flow_file(write, name, market="spot", seconds=120, start=T0, scale=1.0):
    """Three messages a second; prices that walk."""
    moves = 60_000 + normal(f"captured-{name}", seconds).cumsum() * scale
    sizes = uniform(f"captured-size-{name}", seconds)
    lines = []
    for i in range(seconds):
        at = start + i
        price, size = moves[i], f"{5 * sizes[i] + 0.01:.3f}"
        prices = {"bid": f"{price - 0.05:.2f}", "ask": f"{price + 0.05:.2f}"}
        ms = at * 1000
        lines += [
            (at * 10**9 + 1, best_quote(market, update=100 + i, **prices, bid_quantity=size, ms=ms)),
            (
                at * 10**9 + 2,
                trade(
                    market,
                    number=i,
                    price=prices["ask"],
                    quantity=size,
                    buyer_is_maker=bool(sizes[i] > 0.6),
                    ms=ms,
                ),
            ),
        ]
    return write("".join(f"{at} {message.decode()}\n" for at, message in lines), name)


def shown(features: FlowFeatures):
    return features.imbalance, features.realised_vol, features.forward


class TestFlow:
    def test_of_one_venue(self, write):
        source = CapturedFlow((flow_file(write, "a"),))
        start = source.flow(T0 + 1)
        assert start.realised_vol is None
        assert start.forward == pytest.approx(60_000, abs=10)
        end = source.flow(T0 + 120)
        assert -1 < end.imbalance < 1
        # A step of 1 a second at 60,000 is 0.094 a year.
        assert end.realised_vol == pytest.approx(math.sqrt(365 * 86_400) / 60_000, rel=0.4)
        assert source.readings[0].messages == 240
        source.close()
        source.close()

    def test_of_several_merged_by_receipt(self, write):
        paths = [
            flow_file(write, name, market) for name, market in (("a", "spot"), ("b", "usdm"), ("c", "coinm"))
        ]
        together = CapturedFlow(tuple(paths))
        alone = [CapturedFlow((path,)).flow(T0 + 100) for path in paths]
        features = together.flow(T0 + 100)
        assert features.realised_vol == pytest.approx(sorted(one.realised_vol for one in alone)[1])
        low, high = min(one.forward for one in alone), max(one.forward for one in alone)
        assert low < features.forward < high
        assert [reading.feed.market.name for reading in together.readings] == ["spot", "usdm", "coinm"]
        reordered = CapturedFlow(tuple(reversed(paths)))
        assert shown(reordered.flow(T0 + 100)) == pytest.approx(shown(features))

    def test_asked_in_any_order_it_says_the_same(self, write):
        path = flow_file(write, "a", seconds=600)
        source = CapturedFlow((path,))
        forwards = {i: source.flow(T0 + i) for i in range(1, 601, 37)}
        order = sorted(forwards, key=lambda i: (i * 211) % 601)
        assert order != sorted(order)
        for i in order:
            assert source.flow(T0 + i) == forwards[i]

    def test_no_look_ahead(self, write):
        """What comes later in the file does not change what a moment shows."""
        text = flow_file(write, "a").read_text().splitlines(keepends=True)
        whole = CapturedFlow((write("".join(text), "whole"),)).flow(T0 + 60)
        assert CapturedFlow((write("".join(text[:120]), "part"),)).flow(T0 + 60) == whole
        assert CapturedFlow((write("".join(text[:119]), "less"),)).flow(T0 + 60) != whole

    def test_reads_no_further_than_it_must(self, write, monkeypatch):
        taken = []
        window = captured.FlowWindow

        class Counting(window):
            def take(self, event):
                taken.append(event)
                super().take(event)

        monkeypatch.setattr(captured, "FlowWindow", Counting)
        source = CapturedFlow((flow_file(write, "a"),))
        source.flow(T0 + 10)
        assert len(taken) == 20
        assert sum(isinstance(event, TopOfBook) for event in taken) == 10
        source.flow(T0 + 20)
        assert len(taken) == 40

    @pytest.mark.parametrize("away", [-1000, 0, 122, 10**6])
    def test_moments_that_it_has_not(self, write, away):
        source = CapturedFlow((flow_file(write, "a"),))
        with pytest.raises(MarketDataError, match="the capture is from 2024-08-09T00:00:01Z") as caught:
            source.flow(T0 + away)
        assert caught.value.reason is Reason.MARKET_DATA_STALE
        assert source.flow(T0 + 5).forward is not None

    def test_files_one_after_the_other(self, write):
        paths = (flow_file(write, "second", start=T0 + 120), flow_file(write, "first"))
        source = CapturedFlow(paths)
        assert source.flow(T0 + 240).realised_vol is not None
        assert source.flow(T0 + 1).forward is not None

    def test_several_coins_or_one_file_twice(self, write):
        path = flow_file(write, "a")
        other = trade(s="ETHUSDT").replace(b"btcusdt", b"ethusdt").decode()
        ether = write(f"{T0 * 10**9} {other}\n", "ether")
        with pytest.raises(MarketDataError, match="several coins: BTC, ETH"):
            CapturedFlow((path, ether))
        for paths in ((path, path), (path, path.parent / "." / path.name), ()):
            with pytest.raises(MarketDataError, match="each once"):
                CapturedFlow(paths)

    def test_a_deribit_capture_is_no_flow(self, chain_file):
        with pytest.raises(MarketDataError, match="holds no best quotes"):
            CapturedFlow((chain_file,))

    def test_by_name(self, write):
        first, second = flow_file(write, "a"), flow_file(write, "b", "usdm")
        source = open_flow(f"capture:{first},{second}")
        assert isinstance(source, CapturedFlow)
        assert source.flow(T0 + 3).forward is not None
        for detail in ("", ",", f"{first},"):
            assert open_captured_flow(detail) is None
            with pytest.raises(MarketDataError, match="no order flow"):
                open_flow(f"capture:{detail}")

    def test_damage_on_the_way_is_an_error_with_its_line(self, write):
        path = flow_file(write, "a", seconds=1100)
        path.write_text(path.read_text() + "rubbish\n" + "more\n")
        source = CapturedFlow((path,))
        assert source.flow(T0 + 1099).forward is not None
        with pytest.raises(MarketDataError, match="line 2201"):
            source.flow(T0 + 1100)
