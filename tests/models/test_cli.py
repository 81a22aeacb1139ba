"""`mpc-models` in process: what dealing writes, in which order, and what an interrupted one leaves."""

import json
import subprocess
import sys

import msgspec
import pytest
import structlog
from typer.testing import CliRunner

from models import deal as dealing
from models.cli import app
from mpc_party.console import exit_code
from mpc_party.hedging.model import MINIMUM_VARIANCE
from mpc_party.protocol import consortium_file as files
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError
from mpc_party.protocol.model_share import open_share
from tests.support.party_homes import contents
from tests.support.signed_group import SignedGroup

MODEL = f'kind = "{MINIMUM_VARIANCE}"\na = -0.25\nb = 0.4\nc = -0.3\n'


@pytest.fixture(autouse=True)
def plain_logging():
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def group():
    return SignedGroup()


@pytest.fixture
def place(group, tmp_path):
    """A dealer's folder: the model and a consortium without one."""
    save_consortium(tmp_path / "consortium.toml", msgspec.structs.replace(group.consortium, model=None))
    (tmp_path / "model.toml").write_text(MODEL)
    return tmp_path


def deal(place, *options):
    arguments = [
        "deal", "--model", place / "model.toml", "--consortium", place / "consortium.toml", "--out", place / "out",
        *options,
    ]  # fmt: skip
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, ConsortiumError):
        return exit_code(result.exception), result.stdout, str(result.exception)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def check_dealt(group, place):
    consortium = load_consortium(place / "consortium.toml")
    for index, identity in enumerate(group.identities):
        data = (place / "out" / f"{identity.name}.model-share.age").read_bytes()
        commitment = bytes.fromhex(consortium.model)
        assert (
            open_share(data, identity.decrypt, member=index, commitment=commitment).header.kind
            == MINIMUM_VARIANCE
        )


def test_deal(group, place):
    status, out, _ = deal(place, "--json")
    said = json.loads(out)
    assert status == 0
    assert said["commitment"] == load_consortium(place / "consortium.toml").model
    assert list(said["shares"]) == ["alpha", "bravo", "charlie"]
    check_dealt(group, place)


def test_deal_tells_a_person_whose_file_is_which(group, place):
    status, out, said = deal(place)
    assert (status, out) == (0, "")
    for name in ("alpha", "bravo", "charlie"):
        assert f"for {name}: {place / 'out' / f'{name}.model-share.age'}" in said
    assert load_consortium(place / "consortium.toml").model in said


def test_a_model_is_replaced_only_when_told(group, place):
    deal(place)
    before = contents(place)
    status, _, said = deal(place)
    assert (status, "--replace" in said) == (2, True)
    assert contents(place) == before
    assert deal(place, "--replace")[0] == 0
    assert load_consortium(place / "consortium.toml").model.encode() not in before["consortium.toml"][1]
    check_dealt(group, place)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ConfigError("No space left on device")])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_dealing_leaves_the_consortium_as_it_was(group, place, monkeypatch, stop, after):
    """The commitment is the last thing written: whatever the moment, the file names no model without its shares."""
    written = []

    def write(path, data, **options):
        if len(written) == after:
            raise stop
        written.append(path)
        real(path, data, **options)

    real = dealing.write_atomic
    monkeypatch.setattr(dealing, "write_atomic", write)
    monkeypatch.setattr(files, "write_atomic", write)
    before = (place / "consortium.toml").read_bytes()
    assert deal(place)[0] in {2, 130}
    assert (place / "consortium.toml").read_bytes() == before
    assert len(written) == after
    monkeypatch.undo()
    assert deal(place)[0] == 0
    check_dealt(group, place)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (MODEL.replace("-0.25", "nan"), "finite"),
        (MODEL.replace("-0.25", "1e400"), "finite"),
        (MODEL.replace("-0.25", "9.0"), "<= 8"),
        (MODEL.replace(MINIMUM_VARIANCE, "network"), "kind"),
        (MODEL.replace("c =", "d ="), "d"),
        ("", "kind"),
        ("\0", "line 1"),
    ],
)
def test_a_bad_model_writes_nothing(place, text, match):
    (place / "model.toml").write_text(text)
    before = contents(place)
    status, out, said = deal(place)
    assert (status, out) == (2, "")
    assert match in said
    assert "\n" not in said
    assert contents(place) == before


@pytest.mark.parametrize("text", ["", "version = 3", "x" * 3000, None])
def test_a_bad_consortium_file_writes_nothing(place, text):
    if text is None:
        (place / "consortium.toml").unlink()
    else:
        (place / "consortium.toml").write_text(text)
    before = contents(place)
    status, out, said = deal(place)
    assert (status, out) == (2, "")
    assert "consortium.toml" in said
    assert contents(place) == before


def test_an_output_that_is_no_folder(place):
    (place / "out").write_text("")
    before = contents(place)
    status, _, said = deal(place)
    assert (status, "cannot make the folder" in said) == (2, True)
    assert contents(place) == before


def test_help_and_usage():
    for arguments in (["--help"], ["deal", "--help"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) > 8
    assert CliRunner().invoke(app, ["deal"]).exit_code == 2


def test_an_error_of_the_program_is_one_line(place):
    done = subprocess.run(
        [sys.executable, "-m", "models", "deal", "--model", place / "[none]", "--consortium",
         place / "consortium.toml", "--out", place / "out"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"mpc-models: model file {place / '[none]'}: no such file [config-invalid]\n"
