"""The command lines in process: what they say, print and end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from eth_account import Account
from eth_account.signers.local import LocalAccount
from typer import Typer
from typer.testing import CliRunner

from mpc_party.console import exit_code
from mpc_party.protocol.errors import ConsortiumError

KEYSTORE_WORDS = "correct horse"


class Said(NamedTuple):
    """Exit status, standard output, and what was said to a person or the error."""

    status: int
    out: str
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def call(app: Typer, *arguments: object) -> Said:
    """As `mpc_party.console.run` would give it."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    # A command sends logs to the standard error of its run, which is closed now.
    structlog.reset_defaults()
    if isinstance(result.exception, ConsortiumError):
        return Said(exit_code(result.exception), result.stdout, str(result.exception))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def keystore(folder: Path, account: LocalAccount) -> Path:
    """An Ethereum keystore that opens quickly."""
    path = folder / f"{account.address}.json"
    if not path.exists():
        path.write_text(json.dumps(Account.encrypt(account.key, KEYSTORE_WORDS, kdf="pbkdf2", iterations=1)))
    return path
