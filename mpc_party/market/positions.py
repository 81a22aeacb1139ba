"""A desk's own positions: a small CSV file that the desk keeps up to date, read anew in every round.

    instrument,contracts
    BTC-27MAR26-90000-C,-12.5

Names are the venue's (`recorded.parse_instrument_name`), contracts in coin, negative where short. Replace the file in one
step (write another one, then rename it): a round that meets half a file fails.
"""

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.errors import MarketDataError
from mpc_party.market.recorded import InstrumentName, parse_instrument_name
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.files import read_text_limited
from mpc_party.protocol.secret import Secret

COLUMNS: Final = ("instrument", "contracts")
MAX_FILE: Final = 1 << 20
LARGEST: Final = 1e9  # contracts


@dataclass(frozen=True, repr=False)
class Positions(Secret):
    """Contracts by option. Secret: the repr shows how many there are."""

    contracts: dict[InstrumentName, float]

    def __repr__(self) -> str:
        return f"Positions({len(self.contracts)} options)"

    def in_book(
        self,
        underlying: str,
        expiry: NDArray[np.int64],
        strike: NDArray[np.float64],
        call: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float64], int]:
        """Contracts (n,) in the order of a book's instruments, and how many options held are not in the book."""
        found = [
            self.contracts.get(InstrumentName(underlying, int(e), round(float(k), 8), bool(c)), 0.0)
            for e, k, c in zip(expiry, strike, call, strict=True)
        ]
        held = sum(1 for value in self.contracts.values() if value)
        contracts = np.array(found, dtype=np.float64)
        return contracts, held - int(np.count_nonzero(contracts))


def read_positions(path: Path) -> Positions:
    """Read a positions file.

    Raises:
        MarketDataError: it is not there, or a line breaks the format; names the line, shows no number.
        ConfigError: it cannot be read, or is longer than a megabyte.
    """
    text = read_text_limited(path, MAX_FILE, "positions file")
    rows = csv.reader(io.StringIO(text), strict=True)
    contracts: dict[InstrumentName, float] = {}
    try:
        header = next(rows, [])
        if tuple(header) != COLUMNS:
            raise _malformed(path, 1, f"the first line must be {','.join(COLUMNS)}")
        for row in rows:
            if len(row) != len(COLUMNS):
                raise _malformed(path, rows.line_num, f"{len(row)} fields, 2 expected")
            try:
                option, amount = parse_instrument_name(row[0]), _contracts(row[1])
            except ValueError as error:
                raise _malformed(path, rows.line_num, str(error)) from None
            if option in contracts:
                raise _malformed(path, rows.line_num, f"{row[0]} stands twice")
            contracts[option] = amount
    except csv.Error as error:
        raise _malformed(path, rows.line_num, f"not CSV ({error})") from None
    return Positions(contracts)


def _contracts(text: str) -> float:
    if "_" in text or not text.isascii():
        raise ValueError("contracts are not a number")
    try:
        amount = float(text)
    except ValueError:
        raise ValueError("contracts are not a number") from None
    if not math.isfinite(amount) or abs(amount) > LARGEST:
        raise ValueError(f"contracts are not within {LARGEST:g}")
    return amount


def _malformed(path: Path, line: int, what: str) -> MarketDataError:
    return MarketDataError(
        f"{path}: line {line}: {what}",
        reason=Reason.MARKET_DATA_INVALID,
        remedy="one option a line: the venue's name and the contracts, after the line instrument,contracts",
    )
