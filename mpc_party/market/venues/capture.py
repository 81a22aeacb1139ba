"""Raw captures: what a venue sent, line by line, with the time at which each message came.

Two formats, plain or gzipped, told apart by the first line:

    Binance   `1723161256207640365 {"stream":...}`: receipt in Unix nanoseconds, a blank, the message as it came; a bare
              page of a book among them is the answer to a request beside the stream
    Deribit   `1626993723.804318: {"jsonrpc":...}`: receipt in Unix seconds, then the message. `wss://... <-> TIME` is a
              new connection, and `wss://... <- TIME: {...}` a message that was sent, which is skipped

A line without a time or beyond the size allowed refuses the file, with its number: such a file is no capture. A message
that cannot be used is counted by its cause, as it would be from a live venue. A last line that was cut off in the writing is counted, too.
"""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

from mpc_party.market.errors import MarketDataError
from mpc_party.market.venues.conventions import is_time

MAX_LINE: Final = 4 * 1024 * 1024  # bytes, as large as a message may be on the wire
MAX_LINES: Final = 50_000_000
_SENT_AWAY: Final = -1  # instead of a time of receipt
_BINANCE = re.compile(rb"(\d{16,19}) (.*)", re.DOTALL)
_DERIBIT = re.compile(rb"(\d{9,10})(?:\.(\d{1,9}))?: (.*)", re.DOTALL)
_SENT = re.compile(rb"wss?://\S{1,200} (<->?) .*", re.DOTALL)


class CaptureFormat(StrEnum):
    """Whose messages."""

    BINANCE = "binance"
    DERIBIT = "deribit"


class RawMessage(NamedTuple):
    """One line: its number, from 1, the time of receipt, and what came; nothing came where a connection began."""

    line: int
    received_ns: int
    data: bytes


class Capture:
    """One file, read anew by every iterator.

    Attributes:
        path: the file.
        format: whose messages.
        first_ns: receipt of the first message, Unix nanoseconds.
        counts: lines that are no message, by what they are: `sent`, `blank`, `cut-off`, and lines with a time before
            that of the line above (`time-backwards`; they are read as if they came with it). Of all iterators together.
    """

    def __init__(self, path: Path) -> None:
        """Look at the beginning.

        Raises:
            MarketDataError: no such file, or no capture.
        """
        self.path = path
        self.counts: Counter[str] = Counter()
        with self._open() as file:
            head = self._line(file, 1)
        if _BINANCE.fullmatch(head):
            self.format = CaptureFormat.BINANCE
        elif _DERIBIT.fullmatch(head) or _SENT.fullmatch(head):
            self.format = CaptureFormat.DERIBIT
        else:
            raise self._refusal(1, "neither Binance's nor Deribit's form")
        first = next(self.messages(), None)
        if first is None:
            raise MarketDataError(f"{path}: holds no message", remedy="give a raw capture")
        self.first_ns = first.received_ns
        self.counts.clear()

    def messages(self) -> Iterator[RawMessage]:
        """The messages, in the order of the file.

        Raises:
            MarketDataError: the file is damaged, or a line breaks the format.
        """
        parse = self._binance if self.format is CaptureFormat.BINANCE else self._deribit
        latest = 0
        with self._open() as file:
            number = 0
            while line := self._line(file, number + 1):
                number += 1
                if number > MAX_LINES:
                    raise MarketDataError(
                        f"{self.path}: more than {MAX_LINES} lines", remedy="split the capture"
                    )
                if line.isspace():
                    self.counts["blank"] += 1
                    continue
                parsed = parse(number, line.rstrip(b"\r\n"))
                if parsed is None:
                    if not line.endswith(b"\n"):
                        self.counts["cut-off"] += 1
                        return
                    raise self._refusal(number, "no time of receipt and message")
                if parsed.received_ns == _SENT_AWAY:
                    self.counts["sent"] += 1
                    continue
                if not is_time(parsed.received_ns // 1_000_000):
                    raise self._refusal(number, "a time of receipt in no year")
                if parsed.received_ns < latest:
                    self.counts["time-backwards"] += 1
                    parsed = parsed._replace(received_ns=latest)
                latest = parsed.received_ns
                yield parsed

    def _binance(self, number: int, line: bytes) -> RawMessage | None:
        match = _BINANCE.fullmatch(line)
        return None if match is None else RawMessage(number, int(match[1]), match[2])

    def _deribit(self, number: int, line: bytes) -> RawMessage | None:
        if line.startswith(b"ws"):
            match = _SENT.fullmatch(line)
            if match is None:
                return None
            if match[1] == b"<-":
                return RawMessage(number, _SENT_AWAY, b"")
            opened = _DERIBIT.fullmatch(line.rpartition(b" ")[2] + b": ")
            return None if opened is None else RawMessage(number, _nanoseconds(opened), b"")
        match = _DERIBIT.fullmatch(line)
        return None if match is None else RawMessage(number, _nanoseconds(match), match[3])

    def _open(self) -> IO[bytes]:
        try:
            with self.path.open("rb") as file:
                packed = file.read(2) == b"\x1f\x8b"
            return cast("IO[bytes]", gzip.open(self.path, "rb") if packed else self.path.open("rb"))
        except FileNotFoundError:
            raise MarketDataError(f"{self.path}: no such file", remedy="give the path of a capture") from None
        except OSError as error:
            raise MarketDataError(
                f"{self.path}: cannot be read ({error})", remedy="give the path of a capture"
            ) from None

    def _line(self, file: IO[bytes], number: int) -> bytes:
        """The next line, never holding more than a line's allowance: a .gz may unpack to anything."""
        try:
            line = file.readline(MAX_LINE + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise self._refusal(number, f"cannot be read ({error})") from None
        if len(line) > MAX_LINE:
            raise self._refusal(number, f"longer than {MAX_LINE} bytes")
        return line

    def _refusal(self, number: int, what: str) -> MarketDataError:
        return MarketDataError(
            f"{self.path}: line {number}: {what}", remedy="give a raw capture, whole, plain or .gz"
        )


def _nanoseconds(match: re.Match[bytes]) -> int:
    """Unix seconds as decimal text, exactly: a float of them has no room for nanoseconds."""
    return int(match[1]) * 1_000_000_000 + int((match[2] or b"0").ljust(9, b"0"))
