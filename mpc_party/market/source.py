"""Market sources by name, as programs are told of them: `recorded:FILE` or `simulated:SEED`."""

from pathlib import Path

from mpc_party.market.chain import MarketSource
from mpc_party.market.errors import MarketDataError
from mpc_party.market.recorded import RecordedChain
from mpc_party.market.simulated import SimulatedMarket
from mpc_party.protocol.errors import Reason


def open_source(spec: str) -> MarketSource:
    """Open `recorded:FILE` or `simulated:SEED`.

    Raises:
        MarketDataError: no such kind of source, or the file breaks its format.
    """
    kind, _, detail = spec.partition(":")
    if kind == "recorded" and detail:
        return RecordedChain(Path(detail).expanduser())
    if kind == "simulated" and detail.isascii() and detail.isdecimal() and len(detail) <= 18:
        return SimulatedMarket(int(detail))
    raise MarketDataError(
        f"no market source {spec[:80]!r}",
        reason=Reason.CONFIG_INVALID,
        remedy="give recorded:FILE or simulated:SEED (a number)",
    )
