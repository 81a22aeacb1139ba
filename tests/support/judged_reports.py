"""Reports with their books as a round of honest desks computes them, and with single fields changed, for the laws."""

from __future__ import annotations

import numpy as np

from coordinator.book import MarketBook, make_book
from mpc_party.hedging.model import MINIMUM_VARIANCE
from mpc_party.hedging.outputs import Opened, check_range, report_columns
from mpc_party.hedging.public import PublicInputs, public_inputs, to_ring
from mpc_party.hedging.replay import replay
from mpc_party.market import DeskView, MarketSource, clean, fit_surface
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.messages import Expiry, Instrument
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import ForwardFields, book_hash, pack_book, pack_forward, pack_params
from tests.support.books import book, exact_table

UNDERLYING = "BTC"


def smile_book() -> PublicInputs:
    """Three expiries of nine strikes, a put and a call at each."""
    return book(moneyness=np.linspace(0.8, 1.2, 9), days=(2.0, 30.0, 180.0))


def smile(public: PublicInputs) -> np.ndarray:
    """A mild smile, in bands: the lawful kind."""
    z = np.log(public.moneyness) / (public.reference_vol * np.sqrt(public.time))
    return 0.02 - 0.02 * np.tanh(z) + 0.03 * np.tanh(z) ** 2


def honest_columns(public: PublicInputs, u=None, model=(-0.25, 0.4, -0.3)) -> dict[str, np.ndarray]:
    opened = exact_table(public, smile(public) if u is None else u, model)
    return {name: values.copy() for name, values in report_columns(public, opened).items()}


def report_of(public: PublicInputs, columns: dict[str, np.ndarray]) -> tuple[HedgeReport, bytes]:
    """The report and its book's words."""
    expiries = [
        Expiry(int(expiry), round(forward * 1e8), round(vol * 1e6))
        for expiry, forward, vol in zip(
            public.grid.expiry, public.grid.forward, public.grid.reference_vol, strict=True
        )
    ]
    instruments = [
        Instrument(int(index), round(strike * 1e8), bool(call))
        for index, strike, call in zip(public.expiry_index, public.strike, public.call, strict=True)
    ]
    report = HedgeReport(
        consortium=bytes(32),
        epoch=1,
        round=1,
        observed_at=public.grid.observed_at,
        valid_until=public.grid.observed_at + 3600,
        book=book_hash(UNDERLYING, expiries, instruments),
        model=bytes(32),
        inputs=bytes(32),
        forwards=b"".join(pack_forward(ForwardFields(e.expiry, e.forward)) for e in expiries),
        params=pack_params(columns),
    )
    return report, pack_book(UNDERLYING, expiries, instruments)


def round_of_three(
    source: MarketSource, after: int, last_vols: dict[int, float], seed: str
) -> tuple[HedgeReport, bytes, dict[int, float]]:
    """A round of three honest desks over the coordinator's next book, in the clear: report, book, vols at the money."""
    program = Program()
    books = MarketBook(source)
    books.continue_after(after)
    chosen = make_book(books.observe(after, retry=False), last_vols, program)
    public = public_inputs(chosen.proposal(1, 1, (0, 1, 2), 10_000), program)
    forwards = dict(zip(public.grid.expiry.tolist(), public.grid.forward.tolist(), strict=True))
    span = public.grid.span(public.expiry_index, public.strike)
    market = []
    for desk in "abc":
        quotes = DeskView(source, seed + desk).at(chosen.observed_at)
        vols, _ = clean(quotes, forwards, chosen.observed_at, program.max_quote_age)
        fit = fit_surface(public.grid, vols, program.band, span)
        market.append(to_ring(np.concatenate([fit.coefficients, np.zeros((1, 3))]), program.fraction_bits))
    table = replay(public, market, MINIMUM_VARIANCE, np.array([-0.25, 0.4, -0.3]))
    opened = Opened(to_ring(table, program.fraction_bits), program.fraction_bits)
    check_range(public, opened)
    columns = report_columns(public, opened)
    distance = np.abs(np.log(public.moneyness))
    vols_now = {}
    for index, expiry in enumerate(public.grid.expiry):
        rows = np.flatnonzero(public.expiry_index == index)
        vols_now[int(expiry)] = float(columns["iv"][rows[np.argmin(distance[rows])]]) * 1e-6
    return *report_of(public, columns), vols_now
