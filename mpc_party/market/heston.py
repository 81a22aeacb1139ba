"""A seeded simulated market with stochastic variance, jumps, several venues and order flow that knows something.

What `SimulatedMarket` shows at one moment, this market also lives through: the options' vols move with the spot as
under Heston's variance and Bates's jumps, by whose model they are priced, so that there are hedges better than
Black-Scholes delta to be found; and whoever watches trades knows a little of the spot's next minutes. The same seed
gives the same market at the same moment, so that several processes see one market.

`heston_path` is the path, `heston_screen` the chain, `heston_venues` what sets the venues apart, `heston_flow` the
trades and quotes.
"""

import math

from mpc_party.market.bates import BatesModel
from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.errors import MarketDataError
from mpc_party.market.flow import WINDOW, FlowFeatures, FlowWindow
from mpc_party.market.heston_flow import events
from mpc_party.market.heston_path import MODEL, STEP_SECONDS, STEPS_A_DAY, STEPS_A_RUN, HestonPath, run_start
from mpc_party.market.heston_screen import Listing, list_options, screen
from mpc_party.market.heston_venues import NAMES, VENUES, Venue
from mpc_party.protocol.errors import Reason

_FIRST_MOMENT = 1_577_836_800  # 2020-01-01
_LAST_MOMENT = 4_102_444_800  # 2100-01-01
_RUN_SECONDS = STEPS_A_RUN * STEP_SECONDS
_WARM_UP = 20  # seconds of quotes before a window, so that it begins with one


class HestonMarket:
    """A market that runs on the wall clock, determined by its seed: a source of chains and of order flow.

    The first call simulates up to four weeks, in about 0.2 s; later ones take 8 ms for a chain and 8 ms for the
    flow (median, one core), and a new day 10 ms more.

    Args:
        seed: of the whole market; its venues share it.
        venue: "a", "b" or "c" for what that venue shows, on the spot that it sees; None for all of them: the best of
            their options' quotes, on the market's own spot, and the order flow of all.

    Raises:
        MarketDataError: there is no such venue.
    """

    underlying = "SIM"
    replays = False
    model: BatesModel = MODEL

    def __init__(self, seed: int, venue: str | None = None) -> None:
        if venue is not None and venue not in NAMES:
            raise MarketDataError(
                f"the simulated market has no venue {venue[:20]!r}",
                reason=Reason.CONFIG_INVALID,
                remedy=f"give one of {', '.join(NAMES)}, or none for all of them",
            )
        self._seed = seed
        self._venues: list[Venue] = [one for one in VENUES if venue in {None, one.name}]
        self._path = HestonPath(seed)
        self._listing: tuple[int, Listing] | None = None

    def next_time(self, after: int, now: int) -> int:
        """The present second, or the one after `after`."""
        return max(after + 1, now)

    def at(self, observed_at: int) -> ChainSnapshot:
        """The chain at any moment from 2020 to 2099.

        Raises:
            MarketDataError: another moment.
        """
        _require_moment(observed_at)
        variance = self._path.variance(observed_at // STEP_SECONDS)
        spot = self._spot(self._venues[0], observed_at)
        listing = self._listed(observed_at // 86_400)
        return screen(observed_at, self.underlying, listing, spot, variance, self._venues)

    def restarts(self, start: int, end: int) -> list[int]:
        """The moments in (start, end] at which the path starts anew: the spot is not what it was a second before."""
        first = start // _RUN_SECONDS + 1
        return [run * _RUN_SECONDS for run in range(first, end // _RUN_SECONDS + 1)]

    def flow(self, observed_at: int) -> FlowFeatures:
        """The order flow over the 300 s up to any moment from 2020 to 2099.

        Raises:
            MarketDataError: another moment.
        """
        _require_moment(observed_at)
        window = FlowWindow()
        for venue in self._venues:
            for event in events(self._path, self._seed, venue, observed_at - WINDOW - _WARM_UP, observed_at):
                window.take(event)
        return window.features(observed_at)

    def spot(self, observed_at: int) -> float:
        """The market's own spot, which no venue shows without its lag, basis and spread."""
        _require_moment(observed_at)
        return self._path.spot(observed_at // STEP_SECONDS)

    def variance(self, observed_at: int) -> float:
        """The annual variance of the diffusion, by which options are priced; it is not shown anywhere."""
        _require_moment(observed_at)
        return self._path.variance(observed_at // STEP_SECONDS)

    def _spot(self, venue: Venue, observed_at: int) -> float:
        # Across the start of a new run the venue waits no longer for the old one's spot.
        step = max((observed_at - venue.lag) // STEP_SECONDS, run_start(observed_at // STEP_SECONDS))
        return self._path.spot(step) * math.exp(venue.log_basis(self._seed, observed_at))

    def _listed(self, day: int) -> Listing:
        listing = self._listing
        if listing is None or listing[0] != day:
            first = day * STEPS_A_DAY
            listing = day, list_options(day, self._path.spot(first), self._path.variance(first))
            self._listing = listing
        return listing[1]


def _require_moment(observed_at: int) -> None:
    if not _FIRST_MOMENT <= observed_at < _LAST_MOMENT:
        raise MarketDataError(
            f"the simulated market has no moment {observed_at}",
            reason=Reason.MARKET_DATA_STALE,
            remedy="give a time from 2020 to 2099, in Unix seconds",
        )
