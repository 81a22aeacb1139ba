"""Changes of epoch as members run them: real folders, a real mesh on loopback, a thread for each member."""

from __future__ import annotations

import pytest

from mpc_party.journal import Journal
from mpc_party.member.epoch_switch import pending_folders
from mpc_party.protocol.errors import ConsortiumError, Reason
from tests.support.deaths import Killed, deaths
from tests.support.party_homes import SECRET, at_stage, without

SLOW = pytest.mark.slow


def check_changed(scene, outcomes, names):
    """All have come to one new epoch, with one key, and nothing of the old one is left."""
    failures = {name: found for name, found in outcomes.items() if isinstance(found, BaseException)}
    assert not failures
    (digest,) = {found.consortium.hash for found in outcomes.values()}
    new = next(iter(outcomes.values())).consortium
    assert new.names == tuple(names)
    assert new.group_address == scene.old.group_address
    assert new.epoch == scene.old.epoch + 1
    assert new.settlement == scene.old.settlement
    (_,) = {found.file.read_bytes() for found in outcomes.values()}
    for name in outcomes:
        home = scene.home(name)
        assert home.consortium().hash == digest
        assert not pending_folders(home)
        stays = name in names
        assert home.key_share_file.exists() == stays
        assert home.model_share_file.exists() == stays
        with Journal.open(home.journal_file, consortium=new.id_bytes, epoch=new.epoch) as journal:
            journal.require_ready()
    for index, name in enumerate(names):
        home = scene.home(name)
        home.key_share(SECRET, new, index)
        home.model_share(scene.identities[name], new, index)
    return new


def test_a_refresh_gives_new_shares_of_the_same_key(scene):
    before = [share.public_shares for share in scene.key_shares(scene.old, scene.old.names)]
    key = scene.secret_key(scene.old)
    outcomes = scene.refresh()
    new = check_changed(scene, outcomes, scene.old.names)
    assert scene.key_shares(new, new.names)[0].public_shares != before[0]
    assert scene.secret_key(new) == key


@pytest.mark.parametrize(
    ("names", "threshold", "there"),
    [
        pytest.param(("alice", "bob", "carol", "dave"), 1, ("alice", "bob", "carol", "dave"), marks=SLOW),
        pytest.param(
            ("alice", "bob", "carol", "dave", "erin"),
            2,
            ("alice", "bob", "carol", "dave", "erin"),
            marks=SLOW,
        ),
        pytest.param(("alice", "carol", "dave"), 1, ("alice", "bob", "carol", "dave"), marks=SLOW),
        (("alice", "carol", "dave"), 1, ("alice", "carol", "dave")),
    ],
    ids=["join", "larger threshold", "replace", "replace who is absent"],
)
def test_members_join_and_leave_and_the_key_stays(scene, names, threshold, there):
    key = scene.secret_key(scene.old)
    file = scene.next_file(*names, threshold=threshold)
    absent = [name for name in scene.old.names if name not in there]
    outcomes = scene.reshare(file, *there, without=absent)
    new = check_changed(scene, outcomes, names)
    assert new.threshold == threshold
    assert scene.secret_key(new) == key


@SLOW
def test_who_is_missing_is_named_and_nothing_changes(scene, monkeypatch):
    monkeypatch.setattr("mpc_party.member.ceremony.POLL_SECONDS", 0.2)
    outcomes = scene.refresh("alice", "bob", wait=0.6)
    for error in outcomes.values():
        assert isinstance(error, ConsortiumError)
        assert error.reason is Reason.PEER_UNREACHABLE
        assert "carol" in str(error)
    check_changed(scene, scene.refresh(), scene.old.names)


@SLOW
def test_a_member_that_is_lost_for_good_in_the_middle_is_left_out(scene):
    """Alice and carol have signed a refresh, bob has died before it did, and its disk is gone: the key is not."""
    key = scene.secret_key(scene.old)
    with deaths("bob", ("before CEREMONY", "before attest_handover")):
        outcomes = scene.refresh()
    assert isinstance(outcomes["bob"], Killed)
    for name in ("alice", "carol"):
        assert "the change to epoch 2 is undecided here" in str(outcomes[name])
        assert scene.standing(name, 1) == "neither"
    # Nobody but the operators can know that bob does not come back.
    file = scene.next_file("alice", "carol", "dave")
    new = check_changed(
        scene,
        scene.reshare(file, "alice", "carol", "dave", without=["bob"]),
        ("alice", "carol", "dave"),
    )
    assert scene.secret_key(new) == key
    assert any("is given up: bob stays away" in line for line in scene.said["alice"])


@SLOW
def test_who_never_signed_ends_an_earlier_try_and_a_new_one_follows(scene):
    with deaths("bob", ("before CEREMONY", "before attest_handover")):
        scene.refresh()
    key = scene.secret_key(scene.old)
    new = check_changed(scene, scene.refresh(), scene.old.names)
    assert scene.secret_key(new) == key
    assert any("is given up: bob never signed it" in line for line in scene.said["alice"])


@SLOW
def test_another_next_file_does_not_undo_what_was_completed(scene):
    """All have signed a refresh; a reshare with another next file completes that, and says so."""
    with deaths("bob", ("after attest_handover", "before CEREMONY")):
        scene.refresh()
    file = scene.next_file("alice", "bob", "carol", "dave")
    outcomes = scene.reshare(file, "alice", "bob", "carol", "dave")
    for name in scene.old.names:
        assert outcomes[name].reason is Reason.HANDOVER_ENDED
        assert "by another next file" in str(outcomes[name])
        assert scene.home(name).consortium().epoch == 2
    assert outcomes["dave"].reason is Reason.HANDOVER_ENDED
    assert len({scene.home(name).consortium().hash for name in scene.old.names}) == 1


@SLOW
def test_a_consortium_without_a_model_hands_over_its_key(scene):
    for name in scene.old.names:
        at_stage(scene.home(name), without(scene.old, "model"), key=True, model=False)
    outcomes = scene.refresh()
    assert {found.consortium.model for found in outcomes.values()} == {None}
    assert {found.consortium.epoch for found in outcomes.values()} == {2}


@SLOW
def test_members_that_name_different_files_or_absences_refuse_each_other(scene, monkeypatch):
    monkeypatch.setattr("mpc_party.member.ceremony.POLL_SECONDS", 0.2)
    file = scene.next_file("alice", "carol", "dave")

    def run(name):
        absent = ["bob"] if name == "alice" else []
        return scene.reshare(file, name, without=absent, wait=1.0)[name]

    outcomes = scene.together(run, ("alice", "carol"))
    assert {error.reason for error in outcomes.values()} <= {
        Reason.PEER_REFUSED,
        Reason.PEER_UNREACHABLE,
    }
    assert any(error.reason is Reason.PEER_REFUSED for error in outcomes.values())
    assert scene.home("alice").consortium().hash == scene.old.hash
