"""kill -9 at every write and every message of a change of epoch, then a restart of all: one of two states, and the key is there."""

from __future__ import annotations

import shutil

import pytest

from mpc_party.member.epoch_switch import pending_folders
from tests.support.deaths import Killed, deaths, distinct
from tests.support.party_homes import SECRET
from tests.support.reshares import copied

BEFORE, AFTER = ("alice", "bob", "carol"), ("alice", "carol", "dave")
CAST = ("alice", "bob", "carol", "dave")


@pytest.fixture(scope="module")
def founded(founded_desks):
    """Bob leaves, dave joins, alice and carol stay."""
    return founded_desks, founded_desks.secret_key(founded_desks.old)


def fresh(founded, path):
    scene, key = founded
    copy = copied(scene, path)
    return copy, copy.next_file(*AFTER), key


def check_standing(scene):
    """At no moment can both epochs sign; here: not even one member in each."""
    found = {scene.standing(name, scene.old.epoch) for name in CAST}
    assert not {"old", "new"} <= found
    return found


def check_all_new(scene, key, sealed):
    (new,) = {scene.home(name).consortium() for name in CAST}
    assert new.names == AFTER
    assert scene.secret_key(new) == key
    for index, name in enumerate(AFTER):
        scene.home(name).key_share(SECRET, new, index)
        scene.home(name).model_share(scene.identities[name], new, index)
    for name in CAST:
        home = scene.home(name)
        assert not pending_folders(home)
        left = [path.read_bytes() for path in home.path.rglob("*") if path.is_file()]
        assert not any(share in data for share in sealed for data in left), "an old share is left"


def killed_once(founded, path, victim, at):
    """One death, then the same command by all: what the folders say in between, and where all end."""
    scene, file, key = fresh(founded, path)
    sealed = [
        share.read_bytes()
        for name in BEFORE
        for share in (scene.home(name).key_share_file, scene.home(name).model_share_file)
    ]
    with deaths(victim, at) as dying:
        outcomes = scene.reshare(file, *CAST)
    assert isinstance(outcomes[victim], Killed), outcomes[victim]
    between = check_standing(scene)
    again = scene.reshare(file, *CAST)
    failures = {name: found for name, found in again.items() if isinstance(found, BaseException)}
    assert not failures, (dying.steps[-1], between, failures)
    check_all_new(scene, key, sealed)
    shutil.rmtree(path)


def steps_of(founded, path, victim):
    scene, file, _ = fresh(founded, path)
    with deaths(victim) as counting:
        outcomes = scene.reshare(file, *CAST)
    assert not any(isinstance(found, BaseException) for found in outcomes.values()), outcomes
    shutil.rmtree(path)
    return counting.steps


@pytest.mark.parametrize(
    ("victim", "step"),
    [
        pytest.param("alice", "before commit_handover", marks=pytest.mark.slow),
        ("dave", "half of CEREMONY"),
    ],
)
def test_a_death_between_the_two_phases(founded, tmp_path, victim, step):
    """Before the journal changes its epoch; and when its signature has gone to one member only."""
    killed_once(founded, tmp_path / "w", victim, ("after attest_handover", step))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("victim", ["alice", "bob", "dave"])
def test_a_death_at_every_step(founded, tmp_path, victim, part):
    """Each eighth step from another one: together all of them."""
    steps = distinct(steps_of(founded, tmp_path / "count", victim))
    assert len(steps) > 70
    for at in steps[part::8]:
        killed_once(founded, tmp_path / f"w{at}", victim, at)
