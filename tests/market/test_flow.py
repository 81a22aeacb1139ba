"""Order flow of a window: the definition by hand, its bounds, its edges in time, and bounded memory."""

import math
import pickle  # noqa: TID251 - to show that it is refused

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.market.errors import MarketDataError
from mpc_party.market.flow import MAX_FEEDS, SLACK, FlowFeatures, FlowWindow, flow_row
from mpc_party.market.streams import normal
from mpc_party.market.venues.events import TopOfBook, Trade
from mpc_party.protocol.errors import Reason

T0 = 1_723_161_600
NS = 1_000_000_000


def top(at, bid, bid_amount, ask, ask_amount, venue="v", instrument="X"):
    return TopOfBook(
        venue=venue,
        instrument=instrument,
        venue_ms=0,
        received_ns=round(at * NS),
        bid=bid,
        ask=ask,
        bid_amount=bid_amount,
        ask_amount=ask_amount,
    )


def trade(at, price, amount, *, buy, venue="v"):
    return Trade(
        venue=venue,
        instrument="X",
        venue_ms=0,
        received_ns=round(at * NS),
        trade_id="1",
        price=price,
        amount=amount,
        buyer_initiated=buy,
    )


def window_of(*events, seconds=300):
    window = FlowWindow(seconds)
    for event in events:
        window.take(event)
    return window


def mids(prices, at=T0, venue="v", every=1.0):
    """Best quotes a tick around each price, `every` seconds apart."""
    return [top(at + i * every, p - 0.05, 1.0, p + 0.05, 1.0, venue) for i, p in enumerate(prices)]


class TestImbalance:
    # e_n of Cont, Kukanov and Stoikov, from (100, 5 | 101, 7), by hand, case by case of both sides.
    @pytest.mark.parametrize(
        ("bid", "bid_amount", "ask", "ask_amount", "expected"),
        [
            (100, 8, 101, 7, 3.0),  # the bid's queue grows
            (100, 2, 101, 7, -3.0),  # it shrinks
            (100.5, 4, 101, 7, 4.0),  # the bid goes up: all of the new queue
            (99.5, 9, 101, 7, -5.0),  # it goes down: all of the old one is gone
            (100, 5, 101, 9, -2.0),  # the ask's queue grows
            (100, 5, 101.5, 2, 7.0),  # the ask goes up: all of the old queue is gone
            (100, 5, 100.5, 2, -2.0),  # it goes down: all of the new queue
            (100.5, 4, 101.5, 2, 11.0),  # both up
            (99, 4, 100, 2, -7.0),  # both down
            (100, 5, 101, 7, 0.0),
        ],
    )
    def test_one_update_of_the_best_quotes(self, bid, bid_amount, ask, ask_amount, expected):
        first, second = top(T0, 100, 5, 101, 7), top(T0 + 1, bid, bid_amount, ask, ask_amount)
        # A known update of 20 makes the ratio show the size.
        known = top(T0 + 2, bid, bid_amount + 20, ask, ask_amount)
        features = window_of(first, second, known).features(T0 + 3)
        assert features.imbalance == pytest.approx((20 + expected) / (20 + abs(expected)))

    def test_trades_alone(self):
        features = window_of(
            trade(T0, 100, 3, buy=True), trade(T0, 104, 1, buy=False), trade(T0 + 1, 100, 1, buy=True)
        ).features(T0 + 2)
        assert features.imbalance == pytest.approx(3 / 5)
        assert features.forward == pytest.approx((300 + 104 + 100) / 5)
        assert features.realised_vol is None

    def test_quotes_and_trades_have_a_half_each(self):
        events = [top(T0, 100, 5, 101, 7), top(T0, 100, 1005, 101, 7), trade(T0, 100, 0.1, buy=False)]
        assert window_of(*events).features(T0 + 1).imbalance == pytest.approx(0.0)

    def test_venues_count_by_their_amounts(self):
        events = [
            trade(T0, 100, 3, buy=True, venue="a"),
            trade(T0, 200, 1, buy=False, venue="b"),
            *[top(T0, 100, 5, 101, 5, venue) for venue in "ab"],
            top(T0, 100, 8, 101, 5, "a"),
            top(T0, 100, 4, 101, 5, "b"),
        ]
        features = window_of(*events).features(T0 + 1)
        assert features.imbalance == pytest.approx((2 / 4 + 2 / 4) / 2)
        assert features.forward == pytest.approx(125)

    def test_one_venue_is_not_compared_with_another_or_another_instrument(self):
        events = [top(T0, 100, 5, 101, 7, "a"), top(T0, 200, 5, 201, 7, "b"), top(T0, 50, 5, 51, 7, "a", "Y")]
        assert window_of(*events).features(T0 + 1).imbalance == 0.0

    def test_nothing_is_made_of_a_silence(self):
        # After ten seconds without a quote, what lies between is not known to be one update.
        for pause, expected in ((10, 1.0), (10.1, 0.0)):
            window = window_of(top(T0, 100, 5, 101, 7), top(T0 + pause, 102, 5, 103, 7))
            assert window.features(T0 + 20).imbalance == expected

    @given(
        st.lists(
            st.tuples(
                st.floats(0, 200),
                st.booleans(),
                st.integers(1, 50),
                st.floats(1e-9, 1e9),
                st.floats(1e-9, 1e9),
            ),
            max_size=60,
        )
    )
    def test_bounds_and_symmetry(self, drawn):
        """Whatever comes, the imbalance is within its bounds; with the sides exchanged, it changes its sign."""
        window, mirror = FlowWindow(), FlowWindow()
        for at, is_trade, price, amount, other in sorted(drawn):
            if is_trade:
                window.take(trade(T0 + at, price, amount, buy=other > amount))
                mirror.take(trade(T0 + at, price, amount, buy=not other > amount))
            else:
                window.take(top(T0 + at, price, amount, price + 1, other))
                mirror.take(top(T0 + at, 100 - price - 1, other, 100 - price, amount))
        features = window.features(T0 + 201)
        assert -1.0 <= features.imbalance <= 1.0
        assert mirror.features(T0 + 201).imbalance == pytest.approx(-features.imbalance, abs=1e-6)
        assert features.realised_vol is None or features.realised_vol > 0


def by_the_definition(events, observed_at, seconds):
    """Imbalance and forward of the events of a window, one after the other."""
    inside = [e for e in events if observed_at - seconds <= e.received_ns // NS < observed_at]
    pressures, last = [], {}
    for event in sorted((e for e in events if isinstance(e, TopOfBook)), key=lambda e: e.received_ns):
        before = last.get(event.venue)
        last[event.venue] = event
        if before is None or event.received_ns - before.received_ns > 10 * NS or event not in inside:
            continue
        pressures.append(
            event.bid_amount * (event.bid >= before.bid)
            - before.bid_amount * (event.bid <= before.bid)
            - event.ask_amount * (event.ask <= before.ask)
            + before.ask_amount * (event.ask >= before.ask)
        )
    trades = [e for e in inside if isinstance(e, Trade)]
    ratios = []
    if sum(map(abs, pressures)) > 0:
        ratios.append(sum(pressures) / sum(map(abs, pressures)))
    volume = sum(e.amount for e in trades)
    if volume > 0:
        ratios.append(sum(e.amount if e.buyer_initiated else -e.amount for e in trades) / volume)
    forward = sum(e.amount * e.price for e in trades) / volume if volume > 0 else None
    return (sum(ratios) / len(ratios) if ratios else 0.0), forward


@given(st.data())
def test_the_window_is_the_definition(data):
    """By the second and in a ring, or one by one over everything: the same, at every moment on the way."""
    window, events, now = FlowWindow(70), [], float(T0)
    for _ in range(data.draw(st.integers(1, 40))):
        now += data.draw(st.sampled_from([0.0, 0.3, 1.0, 4.0, 10.0, 11.0, 60.0, 200.0]))
        venue, amount = data.draw(st.sampled_from("ab")), float(data.draw(st.integers(1, 9)))
        price = float(data.draw(st.integers(95, 105)))
        if data.draw(st.booleans()):
            events.append(trade(now, price, amount, buy=data.draw(st.booleans()), venue=venue))
        else:
            events.append(top(now, price, amount, price + 1, float(data.draw(st.integers(1, 9))), venue))
        window.take(events[-1])
        asked = int(now) + data.draw(st.integers(-SLACK, 5))
        features = window.features(asked)
        imbalance, forward = by_the_definition(events, asked, 70)
        assert features.imbalance == pytest.approx(imbalance, abs=1e-9)
        assert features.forward == (None if forward is None else pytest.approx(forward))


class TestRealisedVol:
    def test_of_a_path_with_a_known_one(self):
        steps = normal("flow-7", 3600) * 0.6 / math.sqrt(365 * 86_400)
        window = FlowWindow(3600)
        for event in mids(60_000 * np.exp(np.cumsum(steps))):
            window.take(event)
        realised = window.features(T0 + 3600).realised_vol
        assert realised == pytest.approx(0.6, rel=0.1)

    def test_is_the_definition(self):
        prices = 100 + normal("flow-1", 300).cumsum() / 10
        returns = np.log(prices[5:] / prices[:-5])
        expected = math.sqrt((returns**2).mean() / 5 * 365 * 86_400)
        assert window_of(*mids(prices)).features(T0 + 300).realised_vol == pytest.approx(expected, rel=1e-9)

    def test_noise_between_bid_and_ask_counts_a_fifth(self):
        # A mid that only bounces by 1e-4 has 2e-8 of squared return at any sampling: slower is nearer to the truth, 0.
        prices = 100 * np.exp(1e-4 * np.sign(normal("flow-2", 300)) / 2)
        realised = window_of(*mids(prices)).features(T0 + 300).realised_vol
        fast = math.sqrt((np.diff(np.log(prices)) ** 2).mean() * 365 * 86_400)
        assert realised == pytest.approx(fast / math.sqrt(5), rel=0.15)

    def test_the_last_quote_of_a_second_counts_and_stands_until_the_next(self):
        prices = 100 + normal("flow-3", 150).cumsum() / 10
        sparse = mids(prices, every=2.0)
        early = [
            top(T0 + 2 * i - 0.5, 1.0, 1, 2.0, 1) for i in range(1, 150)
        ]  # overruled half a second later
        events = sorted([*sparse, *early], key=lambda event: event.received_ns)
        moved = [top(event.received_ns / NS + 0.9, event.bid, 1, event.ask, 1) for event in sparse]
        assert (
            window_of(*sparse).features(T0 + 300).realised_vol
            == window_of(*moved).features(T0 + 300).realised_vol
        )
        assert window_of(*events).features(T0 + 300).realised_vol > 10

    def test_the_median_of_three_venues(self):
        alone = {}
        events = []
        for venue, scale in (("a", 1.0), ("b", 1.5), ("c", 50.0)):
            prices = 1000 + normal(f"flow-{venue}", 300).cumsum() * scale / 10
            alone[venue] = window_of(*mids(prices, venue=venue)).features(T0 + 300).realised_vol
            events += mids(prices, venue=venue)
        assert window_of(*events).features(T0 + 300).realised_vol == alone["b"]
        assert alone["c"] > 5 * alone["b"]

    def test_too_little_is_none(self):
        prices = [100 + i % 3 for i in range(300)]
        assert window_of(*mids(prices[:65])).features(T0 + 65).realised_vol is not None
        assert window_of(*mids(prices[:64])).features(T0 + 64).realised_vol is None
        # A feed that died long ago says nothing of the present, and one that never moves is none.
        assert window_of(*mids(prices)).features(T0 + 300 + 260).realised_vol is None
        assert window_of(*mids([100.0] * 300)).features(T0 + 300).realised_vol is None


class TestTime:
    def test_the_window_is_half_open(self):
        window = window_of(trade(T0, 100, 1, buy=True))
        assert window.features(T0).forward is None
        assert window.features(T0 + 1).forward == 100
        window.take(trade(T0 + 300 - 1e-6, 200, 1, buy=True))
        assert window.features(T0 + 300).forward == 150
        assert window.features(T0 + 301).forward == 200
        assert window.features(T0 + 600).forward is None

    def test_an_earlier_moment_is_as_it_was(self):
        window = FlowWindow()
        prices = 100 + normal("flow-5", 400).cumsum() / 10
        seen = {}
        for i, event in enumerate(mids(prices)):
            window.take(event)
            window.take(trade(T0 + i, float(prices[i]), 1 + i % 7, buy=i % 3 > 0))
            seen[T0 + i + 1] = window.features(T0 + i + 1)
        last = T0 + 399
        for moment in range(last - SLACK, last + 1):
            assert window.features(moment) == seen[moment]
        with pytest.raises(MarketDataError, match="no longer held") as caught:
            window.features(last - SLACK - 1)
        assert caught.value.reason is Reason.MARKET_DATA_STALE

    def test_late_events_are_used_while_held_and_counted_beyond(self):
        window = window_of(trade(T0 + 1000, 100, 1, buy=True), trade(T0 + 990, 200, 1, buy=True))
        assert window.features(T0 + 1001).forward == 150
        assert not window.dropped
        window.take(trade(T0 + 1000 - 371, 300, 1, buy=True))
        assert window.dropped == {"late": 1}
        assert window.features(T0 + 1001).forward == 150

    def test_a_jump_of_the_clock_leaves_nothing_old(self):
        window = window_of(*mids([100 + i % 2 for i in range(300)]), trade(T0, 1, 1, buy=True))
        window.take(trade(T0 + 10**9, 500, 1, buy=False))
        assert window.features(T0 + 10**9 + 1) == FlowFeatures(-1.0, None, 500)

    def test_nothing_yet(self):
        assert FlowWindow().features(T0) == FlowFeatures(0.0, None, None)


class TestWhatIsNotUsed:
    @pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, 1e300])
    def test_numbers(self, bad):
        window = window_of(top(T0, 100, 5, 101, 7), trade(T0, 100, 1, buy=True))
        before = window.features(T0 + 1)
        for i in range(4):
            numbers = [100.0, 5.0, 101.0, 7.0]
            numbers[i] = bad
            window.take(top(T0, *numbers))
        window.take(trade(T0, bad, 1, buy=True))
        window.take(trade(T0, 100, bad, buy=True))
        assert window.dropped == {"out-of-range": 6}
        assert window.features(T0 + 1) == before

    def test_feeds_beyond_the_limit(self):
        window = window_of(*[top(T0, 100, 5, 101, 7, f"v{i}") for i in range(MAX_FEEDS + 3)])
        assert window.dropped == {"too-many-feeds": 3}

    def test_memory_does_not_grow(self):
        window = FlowWindow()
        for i in range(5000):
            window.take(trade(T0 + i * 1.7, 100, 1, buy=True))
            window.take(top(T0 + i * 1.7, 100, 1, 101, 1))
        assert all(len(column) == 371 for column in window._sums)
        assert [len(feed.mids) for feed in window._feeds.values()] == [371]

    @pytest.mark.parametrize("seconds", [0, 64, -300, 86_401])
    def test_windows_of_no_use(self, seconds):
        with pytest.raises(ValueError, match="window"):
            FlowWindow(seconds)


class TestFeatures:
    def test_show_nothing_and_do_not_travel(self):
        features = FlowFeatures(0.25, 0.5, 61_000.0)
        assert repr(features) == str(features) == f"{features}" == "<FlowFeatures>"
        assert repr(FlowWindow()) == "<FlowWindow>"
        with pytest.raises(TypeError):
            pickle.dumps(features)

    @pytest.mark.parametrize(
        "values",
        [
            (1.1, None, None),
            (math.nan, None, None),
            (0, 0.0, None),
            (0, math.nan, None),
            (0, 1.0, -1.0),
            (0, 1, math.inf),
        ],
    )
    def test_refuse_what_is_none(self, values):
        with pytest.raises(ValueError, match=r"imbalance|positive"):
            FlowFeatures(*values)

    def test_the_row(self):
        row = flow_row(FlowFeatures(-0.3, 0.6, 60_300.0), 0.5, 60_000.0)
        assert row.tolist() == pytest.approx([-0.3, math.log(1.2), 100 * math.log(1.005)])
        assert row.shape == (3,)
        assert row.dtype == np.float64
        assert flow_row(FlowFeatures(), 0.5, 60_000.0).tolist() == [0.0, 0.0, 0.0]

    @given(
        st.floats(-1, 1),
        st.floats(1e-300, 1e300),
        st.floats(1e-300, 1e300),
        st.floats(1e-9, 1e9),
        st.floats(1e-9, 1e9),
    )
    def test_the_row_is_within_one(self, imbalance, vol, forward, reference_vol, reference):
        row = flow_row(FlowFeatures(imbalance, vol, forward), reference_vol, reference)
        assert (np.abs(row) <= 1).all()

    @pytest.mark.parametrize(
        "references", [(0.0, 1.0), (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf), (-1.0, 1.0)]
    )
    def test_references_that_are_none(self, references):
        with pytest.raises(ValueError, match="references"):
            flow_row(FlowFeatures(), *references)
