"""`mpc-party record`: a live market written down, moment by moment, until interrupted."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mpc_party.market import ChainSnapshot, MarketDataError, MarketSource, open_source
from mpc_party.market.recorder import ChainRecorder
from mpc_party.protocol.errors import ConfigError


@dataclass(frozen=True)
class Recorded:
    """What a recording came to: moments and rows written now, moments that could not be had, size of the file."""

    moments: int
    rows: int
    missed: int
    bytes: int


def record(
    market: str,
    out: Path,
    *,
    every: float,
    count: int | None = None,
    stop: threading.Event | None = None,
    say: Callable[[str], None],
) -> Recorded:
    """Append the market's chain to a file every `every` seconds, until `count` moments are written or `stop` is set.

    A moment that the venue does not show is left out and counted; the first one must come.

    Raises:
        ConfigError: the market replays a recording, or the file cannot be written.
        MarketDataError: no such market, no data at all, or the file cannot be gone on with.
    """
    with ExitStack() as stack:
        source = open_source(market)
        if hasattr(source, "close"):
            stack.callback(source.close)
        if source.replays:
            raise ConfigError(f"{market[:80]} is a recording already", remedy="give a live market")
        recorder = ChainRecorder(out, source.underlying)
        say(f"Waiting for {market} ...")
        # Until there is something to end in good order, an interruption just ends it.
        chain = _look(source, recorder)
        stopping = stop if stop is not None else stack.enter_context(_until_interrupted())
        return _keep_recording(source, chain, recorder, out, every, count, stopping, say)


def _look(source: MarketSource, recorder: ChainRecorder) -> ChainSnapshot:
    return source.at(source.next_time(recorder.last, int(time.time())))


def _keep_recording(
    source: MarketSource,
    chain: ChainSnapshot | None,
    recorder: ChainRecorder,
    out: Path,
    every: float,
    count: int | None,
    stopping: threading.Event,
    say: Callable[[str], None],
) -> Recorded:
    moments = rows = missed = 0
    due = time.monotonic()
    while True:
        if chain is not None:
            _append(recorder, chain, out)
            moments, rows = moments + 1, rows + len(chain)
            say(
                f"{moments} moments, {rows} rows, {missed} missed; {len(chain)} options at {chain.observed_at}"
            )
        # A moment that took long does not make the ones after it come in a hurry.
        due = max(due + every, time.monotonic())
        if moments == count or stopping.wait(due - time.monotonic()):
            return Recorded(moments, rows, missed, out.stat().st_size)
        try:
            chain = _look(source, recorder)
        except MarketDataError as error:
            chain, missed = None, missed + 1
            say(f"{moments} moments, {missed} missed: {error.message}")


def _append(recorder: ChainRecorder, chain: ChainSnapshot, out: Path) -> None:
    try:
        recorder.append(chain)
    except OSError as error:
        raise ConfigError(
            f"{out}: cannot be written: {error.strerror}",
            remedy="make room and give the same command again: the moments before this one are whole",
        ) from None


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of what they do otherwise."""
    event = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: event.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
