"""Units of the venues, in one place: what each one sends, what this project keeps, and the ranges that numbers have.

| Venue | number | sent as | kept as |
| --- | --- | --- | --- |
| Deribit, coin-settled options | price, best bid and ask | coin per coin of the forward's underlying | the same |
| Deribit, options | mark_iv, bid_iv, ask_iv, iv of a trade | percent a year | annual fraction |
| Deribit, options | amount | coin (one contract is one coin) | coin |
| Deribit, options | underlying_price, index_price | USD per coin | the same, the quote currency |
| Deribit, inverse perpetual and futures | price | USD per coin | the same |
| Deribit, inverse perpetual and futures | amount | USD | coin, at the price traded or quoted |
| Deribit, options | no bid or no ask | price 0 or null | NaN |
| Binance spot and USDT-margined futures | price | USDT per coin, decimal text | number, USDT taken as USD |
| Binance spot and USDT-margined futures | quantity | coin, decimal text | coin |
| Binance coin-margined BTC contracts | quantity | contracts of 100 USD, decimal text | coin, at the price |
| both | time of an event | Unix milliseconds | the same |

A USDT price taken as a USD price is off by what the tether is off, mostly a few basis points: a desk that wants better
gives its feed a USD index. What has no number in its range is dropped by the parser and counted, never clipped.
"""

import math
import re

HIGHEST_PRICE = 1e9  # in the quote currency
HIGHEST_OPTION_PRICE = 100.0  # in coin: a put is worth at most strike / forward
HIGHEST_VOL = 20.0  # annual fraction
HIGHEST_AMOUNT = 1e12  # in any unit
HIGHEST_ID = 2**63 - 1
FIRST_MS, LAST_MS = 1_230_768_000_000, 4_102_444_800_000  # 2009-01-01 to 2100-01-01
BINANCE_COIN_CONTRACT_USD = 100.0  # of the BTC contracts; those of other coins have 10
MAX_DECIMAL = 40  # characters of a number sent as text

_DECIMAL = re.compile(r"\d{1,20}(?:\.\d{1,18})?", re.ASCII)


def percent_to_fraction(percent: float) -> float:
    """53.2 -> 0.532."""
    return percent / 100.0


def usd_to_coin(amount: float, price: float) -> float:
    """An amount in USD, in coin at `price` USD per coin (positive)."""
    return amount / price


def contracts_to_coin(contracts: float, contract_usd: float, price: float) -> float:
    """An amount in contracts of `contract_usd` USD each, in coin at `price` USD per coin (positive)."""
    return contracts * contract_usd / price


def coin_to_quote(option_price: float, forward: float) -> float:
    """An option's price in coin, in the quote currency at the forward of its expiry."""
    return option_price * forward


def quote_to_coin(option_price: float, forward: float) -> float:
    """An option's price in the quote currency, in coin at the forward of its expiry (positive)."""
    return option_price / forward


def decimal(text: str) -> float:
    """A plain, non-negative decimal number: digits and at most one point.

    Raises:
        ValueError: anything else, such as a sign, an exponent, `nan`, other scripts' digits, or too long.
    """
    if len(text) > MAX_DECIMAL or _DECIMAL.fullmatch(text) is None:
        raise ValueError("not a decimal number")
    return float(text)


def is_price(value: float) -> bool:
    """Whether this is a price in the quote currency: above 0, at most 1e9. False for NaN."""
    return 0.0 < value <= HIGHEST_PRICE


def is_amount(value: float) -> bool:
    """Whether this is an amount of something traded or quoted: above 0, at most 1e12. False for NaN."""
    return 0.0 < value <= HIGHEST_AMOUNT


def is_vol(value: float) -> bool:
    """Whether this is a vol as an annual fraction: above 0, at most 20. False for NaN."""
    return 0.0 < value <= HIGHEST_VOL


def is_time(milliseconds: int) -> bool:
    """Whether this is a time of this century in Unix milliseconds, and not in seconds or microseconds."""
    return FIRST_MS <= milliseconds < LAST_MS


def option_quote(price: float | None, amount: float | None) -> tuple[float, float]:
    """One side of an option's quote as a venue has it: price in coin and amount; (NaN, 0) where there is none.

    Raises:
        ValueError: a price or an amount that no quote has.
    """
    if price is None or price == 0.0:
        return math.nan, 0.0
    if amount is None or not (0.0 < price <= HIGHEST_OPTION_PRICE and is_amount(amount)):
        raise ValueError("a quote with a price or an amount out of range")
    return price, amount
