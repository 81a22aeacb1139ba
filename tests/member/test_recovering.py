"""Recovery of one member's shares as members run it: real folders, a real mesh, a thread for each."""

from __future__ import annotations

import pytest

from mpc_party.journal import Journal, read_standing
from mpc_party.member.epoch_switch import pending_folders
from mpc_party.member.recovering import run_recover_command
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.resharing.transcript import load_transcript
from tests.support.deaths import Killed, deaths, distinct
from tests.support.party_homes import SECRET
from tests.support.reshares import copied, desks


def recover(scene, name, *others, newer=None, wait=20.0):
    def run(who):
        say = scene.said.setdefault(who, []).append
        mine = newer if who == name else None
        return run_recover_command(
            scene.home(who), SECRET, name, others, newer=mine, wait=wait, listen=None, say=say
        )

    return scene.together(run, (name, *others))


def promise(scene, name, round_number):
    consortium = scene.home(name).consortium()
    with Journal.open(
        scene.home(name).journal_file, consortium=consortium.id_bytes, epoch=consortium.epoch
    ) as journal:
        journal.promise_round(round_number, bytes(32))


def lose(home):
    """A new machine, with the identity and the consortium file from elsewhere."""
    for file in home.path.iterdir():
        if file.name not in {"identity.keystore", "consortium.toml"}:
            file.unlink()


def succeeded(outcomes):
    failures = {name: found for name, found in outcomes.items() if isinstance(found, BaseException)}
    assert not failures
    (_,) = {found.file.read_bytes() for found in outcomes.values()}
    return load_transcript(next(iter(outcomes.values())).file)


def test_a_member_that_lost_everything_has_its_shares_back_and_a_floor(scene):
    bob = scene.home("bob")
    before = bob.key_share(SECRET, scene.old, 1), bob.model_share(scene.identities["bob"], scene.old, 1)
    promise(scene, "alice", 17)
    promise(scene, "carol", 23)
    untouched = scene.home("alice").key_share_file.read_bytes()
    lose(bob)
    outcomes = recover(scene, "bob", "alice", "carol")
    transcript = succeeded(outcomes)
    share = bob.key_share(SECRET, scene.old, 1)
    assert share.secret == before[0].secret
    assert bob.model_share(scene.identities["bob"], scene.old, 1).commitment == before[1].commitment
    assert transcript.body.floor == outcomes["bob"].floor == 23
    assert outcomes["bob"].safe
    standing = read_standing(bob.journal_file)
    assert (standing.last_round, standing.obstacle) == (23, None)
    assert scene.home("alice").key_share_file.read_bytes() == untouched
    assert scene.home("alice").consortium().hash == scene.old.hash
    # The same again writes the same.
    succeeded(recover(scene, "bob", "alice", "carol"))
    assert bob.key_share(SECRET, scene.old, 1).secret == share.secret


@pytest.mark.slow
def test_too_few_witnesses_leave_a_lost_journal_unsafe(tmp_path):
    """Four members: two helpers do not know every committee, three do."""
    scene = desks(tmp_path / "w", 4)
    dave = scene.home("dave")
    lose(dave)
    outcomes = recover(scene, "dave", "alice", "bob")
    succeeded(outcomes)
    assert not outcomes["dave"].safe
    assert read_standing(dave.journal_file).obstacle.reason is Reason.RESTORED_UNSAFE
    outcomes = recover(scene, "dave", "alice", "bob", "carol")
    assert outcomes["dave"].safe
    assert read_standing(dave.journal_file).obstacle is None


@pytest.mark.slow
def test_a_journal_that_is_there_stays_and_only_rises(scene):
    promise(scene, "bob", 40)
    scene.home("bob").key_share_file.unlink()
    outcomes = recover(scene, "bob", "alice", "carol")
    succeeded(outcomes)
    assert read_standing(scene.home("bob").journal_file).last_round == 40
    assert outcomes["bob"].safe


@pytest.mark.slow
def test_a_member_left_behind_comes_to_the_present_epoch(tmp_path):
    """Bob's disk is of before the refresh: with the newer file, and the others' help, it is in the new epoch."""
    scene = desks(tmp_path / "w", 4)
    backup = {file.name: file.read_bytes() for file in scene.home("bob").path.iterdir() if file.is_file()}
    assert not any(isinstance(found, BaseException) for found in scene.refresh().values())
    bob = scene.home("bob")
    for file in bob.path.iterdir():
        file.unlink()
    for name, data in backup.items():
        (bob.path / name).write_bytes(data)
    newer = scene.home("alice").consortium_file
    outcomes = recover(scene, "bob", "alice", "carol", "dave", newer=newer)
    succeeded(outcomes)
    assert bob.consortium().epoch == 2
    bob.key_share(SECRET, bob.consortium(), 1)
    assert read_standing(bob.journal_file).obstacle is None
    assert all(backup["key-share.keystore"] not in p.read_bytes() for p in bob.path.iterdir() if p.is_file())


def test_what_cannot_be_is_said_before_anything_is_sent(scene, monkeypatch):
    monkeypatch.setattr("mpc_party.member.ceremony.POLL_SECONDS", 0.2)

    def alone(who, name, *others):
        return run_recover_command(
            scene.home(who), SECRET, name, others, newer=None, wait=0.3, listen=None, say=print
        )

    with pytest.raises(ConsortiumError, match="takes 2 other members"):
        alone("bob", "bob", "alice")
    with pytest.raises(ConfigError, match="not a member"):
        alone("bob", "bob", "alice", "zoe")
    with pytest.raises(ConsortiumError) as caught:
        alone("bob", "bob", "alice", "carol")
    assert caught.value.reason is Reason.PEER_UNREACHABLE


@pytest.mark.slow
def test_who_is_not_named_takes_no_part(tmp_path):
    scene = desks(tmp_path / "w", 4)
    with pytest.raises(ConfigError, match="dave is neither bob nor among those that help"):
        run_recover_command(
            scene.home("dave"),
            SECRET,
            "bob",
            ("alice", "carol"),
            newer=None,
            wait=0.3,
            listen=None,
            say=print,
        )


@pytest.mark.slow
def test_one_that_is_undecided_and_has_lost_its_pending_folder_is_brought_along(tmp_path):
    """Bob has signed a refresh that the others completed; what it would need to end it is gone."""
    scene = desks(tmp_path / "w", 4)
    with deaths("bob", ("after attest_handover", "after CEREMONY")):
        outcomes = scene.refresh()
    assert not any(isinstance(outcomes[name], BaseException) for name in ("alice", "carol", "dave"))
    bob = scene.home("bob")
    (pending,) = pending_folders(bob)
    for file in pending.path.iterdir():
        file.unlink()
    newer = scene.home("alice").consortium_file
    outcomes = recover(scene, "bob", "alice", "carol", "dave", newer=newer)
    succeeded(outcomes)
    assert (bob.consortium().epoch, outcomes["bob"].safe) == (2, True)
    bob.key_share(SECRET, bob.consortium(), 1)
    assert read_standing(bob.journal_file).obstacle is None
    assert not pending_folders(bob)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["bob", "alice"])
def test_a_death_at_any_step_of_a_recovery_costs_another_try_only(founded_desks, tmp_path, victim):
    share = founded_desks.key_shares(founded_desks.old, ["bob"])[0]
    scene = copied(founded_desks, tmp_path / "count")
    lose(scene.home("bob"))
    with deaths(victim) as counting:
        succeeded(recover(scene, "bob", "alice", "carol"))
    steps = distinct(counting.steps)
    assert len(steps) > 20
    for at in steps:
        scene = copied(founded_desks, tmp_path / f"w{at}")
        promise(scene, "alice", 17)
        lose(scene.home("bob"))
        with deaths(victim, at):
            assert isinstance(recover(scene, "bob", "alice", "carol")[victim], Killed)
        # Whatever is there of its journal promises nothing that the lost one may have promised.
        standing = read_standing(scene.home("bob").journal_file)
        assert standing is None or standing.obstacle is not None or standing.last_round >= 17
        succeeded(recover(scene, "bob", "alice", "carol"))
        assert scene.key_shares(scene.old, ["bob"])[0].secret == share.secret
        assert read_standing(scene.home("bob").journal_file).last_round == 17
