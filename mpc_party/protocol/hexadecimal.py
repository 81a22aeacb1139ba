"""Bytes as hex text with one accepted spelling."""

from mpc_party.protocol.errors import ConfigError


def check_hex(text: str, length: int, field: str) -> bytes:
    """The bytes of lower-case hex of exactly `length` bytes, without prefix.

    Raises:
        ConfigError: naming the field.
    """
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != length or value.hex() != text:
        raise ConfigError(f"{field}: must be {2 * length} lower-case hex digits")
    return value
