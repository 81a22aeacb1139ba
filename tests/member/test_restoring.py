"""Taking a backup back: what comes back, and what must not, whoever tries."""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest

from mpc_party.journal import Journal, read_standing
from mpc_party.member.backup import export_backup, open_backup
from mpc_party.member.home import PartyHome
from mpc_party.member.overview import overview
from mpc_party.member.restoring import import_backup
from mpc_party.member.running import Options, run_until_interrupted
from mpc_party.protocol.card import save_card
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConsortiumError, Reason, RoundError
from mpc_party.protocol.keystore import seal
from mpc_party.protocol.passphrase import Passphrase
from tests.support.backups import forged, instant_keystores, lose
from tests.support.party_homes import SECRET, contents, copy_of, make_world, without

FILES = ("consortium.toml", "key-share.keystore", "model-share.age", "bob.member.toml", "identity.keystore")
NONCE = b"n" * 32


@pytest.fixture(autouse=True)
def instant():
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
def home(world):
    home = world.home("bob")
    save_card(home.path / "bob.member.toml", world.identities[1].card())
    return home


@pytest.fixture
def backup(home, tmp_path):
    """Of bob, when round 40 was his last."""
    with opened(home) as journal:
        journal.promise_round(40, b"p" * 32)
    export_backup(home, SECRET, SECRET, tmp_path / "bob.backup")
    return tmp_path / "bob.backup"


def opened(home, epoch=1) -> Journal:
    return Journal.open(home.journal_file, consortium=home.consortium().id_bytes, epoch=epoch)


def run_a_round(home, number):
    with opened(home) as journal:
        journal.promise_round(number, b"p" * 32)
        journal.approve_and_spend(number, b"d" * 32, NONCE)


def take_back(home, backup, after_round=None, *, passphrase=SECRET, own=SECRET):
    return import_backup(home, backup, passphrase, own, after_round)


def refused(reason, match: str | None, call, *arguments, **named):
    with pytest.raises(ConsortiumError, match=match) as caught:
        call(*arguments, **named)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)
    return caught.value


def not_ready(home, reason):
    error = refused(reason, None, run_until_interrupted, home, SECRET, Options("simulated:3"))
    assert overview(home, 5)["ready"] is False
    return error


def works(home, last_round):
    """It is a whole folder, whose party takes part in the round after this one and in none before."""
    identity, consortium = home.identity(SECRET), home.consortium()
    own = identity.require_member(consortium)
    home.key_share(SECRET, consortium, own)
    home.model_share(identity, consortium, own)
    with opened(home) as journal:
        journal.require_ready()
        for number in (1, 40, last_round):
            with pytest.raises(RoundError) as caught:
                journal.promise_round(number, b"q" * 32)
            assert caught.value.reason is Reason.ROUND_ALREADY_PROMISED
        journal.promise_round(last_round + 1, b"q" * 32)


@pytest.mark.parametrize("place", ["none", "empty", "other files"])
def test_into_a_new_folder_all_comes_back_but_rounds_only_once_it_is_safe(backup, tmp_path, place):
    home = PartyHome(tmp_path / "elsewhere" / "bob")
    if place != "none":
        home.path.mkdir(parents=True)
    if place == "other files":
        home.settings_file.write_text("market = 'simulated:3'")
    done = take_back(home, backup)
    assert (done.member, done.written, done.last_round, done.known) == ("bob", FILES, 40, False)
    assert "--after-round" in done.remedy
    for file in home.path.iterdir():
        if file.name not in {"consortium.toml", "bob.member.toml", "party.toml"}:
            assert file.stat().st_mode & 0o077 == 0, file
    assert not list(tmp_path.rglob("*.restoring-*"))
    error = not_ready(home, Reason.RESTORED_UNSAFE)
    assert "--after-round" in error.remedy
    with opened(home) as journal, pytest.raises(RoundError) as caught:
        journal.promise_round(41, b"q" * 32)
    assert caught.value.reason is Reason.RESTORED_UNSAFE
    done = take_back(home, backup, 77)  # the same again, with the number
    assert (done.written, done.last_round, done.known, done.remedy) == ((), 77, True, None)
    works(home, 77)


def test_all_at_once(backup, tmp_path):
    home = PartyHome(tmp_path / "bob")
    assert take_back(home, backup, 77).known
    works(home, 77)


def test_below_its_own_last_round_nothing_is_safe(backup, tmp_path):
    home = PartyHome(tmp_path / "bob")
    refused(Reason.CONFIG_INVALID, "round 40 itself", take_back, home, backup, 39)
    assert not home.path.exists()
    assert take_back(home, backup, 40).known
    works(home, 40)


def test_a_round_after_the_export_stays_promised_and_its_nonce_spent(home, backup):
    run_a_round(home, 41)
    lose(home, home.key_share_file, home.model_share_file)
    done = take_back(home, backup)
    assert (done.written, done.last_round, done.known) == (
        ("key-share.keystore", "model-share.age"),
        41,
        True,
    )
    with opened(home) as journal:
        journal.promise_round(42, b"p" * 32)
        journal.approve_digest(42, b"d" * 32)
        with pytest.raises(RoundError) as caught:
            journal.spend_nonce(42, NONCE)
        assert caught.value.reason is Reason.NONCE_SPENT
    works(home, 42)


def test_with_the_journal_lost_the_rounds_since_the_export_are_not_repeated(home, backup):
    """The other members have seen round 41, and say so."""
    run_a_round(home, 41)
    lose(home)
    take_back(home, backup)
    not_ready(home, Reason.RESTORED_UNSAFE)
    take_back(home, backup, 41)
    works(home, 41)


def test_a_journal_that_is_damaged_is_moved_away_and_made_anew(home, backup):
    home.journal_file.write_bytes(b"damaged" * 1000)
    refused(Reason.JOURNAL_UNUSABLE, None, take_back, home, backup)
    home.journal_file.rename(home.path / "damaged.sqlite")
    assert take_back(home, backup).written == ()
    not_ready(home, Reason.RESTORED_UNSAFE)


def test_a_journal_older_than_the_backup_is_an_old_copy_and_not_trusted(home, backup, tmp_path):
    copied = home.journal_file.read_bytes()
    run_a_round(home, 41)
    export_backup(home, SECRET, SECRET, tmp_path / "later.backup")
    home.journal_file.write_bytes(copied)
    done = take_back(home, tmp_path / "later.backup")
    assert (done.last_round, done.known) == (41, False)
    not_ready(home, Reason.RESTORED_UNSAFE)


@pytest.mark.parametrize("here", ["whole", "journal only", "consortium file only"])
def test_an_epoch_that_is_over_does_not_come_back(home, backup, here):
    with opened(home) as journal:
        journal.attest_handover(b"c" * 32, b"p" * 32, 2)
        journal.commit_handover(b"c" * 32, floor=50)
    later = without(home.consortium(), "key", "model", "settlement")
    later = type(later)(**{name: getattr(later, name) for name in later.__struct_fields__} | {"epoch": 2})
    save_consortium(home.consortium_file, later)
    lose(home, home.key_share_file)
    if here != "whole":
        kept = home.journal_file if here == "journal only" else home.consortium_file
        lose(home, *(file for file in home.path.iterdir() if file != kept))
    before = contents(home.path)
    error = refused(Reason.BACKUP_OUTDATED, "epoch 1, which is over", take_back, home, backup, 100)
    assert "recover" in error.remedy
    assert before.items() <= contents(home.path).items()
    assert not home.has(home.key_share_file)


def test_between_two_epochs_the_handover_stays_undecided(home, backup):
    with opened(home) as journal:
        journal.attest_handover(b"c" * 32, b"p" * 32, 2)
    lose(home, home.key_share_file)
    take_back(home, backup, 1000)
    not_ready(home, Reason.HANDOVER_UNDECIDED)
    with opened(home) as journal:
        assert journal.undecided().ceremony == b"c" * 32


def changes_nothing(home, reason, match, *arguments, **named):
    before = contents(home.path)
    error = refused(reason, match, take_back, home, *arguments, **named)
    after = contents(home.path)
    assert {k: v for k, v in after.items() if not k.startswith("journal")} == {
        k: v for k, v in before.items() if not k.startswith("journal")
    }
    return error


def test_nothing_that_is_there_is_replaced(home, world, backup):
    for name, other in (
        ("key-share.keystore", seal(b"another share", SECRET, "group key share")),
        ("model-share.age", world.home("carol").model_share_file.read_bytes()),
        ("consortium.toml", None),
    ):
        file = home.path / name
        kept = file.read_bytes()
        if other is None:
            save_consortium(file, without(world.consortium, "settlement"))
        else:
            file.write_bytes(other)
        lose(home, home.path / "bob.member.toml")
        assert "not replaced" in str(changes_nothing(home, Reason.CONSORTIUM_MISMATCH, name, backup))
        file.write_bytes(kept)
    take_back(home, backup)


def test_anothers_backup_or_folder(world, home, backup):
    carol = world.home("carol")
    lose(carol, carol.key_share_file)
    changes_nothing(carol, Reason.KEY_UNKNOWN, "of carol, the backup holds other keys, of bob", backup)
    lose(carol, carol.identity_file)  # what is left is still carol's
    changes_nothing(carol, Reason.CONSORTIUM_MISMATCH, r"model-share\.age is there and differs", backup)


def test_a_folder_of_another_consortium(backup, tmp_path):
    other = make_world(tmp_path / "other").home("bob")
    changes_nothing(other, Reason.KEY_UNKNOWN, "other keys", backup)
    lose(other, *(file for file in other.path.iterdir() if file.name != "consortium.toml"))
    changes_nothing(other, Reason.CONSORTIUM_MISMATCH, r"consortium\.toml", backup)


def test_wrong_passphrases(home, backup, tmp_path):
    wrong = Passphrase("wrong")
    changes_nothing(home, Reason.PASSPHRASE_WRONG, "backup", backup, own=wrong)
    changes_nothing(home, Reason.PASSPHRASE_WRONG, "keystore", backup, passphrase=wrong)
    fresh = PartyHome(tmp_path / "fresh")
    take_back(fresh, backup, 40, passphrase=wrong)  # a new folder has whatever passphrase it is given
    assert fresh.identity(wrong).name == "bob"
    refused(Reason.PASSPHRASE_WRONG, None, fresh.identity, SECRET)


def test_parts_that_do_not_belong_together(world, home, backup, tmp_path):
    """Only who knows the passphrase can make one, by mistake or not."""
    export_backup(world.home("carol"), SECRET, SECRET, tmp_path / "carol.backup")
    carol = open_backup(tmp_path / "carol.backup", SECRET)
    fresh = PartyHome(tmp_path / "fresh")
    for reason, changes in (
        (Reason.BACKUP_INVALID, {"identity": carol.identity}),
        (Reason.BACKUP_INVALID, {"member": "carol"}),
        (Reason.CONSORTIUM_MISMATCH, {"identity": carol.identity, "member": "carol"}),
        (Reason.CONSORTIUM_MISMATCH, {"key_share": carol.key_share}),
        (Reason.CONSORTIUM_INCOMPLETE, {"key_share": None}),
        (Reason.CONSORTIUM_INCOMPLETE, {"model_share": None}),
        (Reason.MODEL_MISMATCH, {"model_share": carol.model_share}),
        (Reason.CONFIG_INVALID, {"identity": b"no keys"}),
        (Reason.CONFIG_INVALID, {"key_share": b"no share"}),
        (Reason.CONFIG_INVALID, {"consortium_file": "version = 7"}),
    ):
        refused(reason, None, take_back, fresh, forged(backup, **changes))
        assert not fresh.path.exists()
        assert not list(tmp_path.glob("*.restoring-*"))


def test_while_the_party_runs(home, backup):
    lose(home, home.key_share_file)
    with opened(home):
        changes_nothing(home, Reason.ALREADY_RUNNING, "runs this party", backup)
    take_back(home, backup)


@pytest.mark.parametrize("place", ["a file", "in a file"])
def test_a_place_that_cannot_be_a_folder(backup, tmp_path, place):
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" if place == "a file" else tmp_path / "file" / "bob"
    with pytest.raises(ConsortiumError):
        take_back(PartyHome(path), backup)
    assert (tmp_path / "file").read_text() == "no folder"


CHANGES = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "sqlite3.connect", "tempfile.mkdtemp"}


def killed_at(step, work) -> bool:
    """Run in a process that SIGKILL ends before its nth change of the file system; whether it came to that."""
    child = os.fork()
    if child == 0:
        left = step

        def watch(event, _arguments):
            nonlocal left
            if event in CHANGES:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(watch)
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    "lost",
    [
        None,
        ("journal.sqlite", "identity.keystore"),
        pytest.param(("key-share.keystore",), marks=pytest.mark.slow),
        pytest.param(FILES, marks=pytest.mark.slow),
    ],
)
def test_a_kill_at_any_moment_does_no_harm(home, backup, tmp_path, lost):
    """None: all, so that the folder is empty. In the end the same command makes it whole."""
    run_a_round(home, 41)
    lose(home, *(home.path / name for name in (lost or [file.name for file in home.path.iterdir()])))
    was = set(contents(home.path))
    for step in range(1, 100):
        again = PartyHome(tmp_path / str(step) / "bob")
        shutil.copytree(home.path, again.path)
        kept = contents(again.path)
        if not killed_at(step, lambda again=again: take_back(again, backup)):
            assert step > 10
            return
        now = {name: value for name, value in contents(again.path).items() if ".restoring" not in name}
        # No file has changed, and what came is whole. Without a journal of its own, nothing runs.
        assert {name: value for name, value in now.items() if name in was and "journal" not in name} == {
            name: value for name, value in kept.items() if "journal" not in name
        }
        if lost is None:
            assert not now or set(FILES) <= set(now)  # all or nothing
        if set(FILES) & set(now) - was:
            standing = read_standing(again.journal_file)
            assert standing.last_round == (41 if "journal.sqlite" in was else 40)
            assert standing.floor.known == ("journal.sqlite" in was)
        take_back(again, backup, 41)
        works(again, 41)
        assert not list((tmp_path / str(step)).rglob("*.restoring-*"))
    raise AssertionError("the import does not end")
