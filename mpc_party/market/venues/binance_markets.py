"""Binance's three markets: where each one is on the wire, and how its quantities become coin."""

import re
from typing import Final, NamedTuple

from mpc_party.market.venues.conventions import BINANCE_COIN_CONTRACT_USD, contracts_to_coin

_SYMBOL = re.compile(r"[A-Z0-9]{2,20}(?:_[A-Z0-9]{1,10})?", re.ASCII)
_COIN = re.compile(r"([A-Z0-9]+?)(?:USDT|USDC|FDUSD|TUSD|BUSD|USD)(?:_[A-Z0-9]+)?", re.ASCII)
_OTHER_CONTRACT_USD: Final = 10.0  # of every coin's contracts but bitcoin's


class Market(NamedTuple):
    """One market.

    Attributes:
        name: as it stands in specifications: `spot`, `usdm`, `coinm`.
        venue: as it stands in events.
        stream_base: WebSocket address, without the path.
        page_base: HTTPS address of the REST side, without the path.
        page_path: of a book's page.
        chained: whether depth messages name the one before (`pu`), as futures' do.
        in_contracts: whether quantities are contracts of a fixed number of USD.
    """

    name: str
    venue: str
    stream_base: str
    page_base: str
    page_path: str
    chained: bool
    in_contracts: bool

    def coin(self, symbol: str, quantity: float, price: float) -> float:
        """A quantity of this market in coin, at a positive price."""
        if not self.in_contracts:
            return quantity
        usd = BINANCE_COIN_CONTRACT_USD if symbol.startswith("BTCUSD_") else _OTHER_CONTRACT_USD
        return contracts_to_coin(quantity, usd, price)


MARKETS: Final = {
    market.name: market
    for market in (
        Market(
            "spot", "binance-spot", "wss://stream.binance.com:9443", "https://api.binance.com", "/api/v3/depth",
            chained=False, in_contracts=False,
        ),
        Market(
            "usdm", "binance-usdm", "wss://fstream.binance.com", "https://fapi.binance.com", "/fapi/v1/depth",
            chained=True, in_contracts=False,
        ),
        Market(
            "coinm", "binance-coinm", "wss://dstream.binance.com", "https://dapi.binance.com", "/dapi/v1/depth",
            chained=True, in_contracts=True,
        ),
    )
}  # fmt: skip


def is_symbol(text: str) -> bool:
    """Whether this can be a symbol: `BTCUSDT`, `BTCUSD_PERP`, `BTCUSD_261225`."""
    return _SYMBOL.fullmatch(text) is not None


def coin_of(symbol: str) -> str:
    """The coin that a symbol is of, where its quote currency is a dollar of some kind; the symbol itself elsewhere."""
    match = _COIN.fullmatch(symbol)
    return symbol if match is None else match[1]
