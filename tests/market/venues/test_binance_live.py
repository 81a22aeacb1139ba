"""Live order flow from several connections: one that does not end does not keep the others."""

import pytest

from mpc_party.market.errors import MarketDataError
from mpc_party.market.venues.binance_live import BinanceFlow, parse_endpoints


def test_a_connection_that_does_not_end_does_not_keep_the_others(monkeypatch):
    nobody = "ws://127.0.0.1:1"  # refused at once
    flow = BinanceFlow(parse_endpoints(f"spot/BTCUSDT@{nobody},usdm/BTCUSDT@{nobody}"))
    first, second = flow._connections

    def stuck():
        raise MarketDataError("does not end", remedy="end the program")

    with monkeypatch.context() as patch:
        for connection in (first, second):
            patch.setattr(connection, "close", _then(connection.close, stuck))
        with pytest.raises(MarketDataError, match="does not end"):
            flow.close()
    assert not first._thread.is_alive()
    assert not second._thread.is_alive()


def _then(first, second):
    def both():
        first()
        second()

    return both
