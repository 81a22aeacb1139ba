"""`mpc-party evidence`: a file in a member's folder, judged by anybody who has the consortium file."""

from __future__ import annotations

import stat

import msgspec
import pytest

from mpc_party.cli import app
from mpc_party.member.evidence_files import FOLDER, evidence_kept, keep_evidence, read_evidence
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.signing import KeygenContext, MessageKeys, SigningError
from mpc_party.signing.keygen import KeygenParty, drive_keygen
from tests.support.command_lines import call
from tests.support.consortium import make_cast
from tests.support.local_mesh import local_mesh, party_outcomes
from tests.support.signing_cheats import plus_one
from tests.support.signing_forger import Forger, altered

CEREMONY = b"\x0c" * 32


def disputed(cast, change):
    """Bob's evidence of a key generation in which carol changes what she sends."""
    consortium = cast.consortium
    public = {index: bytes.fromhex(member.signing_key) for index, member in enumerate(consortium.members)}
    keys = [MessageKeys(identity.sign, public) for identity in cast.members]
    context = KeygenContext(consortium.roster_hash, 1, 1, consortium.names, CEREMONY)
    meshes = local_mesh(range(3))
    meshes[2].tamper = Forger(keys[2], context.session, 2, change)
    outcomes = party_outcomes(meshes, lambda e: drive_keygen(e, KeygenParty(context, e.own), keys[e.own]))
    assert isinstance(outcomes[1], SigningError)
    return outcomes[1].evidence


@pytest.fixture(scope="module")
def cast():
    return make_cast()


@pytest.fixture(scope="module")
def evidence(cast):
    return disputed(cast, lambda tag, _, body: altered(body, {4: plus_one}) if tag == "keygen-deal" else body)


@pytest.fixture(scope="module")
def unproven(cast):
    def change(tag, peer, body):
        return altered(body, {1: bytes(32)}) if tag == "keygen-commit" and peer == 0 else body

    found = disputed(cast, change)
    kept = tuple(s for s in found.statements if s.sender == 1 and s.step == "dispute-answer")
    return msgspec.structs.replace(found, statements=kept)


@pytest.fixture
def file(tmp_path, cast, evidence):
    save_consortium(tmp_path / "consortium.toml", cast.consortium)
    kept = keep_evidence(tmp_path, evidence)
    assert kept is not None
    return kept


def test_evidence_is_kept_in_the_folder_for_its_owner_alone(file, tmp_path, evidence):
    assert file == tmp_path / FOLDER / "1-0c0c0c0c-keygen.evidence"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert read_evidence(file) == evidence
    second = keep_evidence(tmp_path, evidence)
    assert second is not None
    assert second.name == "1-0c0c0c0c-keygen-2.evidence"


def test_an_error_that_passes_leaves_its_evidence(tmp_path, evidence):
    error = SigningError("the check")
    error.evidence = evidence
    with pytest.raises(SigningError, match="the check"), evidence_kept(tmp_path):
        raise error
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    with pytest.raises(SigningError), evidence_kept(tmp_path):
        raise SigningError("without any")
    assert len(list((tmp_path / FOLDER).iterdir())) == 1


def test_what_cannot_be_written_hides_no_error(tmp_path, evidence):
    (tmp_path / FOLDER).write_text("in the way")
    error = SigningError("the check")
    error.evidence = evidence
    with pytest.raises(SigningError, match="the check"), evidence_kept(tmp_path):
        raise error


def test_verify_names_who_is_proven_at_fault_and_ends_with_0(file, tmp_path):
    for options in (("--consortium", tmp_path / "consortium.toml"), ("--home", tmp_path)):
        said = call(app, "evidence", "verify", file, *options)
        assert said.status == 0
        assert "signed: carol dealt a share that does not lie on its polynomial" in said.text
        assert "key generation 0c0c0c0c of epoch 1, written by bob" in said.text
        assert "have that file from somebody else than the accuser" in said.text
        assert said.out == ""


def test_verify_prints_json(file, tmp_path):
    said = call(app, "evidence", "verify", file, "--home", tmp_path, "--json")
    assert said.status == 0
    assert said.json["proven"] == ["carol"]
    assert said.json["assembled_by"] == "bob"
    [believed] = said.json["judged_by"]
    assert believed["roster"] == load_consortium(tmp_path / "consortium.toml").roster_hash.hex()
    assert said.json["findings"][0] == {
        "member": "carol",
        "fault": "wrong-deal",
        "proof": "signed",
        "text": "dealt a share that does not lie on its polynomial",
    }


def test_verify_ends_with_1_where_nobody_is_proven_at_fault(tmp_path, cast, unproven):
    save_consortium(tmp_path / "consortium.toml", cast.consortium)
    file = keep_evidence(tmp_path, unproven)
    said = call(app, "evidence", "verify", file, "--home", tmp_path)
    assert said.status == 1
    assert "nobody is proven at fault" in said.text


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d + b"\0", lambda _: b"", lambda _: b"noise"])
def test_a_damaged_file_ends_with_1(file, tmp_path, damage):
    file.write_bytes(damage(file.read_bytes()))
    for command in (("verify", file, "--home", tmp_path), ("show", file)):
        said = call(app, "evidence", *command)
        assert said.status == 1
        assert "evidence-invalid" in said.text


def test_a_byte_changed_in_what_others_signed_proves_nothing_any_more(file, tmp_path, evidence):
    statements = [
        msgspec.structs.replace(s, signature=s.signature[:-1] + bytes([s.signature[-1] ^ 1]))
        for s in evidence.statements
    ]
    file.write_bytes(msgspec.structs.replace(evidence, statements=tuple(statements)).encode())
    said = call(app, "evidence", "verify", file, "--home", tmp_path, "--json")
    assert said.status == 1
    assert said.json["findings"] == []


def test_another_consortium_file_is_refused(file, tmp_path):
    other = tmp_path / "other.toml"
    save_consortium(other, make_cast().consortium)
    said = call(app, "evidence", "verify", file, "--consortium", other)
    assert said.status == 2
    assert "consortium-mismatch" in said.text
    with pytest.raises(ConfigError) as raised:
        load_consortium(tmp_path / "none.toml")
    assert raised.value.reason is Reason.CONFIG_INVALID


def test_show_lists_what_is_in_it_without_any_key(file):
    said = call(app, "evidence", "show", file)
    assert said.status == 0
    assert "nothing here is verified" in said.text
    assert "deal of member 2 to member 1" in said.text
    listed = call(app, "evidence", "show", file, "--json")
    assert listed.json["assembled_by"] == 1
    assert {s["statement"] for s in listed.json["statements"]} == {"disclosure", "dispute-answer"}
