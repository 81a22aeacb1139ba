"""Options by name, as people write them: `BTC-28MAR27-90000-C` and the words of the contract.

A day alone means 08:00 UTC, when options expire at the venues whose names these are; any other time stands in full, as in
`BTC-20270328T1200-90000.5-P`. Both ways are exact: a strike has up to eight decimals.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import one_line
from mpc_party.protocol.words import InstrumentFields

EXPIRY_HOUR: Final = 8
_STRIKE_UNIT: Final = 10**8
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAME: Final = re.compile(
    r"([A-Z0-9]{1,12})-(?:(\d{1,2})([A-Z]{3})(\d{2})|(\d{8}T\d{4}(?:\d{2})?))-(\d{1,20})(?:\.(\d{1,8}))?-([CP])",
    re.ASCII,
)


def parse_instrument(name: str) -> InstrumentFields:
    """Read a name.

    Raises:
        ConfigError: it is none.
    """
    match = _NAME.fullmatch(name)
    expiry = None if match is None else _expiry(match[2], match[3], match[4], match[5])
    if match is None or expiry is None:
        raise ConfigError(
            f"{one_line(name, 60)!a} is no option's name", remedy="write it as BTC-28MAR27-90000-C"
        )
    strike = int(match[6]) * _STRIKE_UNIT + int((match[7] or "").ljust(8, "0"))
    if not strike:
        raise ConfigError(f"{name!a} has no strike")
    return InstrumentFields(match[1], match[8] == "C", expiry, strike)


def instrument_name(fields: InstrumentFields) -> str:
    """The name of an option."""
    strike = format(Decimal(fields.strike) / _STRIKE_UNIT, "f")
    if "." in strike:
        strike = strike.rstrip("0").rstrip(".")
    return f"{fields.underlying}-{_shown(fields.expiry)}-{strike}-{'C' if fields.call else 'P'}"


def _shown(expiry: int) -> str:
    try:
        when = datetime.fromtimestamp(expiry, UTC)
    except (ValueError, OverflowError, OSError):
        return f"@{expiry}"  # beyond the calendar: five bytes of seconds reach the year 36,812
    if (when.hour, when.minute, when.second) == (EXPIRY_HOUR, 0, 0) and 2000 <= when.year < 2100:
        return f"{when.day}{_MONTHS[when.month - 1]}{when.year % 100:02d}"
    return when.strftime("%Y%m%dT%H%M%S" if when.second else "%Y%m%dT%H%M")


def _expiry(day: str | None, month: str | None, year: str | None, full: str | None) -> int | None:
    try:
        if full is not None:
            layout = "%Y%m%dT%H%M%S" if len(full) == len("20270328T120000") else "%Y%m%dT%H%M"
            return int(datetime.strptime(full, layout).replace(tzinfo=UTC).timestamp())
        if day is None or month is None or year is None:
            return None
        at = datetime(2000 + int(year), _MONTHS.index(month) + 1, int(day), EXPIRY_HOUR, tzinfo=UTC)
        return int(at.timestamp())
    except ValueError:
        return None
