"""Changes of epoch as members run them: real folders, a real mesh on loopback, a thread for each member."""

from __future__ import annotations

import pytest

from mpc_party.journal import Journal
from mpc_party.member.epoch_switch import pending_folders
from mpc_party.protocol.errors import ConsortiumError, Reason
from tests.support.party_homes import SECRET

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
        (("alice", "bob", "carol", "dave", "erin"), 2, ("alice", "bob", "carol", "dave", "erin")),
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
