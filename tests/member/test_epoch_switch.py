"""A folder between two epochs: what counts at which moment, and what is left of the old shares."""

from __future__ import annotations

import os

import pytest

from mpc_party.journal import Journal, read_standing
from mpc_party.member import running
from mpc_party.member.epoch_switch import Pending, erase, finish_move, pending_folders
from mpc_party.member.joining import take_up_epoch
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import write_atomic
from tests.support.deaths import deaths
from tests.support.party_homes import SECRET, contents, quick_keystores
from tests.support.reshares import copied


def settled(home):
    """All files but those that reading a journal makes and leaves."""
    return {name: found for name, found in contents(home.path).items() if "sqlite-" not in name}


@pytest.fixture(scope="module")
def stopped(founded_desks, tmp_path_factory):
    """Bob is killed when its signature has left; the others have completed the epoch."""
    with quick_keystores():
        scene = copied(founded_desks, tmp_path_factory.mktemp("stopped") / "w")
        with deaths("bob", ("after attest_handover", "after CEREMONY")):
            outcomes = scene.refresh()
    assert scene.home("alice").consortium().epoch == scene.home("carol").consortium().epoch == 2
    return scene, outcomes


@pytest.fixture
def undecided(stopped, tmp_path):
    """The same for one test to change."""
    return copied(stopped[0], tmp_path / "w"), stopped[1]


def test_a_member_that_missed_the_end_joins_by_the_certificate(undecided):
    scene, outcomes = undecided
    bob, alice = scene.home("bob"), scene.home("alice")
    standing = read_standing(bob.journal_file)
    assert standing.undecided.to_epoch == 2
    assert bob.consortium().epoch == 1
    # It signs in no epoch, and says what to do.
    with pytest.raises(ConsortiumError) as caught:
        running.run_until_interrupted(bob, SECRET, running.Options(market="simulated:1"))
    assert caught.value.reason is Reason.HANDOVER_UNDECIDED
    assert "mpc-party join" in caught.value.remedy
    sealed = bob.key_share_file.read_bytes()
    transcript = outcomes["alice"].file
    joined = take_up_epoch(bob, scene.identities["bob"], alice.consortium_file, transcript)
    assert joined.hash == alice.consortium().hash
    bob.key_share(SECRET, joined, 1)
    assert not pending_folders(bob)
    assert all(sealed not in p.read_bytes() for p in bob.path.rglob("*") if p.is_file())
    assert (bob.path / "refresh-2.transcript").read_bytes() == transcript.read_bytes()


@pytest.mark.slow
def test_it_joins_by_nothing_else(undecided, founded_desks, tmp_path):
    scene, outcomes = undecided
    bob, identity = scene.home("bob"), scene.identities["bob"]
    before = settled(bob)
    other = copied(founded_desks, tmp_path / "other")
    others = other.refresh()
    alice = scene.home("alice")
    for file, transcript in (
        (alice.consortium_file, others["alice"].file),
        (other.home("alice").consortium_file, outcomes["alice"].file),
        (bob.consortium_file, outcomes["alice"].file),
    ):
        with pytest.raises(ConsortiumError):
            take_up_epoch(bob, identity, file, transcript)
        assert settled(bob) == before
    # Who has nothing undecided takes nothing up by a certificate.
    with pytest.raises(ConfigError, match="has signed and not seen the end of"):
        take_up_epoch(alice, scene.identities["alice"], alice.consortium_file, outcomes["alice"].file)


@pytest.mark.slow
def test_the_same_command_brings_it_along_with_those_that_are_done(undecided):
    scene, _ = undecided

    def again(name):
        return scene.refresh(name, to_epoch=2 if name != "bob" else None)[name]

    outcomes = scene.together(again, ("alice", "bob", "carol"))
    assert {found.consortium.hash for found in outcomes.values()} == {scene.home("alice").consortium().hash}
    assert "this member is in epoch 2, and helps others to come there" in scene.said["alice"]


def test_run_finishes_a_move_that_was_killed(undecided, monkeypatch):
    """Dead after the certificate was written, before the record that follows from it: no other member is needed."""
    scene, outcomes = undecided
    bob = scene.home("bob")
    (pending,) = pending_folders(bob)
    write_atomic(pending.path / "certificate", outcomes["alice"].file.read_bytes())
    monkeypatch.setattr(running, "desk_view", lambda *_: pytest.skip("it would start now"))
    with pytest.raises(pytest.skip.Exception):
        running.run_until_interrupted(bob, SECRET, running.Options(market="simulated:1"))
    assert bob.consortium().epoch == 2
    assert not pending_folders(bob)


@pytest.mark.slow
def test_without_a_pending_folder_an_undecided_member_says_what_is_lost(undecided):
    scene, _ = undecided
    bob = scene.home("bob")
    (pending,) = pending_folders(bob)
    for file in pending.path.iterdir():
        file.unlink()
    pending.path.rmdir()

    def again(name):
        return scene.refresh(name, to_epoch=2 if name != "bob" else None)[name]

    found = scene.together(again, ("alice", "bob", "carol"))["bob"]
    assert isinstance(found, ConsortiumError)
    assert "mpc-party recover" in found.remedy


def test_a_folder_without_a_record_is_left_alone(scene):
    home = scene.home("alice")
    (home.path / "pending-00000000").mkdir()
    before = contents(home.path)
    assert finish_move(home) is None
    assert contents(home.path) == before


def test_erasing_writes_over_the_blocks_and_then_unlinks(tmp_path):
    file = tmp_path / "share"
    file.write_bytes(b"secret" * 100)
    kept = tmp_path / "same-blocks"
    os.link(file, kept)
    erase(file)
    assert not file.exists()
    assert kept.stat().st_size == 600
    assert b"secret" not in kept.read_bytes()


@pytest.mark.slow
def test_a_disk_that_is_full_stops_it_before_anybody_promises(scene, monkeypatch):
    real = Pending.store

    def full(self, *arguments, **named):
        if self.path.parent.name == "bob":
            raise ConfigError("pending: cannot be written: No space left on device")
        real(self, *arguments, **named)

    monkeypatch.setattr(Pending, "store", full)
    outcomes = scene.refresh()
    assert "No space left" in str(outcomes["bob"])
    for name in scene.old.names:
        standing = read_standing(scene.home(name).journal_file)
        assert standing is None or standing.obstacle is None
    monkeypatch.undo()
    assert not any(isinstance(found, BaseException) for found in scene.refresh().values())


@pytest.mark.slow
def test_the_new_epoch_begins_above_what_honest_members_promised(scene):
    """One member may say too much; the second highest counts, and each member's own promises."""
    for name, last in (("alice", 9), ("bob", 10**9), ("carol", 12)):
        with Journal.open(scene.home(name).journal_file, consortium=scene.old.id_bytes, epoch=1) as journal:
            journal.promise_round(last, bytes(32))
    outcomes = scene.refresh()
    assert {found.transcript.body.floor for found in outcomes.values()} == {12}
    standing = {name: read_standing(scene.home(name).journal_file).last_round for name in outcomes}
    assert standing == {"alice": 12, "bob": 10**9, "carol": 12}
