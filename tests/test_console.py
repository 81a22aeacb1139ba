"""One line for an error, exit codes, standard output for results only."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
import typer

from mpc_party import console
from mpc_party.console import ExitCode, configure_logging, exit_code, print_json, run, tell, working
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason

DEADLINE = 60
USAGE = {
    "config-invalid",
    "consortium-incomplete",
    "consortium-mismatch",
    "passphrase-wrong",
    "key-unknown",
    "model-mismatch",
    "market-data-invalid",
    "already-running",
    "journal-unusable",
    "backup-invalid",
    "backup-outdated",
}
UNREACHABLE = {
    "broker-unreachable",
    "broker-refused",
    "chain-unreachable",
    "peer-unreachable",
    "peer-timeout",
}


@pytest.fixture(autouse=True)
def plain_logging():
    yield
    structlog.reset_defaults()


def ending(failure):
    """Exit status of a program whose only command raises this."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def only() -> None:
        raise failure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["prog"])
        with pytest.raises(SystemExit) as ended:
            run(app, "prog")
    return ended.value.code


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_exit_status(reason, capsys):
    expected = 2 if reason in USAGE else 3 if reason in UNREACHABLE else 1
    error = ConsortiumError("it broke", reason=reason, culprit="bob", remedy="mend it")
    assert exit_code(error) == expected
    assert ending(error) == expected
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"prog: it broke (at fault: bob); mend it [{reason}]\n"


@pytest.mark.parametrize(
    "text",
    [
        "[red]not red[/red]",
        "closes what was never open: [/bold]",
        "[/]",
        "a path/[link=file:///etc/passwd]click[/link]",
        ":warning: and :x:",
        r"ends in a backslash \ ",
        r"\[escaped]",
    ],
)
def test_what_stands_in_an_error_is_shown_as_it_is(text, capsys):
    assert ending(ConfigError(text)) == 2
    tell(text)
    with working(text) as say:
        say(text)
    _, err = capsys.readouterr()
    assert err.splitlines() == [f"prog: {text} [config-invalid]", text]


def test_an_error_is_one_line_whatever_it_holds(capsys):
    ending(ConfigError("two\nlines \x1b[31mred\x1b[0m \r\x07 \u2028 end"))
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert not {"\x1b", "\r", "\x07", "\u2028"} & set(err)
    ending(ConfigError("x" * 100_000))
    assert len(capsys.readouterr().err) < 3000


def test_an_interruption_says_so(capsys):
    assert ending(KeyboardInterrupt()) == ExitCode.INTERRUPTED == 130
    assert capsys.readouterr().err.strip() == "prog: interrupted"


def test_an_error_of_the_machine_is_one_line(capsys):
    assert ending(OSError(errno.ENOSPC, "No space left on device", "/some/file")) == 1
    assert capsys.readouterr().err == "prog: /some/file: No space left on device\n"
    assert ending(OSError("nothing known")) == 1
    assert capsys.readouterr().err == "prog: nothing known\n"


def test_a_bug_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        ending(ZeroDivisionError())


def script(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=DEADLINE, **options
    )


PRINTING = """
import typer
from mpc_party.console import print_json, run
app = typer.Typer(pretty_exceptions_enable=False)
@app.command()
def only():
    for _ in range(100_000):
        print_json({"a": "b" * 100})
run(app, "prog")
"""


def test_a_reader_that_has_left_is_not_complained_to():
    with subprocess.Popen(
        [sys.executable, "-c", PRINTING], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(DEADLINE) == 1
    assert error == b""


def test_an_output_that_takes_nothing_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PRINTING],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE,
        )
    assert done.returncode == 1
    assert done.stderr == "prog: No space left on device\n"


def test_ctrl_c_ends_with_130_and_one_line():
    code = """
import signal, sys, typer
from mpc_party.console import run
app = typer.Typer(pretty_exceptions_enable=False)
@app.command()
def only():
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    signal.pause()
run(app, "prog")
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
        assert process.stderr.read().strip() == b"prog: interrupted"


def test_json_is_one_line_and_never_nan(capsys):
    print_json({"b": [1, None, "ä\n"], "a": True})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert list(json.loads(out)) == ["b", "a"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"a": float("nan")})


def test_logs_go_to_standard_error(capsys):
    configure_logging("info")
    structlog.get_logger().info("hello", path="[/tmp]")
    configure_logging("INFO", json_lines=True)
    structlog.get_logger().debug("not shown")
    structlog.get_logger().warning("shown", number=1)
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert "hello" in first
    assert json.loads(second)["number"] == 1


@pytest.mark.parametrize("level", ["", "loud", "handlers", "Logger", "notset", "\x1b[31m"])
def test_an_unknown_log_level_is_refused(level):
    with pytest.raises(ConfigError, match="debug, info, warning, error"):
        configure_logging(level)


def test_a_logged_bug_shows_no_values_of_variables(capsys):
    configure_logging("info")
    passphrase = "correct horse"

    def work(secret):
        raise ValueError(f"length {len(secret)}")

    try:
        work(passphrase)
    except ValueError:
        structlog.get_logger().exception("bug")
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "correct horse" not in err


def test_a_closed_standard_output_does_not_raise_twice(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    console._forget_output()
    monkeypatch.setattr(sys, "stdout", None)
    console._forget_output()
    assert os.fstat(1)
