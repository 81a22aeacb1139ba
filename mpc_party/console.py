"""What the command lines have in common: one clear line for an error, exit codes that mean something, progress.

Results go to standard output, everything said to a person to standard error, so that `--json` output can be piped.
What is said may hold text from outside (a path, a consortium's name): `tell` shows it as it is, where `stderr.print`
would read square brackets as markup and stop at ones that do not match.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum

import structlog
from rich.console import Console
from rich.markup import escape
from typer import Typer

from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import one_line

stderr = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

LOG_LEVELS = ("debug", "info", "warning", "error")
_LONGEST_LINE = 2000  # characters of an error; a path may have up to 4,096


class ExitCode(IntEnum):
    """What a program's exit status says."""

    OK = 0
    FAILED = 1  # the thing asked for was refused, or did not come out right
    USAGE = 2  # the command line, a file or a passphrase is wrong
    UNREACHABLE = 3  # broker, chain or peers do not answer
    INTERRUPTED = 130  # Ctrl-C


_USAGE = frozenset(
    {
        Reason.CONFIG_INVALID,
        Reason.CONSORTIUM_INCOMPLETE,
        Reason.CONSORTIUM_MISMATCH,
        Reason.PASSPHRASE_WRONG,
        Reason.KEY_UNKNOWN,
        Reason.MODEL_MISMATCH,
        Reason.MARKET_DATA_INVALID,
        Reason.ALREADY_RUNNING,
        Reason.JOURNAL_UNUSABLE,
        Reason.BACKUP_INVALID,
        Reason.BACKUP_OUTDATED,
    }
)
_UNREACHABLE = frozenset(
    {
        Reason.BROKER_UNREACHABLE,
        Reason.BROKER_REFUSED,
        Reason.CHAIN_UNREACHABLE,
        Reason.PEER_UNREACHABLE,
        Reason.PEER_TIMEOUT,
    }
)


def exit_code(error: ConsortiumError) -> ExitCode:
    """The exit status for an error, by its reason."""
    if error.reason in _USAGE:
        return ExitCode.USAGE
    return ExitCode.UNREACHABLE if error.reason in _UNREACHABLE else ExitCode.FAILED


def run(app: Typer, program: str) -> None:
    """Run a Typer app as a program: errors on one line, no traceback, and the exit status."""
    try:
        app(prog_name=program)
    except ConsortiumError as error:
        _complain(program, str(error))
        sys.exit(exit_code(error))
    except SystemExit as ended:  # how Typer ends, whatever happened; it says nothing of an interruption
        if ended.code == ExitCode.INTERRUPTED:
            _complain(program, "interrupted")
        raise
    except KeyboardInterrupt:
        _complain(program, "interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except OSError as error:
        # The machine says no where nothing more is known than that: a full disk, a device that is gone. (Typer
        # has dealt with a reader of our output that has left.)
        _forget_output()
        where = "" if error.filename is None else f"{error.filename}: "
        _complain(program, f"{where}{error.strerror or error}")
        sys.exit(ExitCode.FAILED)


def _complain(program: str, text: str) -> None:
    stderr.print(f"[bold red]{program}:[/] {escape(one_line(text, _LONGEST_LINE))}")


def _forget_output() -> None:
    """Drop what standard output has not taken: Python would try again at exit, and complain in its own way."""
    with suppress(OSError, ValueError, AttributeError):  # it may be closed, or no file at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text: str) -> None:
    """Say one line to the person at the terminal, on standard error, exactly as it is."""
    stderr.print(one_line(text, _LONGEST_LINE), markup=False)


def print_json(value: object) -> None:
    """One JSON value on one line of standard output."""
    sys.stdout.write(json.dumps(value, sort_keys=False, allow_nan=False) + "\n")
    sys.stdout.flush()


@contextmanager
def working(message: str) -> Iterator[Callable[[str], None]]:
    """A spinner with a message while something takes its time; yields a function that changes the message."""
    with stderr.status(escape(message)) as status:
        yield lambda text: status.update(escape(text))


def configure_logging(level: str = "info", *, json_lines: bool = False) -> None:
    """Structured logs on standard error: for a person, or one JSON object a line.

    Raises:
        ConfigError: no such level.
    """
    if level.lower() not in LOG_LEVELS:
        raise ConfigError(
            f"log level: {one_line(level, 40)!a}", remedy=f"give one of {', '.join(LOG_LEVELS)}"
        )
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
