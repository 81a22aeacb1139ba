"""Moments of an option chain, appended to a file that `RecordedChain` reads back.

A moment is written at once or not at all: in a `.gz` file as a compressed member of its own (a gzip file is a sequence
of members), and whatever stops the writing in the middle has the file cut back to where it was, as long as the program
itself goes on: a kill or a power cut during the write may leave half a moment, for which the whole file is refused.
Numbers are written so that the same ones are read; when each quote was seen is not kept.
"""

import csv
import fcntl
import gzip
import io
import math
import os
from datetime import UTC, datetime
from pathlib import Path

from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.errors import MarketDataError
from mpc_party.market.recorded import COLUMNS, EXPIRY_HOUR, MAX_LINES, RecordedChain
from mpc_party.protocol.errors import Reason

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def instrument_name(underlying: str, expiry: int, strike: float, *, call: bool) -> str:
    """`BTC-3JAN26-88000-C`, which `parse_instrument_name` reads.

    Raises:
        ValueError: an expiry not at 08:00 UTC, or a strike that is not a decimal number of up to eight places.
    """
    when = datetime.fromtimestamp(expiry, UTC)
    if (when.hour, when.minute, when.second) != (EXPIRY_HOUR, 0, 0):
        raise ValueError(f"expiry {expiry} is not at {EXPIRY_HOUR:02}:00 UTC")
    if not 0 < strike < 1e9:
        raise ValueError(f"strike {strike}")
    text = f"{strike:.8f}".rstrip("0").rstrip(".")
    if float(text) != strike:
        raise ValueError(f"strike {strike} has more than eight places")
    return (
        f"{underlying}-{when.day}{_MONTHS[when.month - 1]}{when.year % 100:02}-{text}-{'C' if call else 'P'}"
    )


class ChainRecorder:
    """A recording in the making: a new file, or one of the same underlying that is gone on with.

    Attributes:
        last: the last moment in the file, Unix seconds; 0 for a new file.
        rows: rows in the file, as far as they are known to hold an option.
    """

    def __init__(self, path: Path, underlying: str) -> None:
        """Look at what is there already.

        Raises:
            MarketDataError: the file is not a recording of this underlying that can be gone on with.
        """
        self._path = path
        self._underlying = underlying
        self._packed = path.suffix == ".gz"
        self.last = self.rows = 0
        self._size = path.stat().st_size if path.exists() else 0
        self._fresh = self._size == 0
        if self._fresh:
            return
        recording = RecordedChain(path)
        if recording.underlying != underlying:
            raise MarketDataError(
                f"{path}: a recording of {recording.underlying}, not of {underlying}",
                reason=Reason.CONFIG_INVALID,
                remedy="give another file",
            )
        with gzip.open(path, "rt", encoding="utf-8") if self._packed else path.open(encoding="utf-8") as file:
            if file.readline().rstrip("\r\n") != ",".join(COLUMNS):
                raise MarketDataError(
                    f"{path}: has other columns than the ones recorded here",
                    reason=Reason.CONFIG_INVALID,
                    remedy="give another file",
                )
        self.last = recording.times[-1]
        self.rows = sum(len(recording.at(time)) for time in recording.times) + recording.dropped

    def append(self, chain: ChainSnapshot) -> int:
        """Write one moment, down to the disk; returns how many bytes that took.

        Raises:
            MarketDataError: it is not later than the last one, of another underlying, the file is full, or somebody
                else has written to it.
            OSError: the disk says no; the file is as it was before.
        """
        if chain.underlying != self._underlying or chain.observed_at <= self.last or not len(chain):
            raise MarketDataError(
                f"{self._path}: a moment of {chain.underlying} at {chain.observed_at} with {len(chain)} options "
                f"does not go on from {self._underlying} at {self.last}"
            )
        if self.rows + len(chain) >= MAX_LINES:
            raise MarketDataError(f"{self._path}: the file is full", remedy="go on in another file")
        data = self._moment(chain)
        if self._packed:
            data = gzip.compress(data, mtime=0)
        self._write(data)
        self._fresh, self.last = False, chain.observed_at
        self.rows += len(chain)
        return len(data)

    def _moment(self, chain: ChainSnapshot) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self._fresh:
            writer.writerow(COLUMNS)
        stamp = f"{datetime.fromtimestamp(chain.observed_at, UTC):%Y-%m-%dT%H:%M:%SZ}"
        columns = (
            chain.expiry,
            chain.strike,
            chain.call,
            chain.forward,
            chain.bid,
            chain.ask,
            chain.mark_vol,
        )
        for expiry, strike, call, *numbers in zip(*(column.tolist() for column in columns), strict=True):
            name = instrument_name(self._underlying, expiry, strike, call=call)
            writer.writerow((stamp, name, *(_text(number) for number in numbers)))
        return text.getvalue().encode()

    def _write(self, data: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            before = os.fstat(descriptor).st_size
            if before != self._size:
                raise MarketDataError(
                    f"{self._path}: somebody else has written to it",
                    reason=Reason.ALREADY_RUNNING,
                    remedy="give every recorder a file of its own",
                )
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            except BaseException:  # an interruption too: half a moment would make the whole file unreadable
                os.ftruncate(descriptor, before)
                raise
            self._size = before + len(data)
        finally:
            os.close(descriptor)


def _text(number: float) -> str:
    return "" if math.isnan(number) else repr(number)
