"""Errors of market data."""

from mpc_party.protocol.errors import ConsortiumError, Reason


class MarketDataError(ConsortiumError):
    """A market file or feed breaks its format, or has nothing for the time asked for."""

    default_reason = Reason.MARKET_DATA_INVALID
