"""Reading and writing the consortium file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_rules import VERSION, check_consortium
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import read_text_limited, write_atomic
from mpc_party.protocol.toml import MAX_FILE, convert, parse_toml

WHAT = "consortium file"


def load_consortium(path: Path | str) -> Consortium:
    """Read and check a consortium file.

    Raises:
        ConfigError: one line with the path and the field that is wrong.
    """
    text = read_text_limited(path, MAX_FILE, WHAT)
    return parse_consortium(text, f"{WHAT} {path}")


def parse_consortium(text: str, what: str = WHAT) -> Consortium:
    """Read and check the text of a consortium file.

    Args:
        text: TOML.
        what: how to name the source in an error.

    Raises:
        ConfigError: one line with the field that is wrong.
    """
    data = parse_toml(text, what)
    # First, so that a file of a later version is called that, and not a list of unknown fields.
    if "version" in data and data["version"] != VERSION:
        raise ConfigError(f"{what}: version: this program reads version {VERSION} only")
    consortium = convert(data, Consortium, what)
    with _named(what):
        check_consortium(consortium)
    return consortium


def dump_consortium(consortium: Consortium) -> str:
    """The text of the file, checked: reading it again gives the same consortium and the same hash.

    Raises:
        ConfigError: the consortium breaks a rule.
    """
    check_consortium(consortium)
    return tomli_w.dumps(_tables(consortium), multiline_strings=True)


def save_consortium(path: Path | str, consortium: Consortium) -> None:
    """Check, and replace the file in one step.

    Raises:
        ConfigError: the consortium breaks a rule, or the file cannot be written.
    """
    write_atomic(path, dump_consortium(consortium).encode("utf-8"))


def _tables(consortium: Consortium) -> dict[str, Any]:
    """Plain TOML values, absent sections left out (TOML has no null)."""
    data = msgspec.to_builtins(consortium)
    return {key: value for key, value in data.items() if value is not None}


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise ConfigError(
            f"{what}: {error.message}", reason=error.reason, culprit=error.culprit, remedy=error.remedy
        ) from None
