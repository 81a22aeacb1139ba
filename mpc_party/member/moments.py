"""Times in UTC, as people write and read them."""

from datetime import UTC, datetime

from mpc_party.protocol.errors import ConfigError


def parse_utc(text: str, option: str) -> int:
    """Unix seconds of a UTC time such as 2026-01-31T18:00Z; without a zone it is UTC.

    Raises:
        ConfigError: not a time, or of another zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option}: not a time: {text[:40]!a}", remedy="give a UTC time such as 2026-01-31T18:00Z"
        ) from None
    if moment.utcoffset() is None:
        moment = moment.replace(tzinfo=UTC)
    if moment.utcoffset() != UTC.utcoffset(None):
        raise ConfigError(f"{option}: {text[:40]!a} is not in UTC", remedy="write it in UTC, ending in Z")
    return int(moment.timestamp())


def utc(moment: int) -> str:
    """A time for a person."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
