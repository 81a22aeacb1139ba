"""A recorded option chain: CSV, plain or gzipped, many moments of one venue's whole chain in one file.

Columns: timestamp (`2026-01-01T09:18:35Z`), instrument_name (`BTC-3JAN26-88000-C`; expires at 08:00 UTC),
futures_price, bid_price, ask_price (coin; empty where there is none), implied_volatility (a fraction). Further
columns are ignored. A row that breaks the format, or says something of the same option and moment again, refuses the file,
naming its line: a recording is either right or not to be used. A row whose numbers no option can have (a vol or a price that is negative, infinite or absurd) is
dropped and counted, as it would be from a live feed.
"""

import csv
import gzip
import re
import zlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.errors import MarketDataError
from mpc_party.protocol.errors import Reason

COLUMNS = (
    "timestamp", "instrument_name", "futures_price", "bid_price", "ask_price", "implied_volatility",
)  # fmt: skip
EXPIRY_HOUR = 8  # the venue's options expire at 08:00 UTC
MAX_LINES = 5_000_000
MAX_LINE = 4096
HIGHEST_PRICE = 1e9
HIGHEST_VOL = 20.0
_NAME = re.compile(r"([A-Z0-9]{1,11})-(\d{1,2})([A-Z]{3})(\d{2})-(\d{1,9}(?:\.\d{1,8})?)-([CP])", re.ASCII)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), start=1
    )
}


class InstrumentName(NamedTuple):
    """What a venue's instrument name says: underlying, expiry in Unix seconds, strike, call."""

    underlying: str
    expiry: int
    strike: float
    call: bool


class _Row(NamedTuple):
    expiry: int
    strike: float
    call: bool
    forward: float
    bid: float
    ask: float
    mark_vol: float


def parse_instrument_name(name: str) -> InstrumentName:
    """Read `BTC-3JAN26-88000-C`.

    Raises:
        ValueError: not such a name.
    """
    match = _NAME.fullmatch(name)
    if match is None or match[3] not in _MONTHS:
        raise ValueError(f"not an option's name: {name[:40]!r}")
    day, month, year = int(match[2]), _MONTHS[match[3]], 2000 + int(match[4])
    expiry = datetime(year, month, day, EXPIRY_HOUR, tzinfo=UTC)
    strike = float(match[5])
    if strike <= 0:
        raise ValueError(f"strike of {name!r} is not positive")
    return InstrumentName(match[1], int(expiry.timestamp()), strike, match[6] == "C")


def file_named(text: str) -> Path:
    """The file that a source's name gives, where `~` stands for a user's folder.

    Raises:
        MarketDataError: CONFIG_INVALID: there is no such user, or the text is no path.
    """
    try:
        if "\0" not in text:
            return Path(text).expanduser()
    except RuntimeError:
        pass
    raise MarketDataError(
        f"no file can be named {text[:80]!a}", reason=Reason.CONFIG_INVALID, remedy="give its whole path"
    )


class RecordedChain:
    """A recording, held in memory by moment.

    Attributes:
        times: the moments, ascending, Unix seconds.
        dropped: rows left out because their numbers are out of range.
    """

    replays = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._moments: dict[int, list[_Row]] = defaultdict(list)
        self._underlying = ""
        self.dropped = 0
        try:
            self._read()
        except FileNotFoundError:
            raise MarketDataError(
                f"{path}: no such file", remedy="give the path of a recorded chain"
            ) from None
        except (OSError, EOFError, zlib.error) as error:
            raise MarketDataError(
                f"{path}: cannot be read ({error})", remedy="fetch the recording again"
            ) from None
        except UnicodeDecodeError:
            raise MarketDataError(f"{path}: not UTF-8 text", remedy="give a CSV file, plain or .gz") from None
        if not self._moments:
            raise MarketDataError(f"{path}: holds no options", remedy="give the path of a recorded chain")
        self.times = tuple(sorted(self._moments))

    @property
    def underlying(self) -> str:
        """The one underlying that the recording is of."""
        return self._underlying

    def next_time(self, after: int, now: int) -> int:  # noqa: ARG002 - a recording has a clock of its own
        """The first recorded moment later than `after`."""
        index = bisect_right(self.times, after)
        if index == len(self.times):
            raise MarketDataError(
                f"{self._path}: the recording ends at {datetime.fromtimestamp(self.times[-1], UTC):%Y-%m-%dT%H:%M:%SZ}",
                reason=Reason.MARKET_DATA_STALE,
                remedy="replay from an earlier moment",
            )
        return self.times[index]

    def at(self, observed_at: int) -> ChainSnapshot:
        """The chain at a recorded moment."""
        rows = self._moments.get(observed_at)
        if rows is None:
            raise MarketDataError(
                f"{self._path}: no moment {observed_at} in the recording",
                reason=Reason.MARKET_DATA_STALE,
                remedy="all parties and the coordinator must replay the same hours",
            )
        rows = sorted(rows)
        columns = list(zip(*rows, strict=True))
        return ChainSnapshot(
            observed_at,
            self._underlying,
            np.array(columns[0], dtype=np.int64),
            np.array(columns[1], dtype=np.float64),
            np.array(columns[2], dtype=np.bool_),
            np.array(columns[3], dtype=np.float64),
            np.array(columns[4], dtype=np.float64),
            np.array(columns[5], dtype=np.float64),
            np.array(columns[6], dtype=np.float64),
        )

    def _read(self) -> None:
        times: dict[str, int] = {}
        names: dict[str, InstrumentName] = {}
        seen: set[tuple[int, InstrumentName]] = set()
        for line, fields in self._lines():
            stamp, name, forward, bid, ask, vol = fields
            try:
                if stamp not in times:
                    times[stamp] = _unix_seconds(stamp)
                if name not in names:
                    names[name] = parse_instrument_name(name)
                numbers = (_number(forward), _number(bid), _number(ask), _number(vol))
            except ValueError as error:
                raise MarketDataError(
                    f"{self._path}: line {line}: {error}", remedy="fetch the recording again"
                ) from None
            option, moment = names[name], times[stamp]
            self._underlying = self._underlying or option.underlying
            if option.underlying != self._underlying:
                raise MarketDataError(
                    f"{self._path}: line {line}: {option.underlying} in a recording of {self._underlying}",
                    remedy="keep one underlying to a file",
                )
            if (moment, option) in seen:
                raise MarketDataError(
                    f"{self._path}: line {line}: {name} stands twice in the same moment",
                    remedy="fetch the recording again",
                )
            seen.add((moment, option))
            if option.expiry <= moment or not _plausible(*numbers):
                self.dropped += 1
                continue
            self._moments[moment].append(_Row(option.expiry, option.strike, option.call, *numbers))

    def _lines(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Line number and the fields of `COLUMNS`, row by row."""
        with (
            gzip.open(self._path, "rt", encoding="utf-8", newline="")
            if self._path.suffix == ".gz"
            else self._path.open(encoding="utf-8", newline="")
        ) as file:
            reader = csv.reader(self._bounded(file), strict=True)
            try:
                header = next(reader, [])
                missing = [column for column in COLUMNS if column not in header]
                if missing:
                    raise MarketDataError(
                        f"{self._path}: column {missing[0]!r} is missing",
                        remedy="give a recorded option chain",
                    )
                columns = itemgetter(*(header.index(column) for column in COLUMNS))
                for row in reader:
                    if len(row) != len(header):
                        raise MarketDataError(
                            f"{self._path}: line {reader.line_num}: {len(row)} fields, {len(header)} expected",
                            remedy="fetch the recording again",
                        )
                    yield reader.line_num, columns(row)
            except csv.Error as error:
                raise MarketDataError(
                    f"{self._path}: line {reader.line_num}: not CSV ({error})",
                    remedy="give a CSV file, plain or .gz",
                ) from None

    def _bounded(self, file: IO[str]) -> Iterator[str]:
        """The file's lines, never holding more than a line's allowance: a .gz may unpack to anything."""
        number = 0
        while line := file.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE and not line.endswith("\n"):
                raise MarketDataError(
                    f"{self._path}: line {number} is longer than {MAX_LINE} characters",
                    remedy="give a CSV file, plain or .gz",
                )
            if number > MAX_LINES:
                raise MarketDataError(
                    f"{self._path}: more than {MAX_LINES} lines", remedy="split the recording"
                )
            yield line


def _unix_seconds(stamp: str) -> int:
    try:
        return int(datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise ValueError(f"not a UTC time: {stamp[:40]!r}") from None


def _number(text: str) -> float:
    if text == "":
        return np.nan
    if "_" in text or not text.isascii():  # `float` reads "1_000" and the digits of other scripts
        raise _not_a_number(text)
    try:
        return float(text)
    except ValueError:
        raise _not_a_number(text) from None


def _not_a_number(text: str) -> ValueError:
    return ValueError(f"not a number: {text[:40]!r}")


def _plausible(forward: float, bid: float, ask: float, vol: float) -> bool:
    # NaN, which is outside of nothing, stands for what is absent; a forward must be there.
    outside = (
        bid < 0 or bid > HIGHEST_PRICE or ask < 0 or ask > HIGHEST_PRICE or vol <= 0 or vol > HIGHEST_VOL
    )
    return not outside and 0 < forward <= HIGHEST_PRICE
