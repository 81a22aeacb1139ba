"""`mpc-party evidence verify` on the evidence of a failed resharing: it takes the files of both epochs."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from mpc_party.cli.evidence import app
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.signing import ReshareContext
from tests.support.reshare_cheats import Cheat
from tests.support.reshare_world import CEREMONY, TwoEpochs, keys_of


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What alice has written after dave, who was to join, confirmed another result; and the files of both epochs."""
    world = TwoEpochs()
    session = ReshareContext.between(world.old, world.new, CEREMONY).session
    keys = keys_of(world.identities[3], world.identities)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mpc_party.signing.dispute.SECONDS", 2.0)
        error = world.reshare(3, Cheat(3, session, keys, "reshare-confirm", "another result", None))[0]
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "it.evidence").write_bytes(error.evidence.encode())
    save_consortium(folder / "old.toml", world.old)
    save_consortium(folder / "new.toml", world.new)
    return folder


def verify(files, *options):
    return CliRunner().invoke(
        app, ["verify", str(files / "it.evidence"), "--consortium", str(files / "old.toml"), *options]
    )


def test_the_joiner_is_named_by_the_new_file(files):
    result = verify(files, "--successor", str(files / "new.toml"), "--json")
    assert result.exit_code == 0
    judged = json.loads(result.stdout)
    assert judged["proven"] == ["dave"]
    assert judged["assembled_by"] == "alice"
    assert "resharing" in judged["about"]


def test_without_the_new_file_it_says_what_is_missing(files):
    result = verify(files)
    assert isinstance(result.exception, ConfigError)
    assert result.exception.reason is Reason.CONSORTIUM_MISMATCH
    assert "--successor" in result.exception.remedy
