"""Bad input to real processes: one clear line, the documented exit status, and a folder as it was before."""

from __future__ import annotations

import gzip
import os
import pty
import resource
import signal
import socket
import subprocess
import sys
import termios
import time
from contextlib import contextmanager

import pytest

from models.deal import share_file
from mpc_party.hedging.model import MINIMUM_VARIANCE
from mpc_party.journal import Journal
from mpc_party.member.home import PartyHome
from mpc_party.protocol.passphrase import Passphrase
from tests.support.party_homes import at_stage, contents, copy_of, make_world, without
from tests.support.world import PASSPHRASE

pytestmark = pytest.mark.integration

DEADLINE = 60
MARKET = ("--market", "simulated:3")
# What each command says to each kind of damage is tested in process (tests/member, tests/models, tests/test_cli.py);
# here, that the processes do the same, with one or two kinds each.
BINARY = bytes(range(256)) * 20
DOTTED = b"a." * 100_000 + b"b = 1\n"  # takes tomllib more memory than a machine has
CONTROL = b"name = '\x1b[2J\x1b[31m'\n"


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world") / "w")


@pytest.fixture
def world(complete, tmp_path):
    return copy_of(complete, tmp_path / "w")


def environment(**changes):
    return {k: v for k, v in os.environ.items() if not k.startswith("MPC_")} | {
        "MPC_PASSPHRASE": PASSPHRASE,
        "OMP_NUM_THREADS": "1",
        **changes,
    }


def call(program, *arguments, file_limit=None, **changes):
    """Run to the end. `file_limit` bytes are all that a file may grow to: a full disk, as far as writing goes."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return subprocess.run(
        [sys.executable, "-m", program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
        env=environment(**changes),
        preexec_fn=None if file_limit is None else limit,
    )


def refused(folder, program, *arguments, status=2, say="", logs=False, **options):
    """One line, no traceback, the status, and nothing changed in the folder."""
    before = contents(folder)
    done = call(program, *arguments, **options)
    check_line(done.stderr, say, logs=logs)
    assert (done.returncode, done.stdout) == (status, "")
    assert contents(folder) == before
    return done.stderr


def check_line(error, say="", *, logs=False):
    lines = error.strip().splitlines()
    assert logs or len(lines) == 1, error
    assert lines[-1].startswith(("mpc-party: ", "mpc-models: ", "mpc-coordinator: ")), error
    assert say in lines[-1], error
    assert "Traceback" not in error
    assert "\x1b" not in error


# Files


@pytest.mark.parametrize("data", [DOTTED, CONTROL])
def test_a_hostile_consortium_file(world, data):
    file = world.path / "hostile.toml"
    file.write_bytes(data)
    home = world.home("bob").path
    refused(world.path, "mpc_party", "join", file, "--home", home, say=str(file))


def test_a_hostile_card(world):
    home = world.path / "operator"
    cards = []
    for identity in world.identities:
        card = world.path / f"{identity.name}.member.toml"
        card.write_text("")
        cards += ["--member", card]
    arguments = ("create", *cards, "--name", "x", "--broker", "mqtt://h", "--home", home)
    cards[1].write_bytes(CONTROL)
    refused(world.path, "coordinator", *arguments, say=str(cards[1]))


@pytest.mark.parametrize(
    ("name", "command"),
    [("identity.keystore", "join"), ("key-share.keystore", "run"), ("model-share.age", "run")],
)
def test_a_damaged_keystore_or_share(world, name, command):
    home = world.home("bob").path
    data = (home / name).read_bytes()
    (home / name).write_bytes(data[: len(data) // 2])
    what = (world.consortium_file,) if command == "join" else MARKET
    refused(world.path, "mpc_party", command, *what, "--home", home)


def test_a_hostile_model_share(world):
    file = world.path / "hostile.age"
    file.write_bytes(BINARY)
    home = world.home("bob").path
    arguments = ("join", world.consortium_file, "--model-share", file, "--home", home)
    refused(world.path, "mpc_party", *arguments, say="model-mismatch")


def test_hostile_settings(world):
    home = world.home("bob")
    home.settings_file.write_bytes(CONTROL)
    refused(world.path, "mpc_party", "run", "--home", home.path, *MARKET, say="party.toml")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("chain.csv.gz", gzip.compress(b"x" * 5_000_000)),
        ("chain.csv.gz", gzip.compress(b"timestamp,instrument_name\n")[:-9]),
    ],
)
def test_a_hostile_chain_file(world, name, data):
    file = world.path / name
    file.write_bytes(data)
    arguments = ("run", "--home", world.home("bob").path, "--market", f"recorded:{file}")
    refused(world.path, "mpc_party", *arguments, say="market-data-invalid")


def test_an_incomplete_consortium_names_the_next_command(world):
    home = at_stage(world.home("bob"), without(world.consortium, "settlement"), key=True, model=True)
    refused(world.path, "mpc_party", "run", "--home", home.path, *MARKET, say="mpc-coordinator deploy")


# Passphrases and folders


def test_passphrases(world):
    home = world.home("bob").path
    empty = world.path / "empty"
    empty.write_text("\n")
    empty.chmod(0o600)
    join = ("join", world.consortium_file, "--home", home)
    refused(world.path, "mpc_party", *join, MPC_PASSPHRASE="wrong", say="passphrase-wrong")
    refused(world.path, "mpc_party", *join, "--passphrase-file", empty, say="empty")


@pytest.mark.parametrize("home", ["/proc/mpc-party", "/dev/null/home"])
def test_a_folder_that_cannot_be_made(tmp_path, home):
    """Not by root either."""
    arguments = ("init", "alice", "--mesh", "h:1", "--home", home)
    refused(tmp_path, "mpc_party", *arguments, say="cannot make the folder")


def test_an_output_that_cannot_be_made(world):
    arguments = ("deal", "--model", model_file(world), "--consortium", world.consortium_file, "--replace")
    refused(world.path, "models", *arguments, "--out", "/proc/x", say="cannot make the folder")


def model_file(world):
    path = world.path / "model.toml"
    path.write_text(f'kind = "{MINIMUM_VARIANCE}"\na = 0.0\nb = 0.0\nc = 0.0\n')
    return path


# A full disk


@pytest.mark.parametrize("limit", [0, 1045])
def test_init_on_a_full_disk_leaves_no_half_identity(tmp_path, limit):
    """Nothing fits, or the keystore does and the card does not."""
    arguments = ("init", "alice", "--mesh", "h:1", "--home", tmp_path / "home")
    said = refused(tmp_path, "mpc_party", *arguments, file_limit=limit, say="cannot be written")
    assert ("alice.member.toml" if limit else "identity.keystore") in said


def test_join_on_a_full_disk_takes_neither_file_nor_share(world):
    """The share fits, the file does not."""
    home = at_stage(
        world.home("bob"), without(world.consortium, "model", "settlement"), key=True, model=False
    )
    share = share_file(world.path / "shares", "bob")
    assert share.stat().st_size < 3000 < world.consortium_file.stat().st_size
    arguments = ("join", world.consortium_file, "--model-share", share, "--home", home.path)
    refused(world.path, "mpc_party", *arguments, file_limit=3000, say="cannot be written")
    assert call("mpc_party", *arguments).returncode == 0
    assert home.consortium().hash == world.consortium.hash


def test_dealing_on_a_full_disk_leaves_the_consortium_as_it_was(world):
    arguments = ("deal", "--model", model_file(world), "--consortium", world.consortium_file, "--replace")
    out = world.path.parent / "out"
    refused(
        world.path,
        "models",
        *arguments,
        "--out",
        out,
        file_limit=3000,
        say="consortium.toml: cannot be written",
    )


def test_a_journal_that_cannot_be_written(world):
    home = world.home("bob")
    done = call("mpc_party", "run", "--home", home.path, *MARKET, file_limit=0)
    check_line(done.stderr, "journal-unusable")
    assert done.returncode == 2
    with Journal.open(home.journal_file, consortium=world.consortium.id_bytes, epoch=1) as journal:
        assert journal.last_round() == 0


# Other processes


def test_a_second_process_on_one_journal(world):
    home = world.home("bob")
    with Journal.open(home.journal_file, consortium=world.consortium.id_bytes, epoch=1):
        before = home.journal_file.read_bytes()
        done = call("mpc_party", "run", "--home", home.path, *MARKET)
        check_line(done.stderr, f"process {os.getpid()} runs this party already")
        assert done.returncode == 2
        assert home.journal_file.read_bytes() == before
        assert call("mpc_party", "status", "--home", home.path).returncode == 0


@contextmanager
def started(*arguments, **options):
    """A party's process in a group of its own, none of which is left afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mpc_party", *map(str, arguments)],
        **{"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, "env": environment()} | options,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
        process.wait(DEADLINE)
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(DEADLINE)
        process.stderr.close()


def test_no_broker(world):
    """Whoever waits is told with status 3; whoever does not care to wait gets the terminal back at once."""
    patient, hasty = world.home("alice"), world.home("bob")
    with (
        started("run", "--home", patient.path, *MARKET) as waiting,
        started("run", "--home", hasty.path, *MARKET) as interrupted,
    ):
        said = interrupted.stderr.readline()
        assert "broker not available" in said
        interrupted.send_signal(signal.SIGINT)
        assert interrupted.wait(DEADLINE) == 130
        check_line(interrupted.stderr.read(), "interrupted")
        assert waiting.poll() is None
        _, error = waiting.communicate(timeout=DEADLINE)
        check_line(error, "broker-unreachable", logs=True)
        assert waiting.returncode == 3
    for home in (patient, hasty):
        with Journal.open(home.journal_file, consortium=world.consortium.id_bytes, epoch=1) as journal:
            assert journal.last_round() == 0


def test_interrupting_key_generation_leaves_nothing(world):
    home = at_stage(
        world.home("bob"), without(world.consortium, "key", "model", "settlement"), key=False, model=False
    )
    before = contents(home.path)
    host, port = world.consortium.members[1].mesh_address.split(":")
    with started("keygen", "--home", home.path) as process:
        listening((host, int(port)), process)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    check_line(error, "interrupted", logs=True)
    assert contents(home.path) == before


def listening(address, process):
    """Wait until the process listens there: there is nothing else that tells from outside."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(address) == 0:
                return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    pytest.fail("it does not listen")


# At the terminal


@contextmanager
def at_terminal(*arguments):
    """The process with a terminal that the test types on."""
    keyboard, screen = pty.openpty()
    variables = environment()
    del variables["MPC_PASSPHRASE"]
    try:
        with started(*arguments, stdin=screen, stderr=subprocess.PIPE, env=variables) as process:
            yield process, keyboard, screen
    finally:
        os.close(keyboard)
        os.close(screen)


def prompt(process, text):
    said = ""
    while not said.endswith(": "):
        said += process.stderr.read(1)
    assert text in said


@pytest.mark.parametrize(
    ("typed", "status", "say"),
    [
        (["interrupt"], 130, "interrupted"),
        ([b"one\n", "interrupt"], 130, "interrupted"),
        ([b"\x04"], 2, "no passphrase given"),
        ([b"one\n", b"two\n"], 2, "the two passphrases differ"),
    ],
)
def test_init_that_is_not_answered_makes_nothing(tmp_path, typed, status, say):
    with at_terminal("init", "alice", "--mesh", "h:1", "--home", tmp_path / "home") as (
        process,
        keyboard,
        screen,
    ):
        for what in typed:
            prompt(process, "passphrase of alice")
            if what == "interrupt":
                process.send_signal(signal.SIGINT)
            else:
                os.write(keyboard, what)
        assert process.wait(DEADLINE) == status
        check_line(process.stderr.read(), say)
        assert termios.tcgetattr(screen)[3] & termios.ECHO  # one sees again what one types
    assert contents(tmp_path) == {}


def test_init_answered_at_the_terminal(tmp_path):
    home = tmp_path / "home"
    with at_terminal("init", "alice", "--mesh", "h:1", "--home", home) as (process, keyboard, _):
        for _ in range(2):
            prompt(process, "passphrase of alice")
            os.write(keyboard, b"correct horse\n")
        assert process.wait(DEADLINE) == 0
        assert "correct horse" not in process.stderr.read()
    assert PartyHome(home).identity(Passphrase("correct horse")).name == "alice"
