"""TOML from outside: bounded in size and depth before the parser sees it, converted to a typed struct after."""

import tomllib
from typing import Any, TypeVar

import msgspec

from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import one_line

T = TypeVar("T")

MAX_FILE = 256 * 1024
# tomllib needs memory quadratic in the depth of a dotted key: one line of 200 kB takes more than a machine
# has, and nested arrays recurse. Our files nest two deep, and their longest lines are certificates.
MAX_LINE = 2048
MAX_DOTS = 32


def parse_toml(text: str, what: str) -> dict[str, Any]:
    """Parse TOML text that may be hostile.

    Args:
        text: at most `MAX_FILE` characters, lines of at most `MAX_LINE`, with at most `MAX_DOTS` dots each.
        what: how to name the source in an error ("consortium file alpha.toml").

    Raises:
        ConfigError: one line saying where it breaks. Duplicate keys are refused too.
    """
    if len(text) > MAX_FILE:
        raise ConfigError(f"{what}: larger than {MAX_FILE} bytes")
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE or line.count(".") > MAX_DOTS:
            raise ConfigError(f"{what}: line {number} is too long or nests too deep")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{what}: nests too deep") from None
    except ValueError as error:  # TOMLDecodeError, and Python's limit on the digits of a number
        raise ConfigError(f"{what}: {one_line(str(error))}") from None


def convert(data: dict[str, Any], struct: type[T], what: str) -> T:
    """Convert parsed TOML to a msgspec struct, strictly; the error names the field.

    Raises:
        ConfigError: a field is missing, unknown, of another type or out of its bounds.
    """
    try:
        return msgspec.convert(data, struct, strict=True)
    except msgspec.ValidationError as error:
        message, separator, path = str(error).partition(" - at `$.")
        field = path.rstrip("`") if separator else ""
        where = f"{what}: {one_line(field)}" if field else what
        raise ConfigError(f"{where}: {one_line(message)}") from None
    except RecursionError:
        raise ConfigError(f"{what}: nests too deep") from None
