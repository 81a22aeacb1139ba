"""What a backup holds, what it never holds, and files that are none."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import msgspec
import pytest

from mpc_party.journal import Journal
from mpc_party.member import backup as module
from mpc_party.member.backup import PURPOSE, Backup, export_backup, open_backup, seal_backup
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.keystore import seal
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.signing import KeyShare
from tests.support.backups import instant_keystores
from tests.support.party_homes import SECRET, at_stage, contents, copy_of, make_world, without
from tests.support.regenerate_backup_golden import BACKUP

GOLDEN = Path(__file__).parent / "golden"


def test_the_format_is_version_1s():
    facts = json.loads((GOLDEN / "backup.v1.json").read_text())
    assert msgspec.msgpack.encode(BACKUP).hex() == facts["plaintext"]
    assert open_backup(GOLDEN / "backup.v1.sealed", SECRET) == BACKUP


@pytest.fixture(autouse=True)
def instant(request):
    if "world" not in request.fixturenames and "sealed" not in request.fixturenames:
        yield
        return
    with instant_keystores():
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with instant_keystores():
        return make_world(tmp_path_factory.mktemp("world") / "w")


@pytest.fixture
def world(made, tmp_path):
    return copy_of(made, tmp_path / "w")


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "sealed.backup"
    path.write_bytes(seal_backup(BACKUP, SECRET))
    return path


def refused(reason, match, call, *arguments):
    with pytest.raises(ConsortiumError, match=match) as caught:
        call(*arguments)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)


def run_a_round(home, consortium, number, nonce=b"n" * 32):
    with Journal.open(home.journal_file, consortium=consortium.id_bytes, epoch=consortium.epoch) as journal:
        journal.promise_round(number, b"p" * 32)
        journal.record_snapshot(number, b"s" * 32, opening=b"the opening of a round")
        journal.approve_and_spend(number, b"d" * 32, nonce)


def test_it_holds_what_a_member_cannot_get_again_and_nothing_of_the_journal(world, tmp_path):
    home, out, consortium = world.home("bob"), tmp_path / "bob.backup", world.consortium
    run_a_round(home, consortium, 41)
    before = contents(home.path)
    exported = export_backup(home, SECRET, SECRET, out)
    # SQLite leaves its own two beside a file that was only read.
    assert before.items() <= contents(home.path).items()
    assert set(contents(home.path)) - set(before) <= {"journal.sqlite-shm", "journal.sqlite-wal"}
    assert (exported.member, exported.last_round, exported.has_key, exported.has_model) == (
        "bob",
        41,
        True,
        True,
    )
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    found = open_backup(out, SECRET)
    assert (found.member, found.epoch, found.last_round) == ("bob", 1, 41)
    assert found.consortium() == consortium
    assert KeyShare.decode(found.key_share).index == 1
    assert found.model_share == home.model_share_file.read_bytes()
    plain = msgspec.msgpack.encode(found)
    for never in (b"n" * 32, b"s" * 32, b"d" * 32, b"the opening of a round", b"SQLite"):
        assert never in home.journal_file.read_bytes()
        assert never not in plain
    assert repr(found) == "<Backup of bob>"
    for secret in (plain, found.identity, found.key_share):
        assert secret not in out.read_bytes()


def test_it_is_written_beside_a_running_party(world, tmp_path):
    home, consortium = world.home("bob"), world.consortium
    with Journal.open(home.journal_file, consortium=consortium.id_bytes, epoch=1) as journal:
        journal.promise_round(7, b"p" * 32)
        assert export_backup(home, SECRET, SECRET, tmp_path / "b").last_round == 7


def test_under_a_passphrase_of_its_own(world, tmp_path):
    own, out = Passphrase("another"), tmp_path / "b"
    export_backup(world.home("bob"), SECRET, own, out)
    assert open_backup(out, own).member == "bob"
    refused(Reason.PASSPHRASE_WRONG, "passphrase is wrong", open_backup, out, SECRET)


def test_before_there_is_a_key_or_a_model(world, tmp_path):
    home = at_stage(
        world.home("bob"), without(world.consortium, "key", "model", "settlement"), key=False, model=False
    )
    exported = export_backup(home, SECRET, SECRET, tmp_path / "b")
    assert (exported.has_key, exported.has_model, exported.last_round) == (False, False, 0)


def test_a_folder_that_lacks_something_gives_no_backup(world, tmp_path):
    home, carol, out = world.home("bob"), world.home("carol"), tmp_path / "b"
    for file, reason in (
        (home.identity_file, Reason.CONFIG_INVALID),
        (home.consortium_file, Reason.CONFIG_INVALID),
        (home.key_share_file, Reason.CONSORTIUM_INCOMPLETE),
        (home.model_share_file, Reason.CONSORTIUM_INCOMPLETE),
    ):
        kept = file.read_bytes()
        file.unlink()
        refused(reason, "no ", export_backup, home, SECRET, SECRET, out)
        file.write_bytes((carol.path / file.name).read_bytes())
        if file != home.consortium_file:  # it is the same for all
            with pytest.raises(ConsortiumError):
                export_backup(home, SECRET, SECRET, out)
        file.write_bytes(kept)
    refused(Reason.PASSPHRASE_WRONG, "wrong", export_backup, home, Passphrase("no"), SECRET, out)
    assert not out.exists()
    out.write_text("something")
    refused(Reason.CONFIG_INVALID, "exists already", export_backup, home, SECRET, SECRET, out)
    assert out.read_text() == "something"


def test_between_two_epochs_there_is_no_backup(world, tmp_path):
    home, consortium, out = world.home("bob"), world.consortium, tmp_path / "b"
    with Journal.open(home.journal_file, consortium=consortium.id_bytes, epoch=1) as journal:
        journal.attest_handover(b"c" * 32, b"p" * 32, 2)
        refused(Reason.HANDOVER_UNDECIDED, "undecided", export_backup, home, SECRET, SECRET, out)
        journal.commit_handover(b"c" * 32, floor=9)
    refused(Reason.CONSORTIUM_MISMATCH, "seen epoch 2", export_backup, home, SECRET, SECRET, out)
    assert not out.exists()


def test_every_byte_counts(sealed):
    data = sealed.read_bytes()
    for position in range(0, len(data), 3):
        sealed.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(ConsortiumError) as caught:
            open_backup(sealed, SECRET)
        assert caught.value.reason in {Reason.PASSPHRASE_WRONG, Reason.CONFIG_INVALID}
    for length in range(0, len(data), 7):
        sealed.write_bytes(data[:length])
        with pytest.raises(ConsortiumError):
            open_backup(sealed, SECRET)


def with_version(number):
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(BACKUP))
    return msgspec.msgpack.encode([fields[0], number, *fields[2:]])


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\xc0",
        with_version(2),
        msgspec.msgpack.encode(BACKUP) + b"\x00",
        # the epoch 3 in two bytes, where one is enough
        msgspec.msgpack.encode(BACKUP).replace(b"\x11" * 32 + b"\x03", b"\x11" * 32 + b"\xcc\x03"),
        msgspec.msgpack.encode(msgspec.structs.replace(BACKUP, member="Bob!")),
        msgspec.msgpack.encode(msgspec.structs.replace(BACKUP, epoch=0)),
        b"\x91" * 5000 + b"\xc0",
    ],
)
def test_what_opens_and_is_no_backup(sealed, plain):
    sealed.write_bytes(seal(plain, SECRET, PURPOSE))
    refused(Reason.BACKUP_INVALID, "backup", open_backup, sealed, SECRET)


def test_other_sealed_files_are_no_backup(world):
    for file in (world.home("bob").identity_file, world.home("bob").key_share_file):
        refused(Reason.CONFIG_INVALID, f"not '{PURPOSE}'", open_backup, file, SECRET)


def test_a_backup_that_says_otherwise_than_its_consortium_file(world, tmp_path):
    out = tmp_path / "b"
    export_backup(world.home("bob"), SECRET, SECRET, out)
    found: Backup = open_backup(out, SECRET)
    for change in ({"epoch": 2}, {"consortium_id": b"x" * 32}, {"consortium_hash": b"x" * 32}):
        refused(
            Reason.BACKUP_INVALID,
            "another consortium file",
            msgspec.structs.replace(found, **change).consortium,
        )


def test_one_that_is_too_large(monkeypatch):
    monkeypatch.setattr(module, "MAX_SEALED", 100)
    refused(Reason.BACKUP_INVALID, "at most 100", seal_backup, BACKUP, SECRET)
