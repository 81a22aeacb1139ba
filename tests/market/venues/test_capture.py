"""Raw captures: two formats told apart, times exact, and every bad line counted or refused with its number."""

import gzip

import pytest

from mpc_party.market.errors import MarketDataError
from mpc_party.market.venues import capture as capture_module
from mpc_party.market.venues.binance_book import BookState
from mpc_party.market.venues.binance_capture import BinanceCapture
from mpc_party.market.venues.capture import Capture, CaptureFormat, RawMessage
from tests.support.venues.binance_messages import NS, best_quote, combined, depth, page, trade


def binance_lines(*messages, start=NS, step=1_000_000):
    return b"".join(b"%d %s\n" % (start + i * step, message) for i, message in enumerate(messages))


DERIBIT = (
    b"wss://www.example.com/ws/api/v2 <-> 1626993723.424371\n"
    b'wss://www.example.com/ws/api/v2 <- 1626993723.7145221: {"method":"public/subscribe"}\n'
    b'1626993723.8: {"id":0}\n'
    b'1626993724.123456789: {"a": "b: c"}\n'
    b'1626993725: {"b":1}\n'
)


@pytest.fixture
def write(tmp_path):
    def write(data, name="capture.jsonl"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


class TestForms:
    def test_binance(self, write):
        data = binance_lines(b'{"a": 1}', b"what ever")
        for path in (write(data), write(gzip.compress(data), "packed")):
            capture = Capture(path)
            assert capture.format is CaptureFormat.BINANCE
            assert capture.first_ns == NS
            expected = [RawMessage(1, NS, b'{"a": 1}'), RawMessage(2, NS + 1_000_000, b"what ever")]
            assert list(capture.messages()) == expected
            assert list(capture.messages()) == expected
            assert not capture.counts

    def test_deribit(self, write):
        capture = Capture(write(DERIBIT))
        assert capture.format is CaptureFormat.DERIBIT
        assert list(capture.messages()) == [
            RawMessage(1, 1_626_993_723_424_371_000, b""),
            RawMessage(3, 1_626_993_723_800_000_000, b'{"id":0}'),
            RawMessage(4, 1_626_993_724_123_456_789, b'{"a": "b: c"}'),
            RawMessage(5, 1_626_993_725_000_000_000, b'{"b":1}'),
        ]
        assert capture.counts == {"sent": 1}

    def test_deribit_without_its_connection(self, write):
        assert Capture(write(DERIBIT.split(b"\n", 2)[2])).format is CaptureFormat.DERIBIT

    def test_windows_line_ends_and_blank_lines(self, write):
        capture = Capture(write(b'%d {"a":1}\r\n\r\n\n%d {"b":2}\r\n' % (NS, NS)))
        assert [message.data for message in capture.messages()] == [b'{"a":1}', b'{"b":2}']
        assert capture.counts == {"blank": 2}

    def test_a_time_before_the_line_above_is_counted_and_moved_up(self, write):
        capture = Capture(write(b"%d a\n%d b\n%d c\n" % (NS + 5, NS, NS + 6)))
        assert [message.received_ns - NS for message in capture.messages()] == [5, 5, 6]
        assert capture.counts == {"time-backwards": 1}


class TestDamage:
    @pytest.mark.parametrize(
        ("data", "line", "what"),
        [
            (b"", 1, "form"),
            (b"timestamp,instrument_name\n", 1, "form"),
            (b'{"stream":"x"}\n', 1, "form"),
            (b"\x00\xff\n", 1, "form"),
            (b"wss://a <-> soon\n", 1, "no time"),
            (b"12345 {}\n", 1, "form"),
            (b"%d {}\nhello\n%d {}\n" % (NS, NS), 2, "no time"),
            (b"%d {}\n%d{}\n" % (NS, NS), 2, "no time"),
            (b"%d {}\n-%d {}\n" % (NS, NS), 2, "no time"),
            (b"%d {}\n\xd9\xa3%d {}\n" % (NS, NS), 2, "no time"),
            (b"%d {}\n%d {}\n" % (NS, NS // 1000), 2, "year"),
            (b"%d {}\n%d {}\n" % (NS, NS * 4), 2, "year"),
            (DERIBIT + b"wss://x <= 3: {}\n", 6, "no time"),
            (DERIBIT + b"soon: {}\n1626993725: {}\n", 6, "no time"),
        ],
    )
    def test_refused_with_its_number(self, write, data, line, what):
        path = write(data)
        with pytest.raises(MarketDataError, match=f"line {line}: .*{what}") as caught:
            list(Capture(path).messages())
        assert str(path) in str(caught.value)
        assert caught.value.remedy

    def test_a_last_line_cut_off_is_counted(self, write):
        capture = Capture(write(b"%d {}\n17231616" % NS))
        assert len(list(capture.messages())) == 1
        assert capture.counts == {"cut-off": 1}

    def test_a_line_of_any_length_is_not_held(self, write, monkeypatch):
        monkeypatch.setattr(capture_module, "MAX_LINE", 1000)
        fits = b"%d %s\n" % (NS, b"x" * (1000 - 21))
        assert len(fits) == 1000
        data = fits + b"%d %s\n" % (NS, b"x" * 10_000_000)
        for path in (write(data), write(gzip.compress(data), "bomb")):
            messages = Capture(path).messages()
            assert len(next(messages).data) == 979
            with pytest.raises(MarketDataError, match="line 2: longer than 1000 bytes"):
                next(messages)

    def test_too_many_lines(self, write, monkeypatch):
        monkeypatch.setattr(capture_module, "MAX_LINES", 3)
        capture = Capture(write(b"%d {}\n" % NS * 4))
        with pytest.raises(MarketDataError, match="more than 3 lines"):
            list(capture.messages())

    @pytest.mark.parametrize("damage", ["short", "flipped", "tail"])
    def test_damaged_gzip(self, write, damage):
        packed = bytearray(gzip.compress(binance_lines(*[b"%d" % (i * 7919) for i in range(5000)])))
        if damage == "short":
            del packed[-len(packed) // 2 :]
        elif damage == "flipped":
            packed[len(packed) // 2] ^= 0xFF
        else:
            packed[-6] ^= 0xFF
        with pytest.raises(MarketDataError, match=r"line \d+: (cannot be read|no time)"):
            list(Capture(write(bytes(packed))).messages())

    def test_what_is_no_file(self, tmp_path):
        with pytest.raises(MarketDataError, match="no such file"):
            Capture(tmp_path / "none")
        with pytest.raises(MarketDataError, match="cannot be read"):
            Capture(tmp_path)

    def test_nothing_but_what_was_sent(self, write):
        with pytest.raises(MarketDataError, match="holds no message"):
            Capture(write(DERIBIT.split(b"\n")[1] + b"\n"))


class TestBinanceCapture:
    def test_events_books_and_counts(self, write):
        capture = Capture(
            write(
                binance_lines(
                    best_quote(),
                    depth(first=11, last=20, bids=[["59999.00", "1"]]),
                    b"{broken",
                    page(last=15),
                    trade(),
                    trade(),
                    b"[]",
                )
            )
        )
        reading = BinanceCapture(capture)
        assert reading.symbols == ("BTCUSDT",)
        events = []
        for event in reading.events():
            events.append(event)
            assert reading.feed.books["BTCUSDT"].state is BookState.WAITING or len(events) == 2
        assert [type(event).__name__ for event in events] == ["TopOfBook", "Trade"]
        assert events[1].received_ns == NS + 4_000_000
        assert reading.messages == 7
        assert reading.malformed == [3, 7]
        assert reading.feed.dropped == {"malformed": 2, "duplicate": 1}
        assert reading.feed.books["BTCUSDT"].state is BookState.COMPLETE
        assert reading.feed.books["BTCUSDT"].book.bids()[-1] == (59999.0, 1.0)

    def test_partial_until_a_page(self, write):
        reading = BinanceCapture(
            Capture(write(binance_lines(depth(first=11, last=20, bids=[["59999.00", "1"]]))))
        )
        assert list(reading.events()) == []
        book = reading.feed.books["BTCUSDT"]
        assert book.state is BookState.PARTIAL
        assert book.book.bids() == ((59999.0, 1.0),)

    @pytest.mark.parametrize("market", ["spot", "usdm", "coinm"])
    @pytest.mark.parametrize("kind", [best_quote, trade, depth])
    def test_every_kind_of_message_tells_its_market(self, write, market, kind):
        message = kind(market, first=1, last=2) if kind is depth else kind(market)
        reading = BinanceCapture(Capture(write(binance_lines(b"{}", message))))
        assert reading.feed.market.name == market

    def test_a_page_between_two_symbols_is_nobodys(self, write):
        other = combined("ethusdt@trade", {"s": "ETHUSDT"})
        reading = BinanceCapture(
            Capture(write(binance_lines(other, depth(first=11, last=20), page(last=15))))
        )
        list(reading.events())
        assert reading.symbols == ("ETHUSDT", "BTCUSDT")
        assert reading.feed.dropped == {"malformed": 1, "page-refused": 1}

    @pytest.mark.parametrize(
        "data",
        [
            DERIBIT,
            binance_lines(b"{}"),
            binance_lines(combined("btcusdt@kline_1m", {})),
            binance_lines(b"[" * 10**6),
        ],
    )
    def test_what_holds_none(self, write, data):
        with pytest.raises(MarketDataError, match="holds no best quotes"):
            BinanceCapture(Capture(write(data)))
