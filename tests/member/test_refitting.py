"""The refit as members run it: real folders, a real mesh on loopback, a thread for each member; and its end, killed anywhere."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from mpc_party.market import DeskView, open_source
from mpc_party.member import ceremony, refitting
from mpc_party.member.joining import take_up
from mpc_party.member.refitting import (
    RefitOptions,
    parse_utc,
    refit_parameters,
    run_refit,
    wait_until,
)
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.refit import history
from mpc_party.refit.equations import Equations, pooled_weights
from mpc_party.refit.solve import Scheme
from tests.support.party_homes import SECRET, at_stage, contents, make_world, without
from tests.support.recordings import write_recording
from tests.support.refits import rebuild

DEADLINE = 60.0


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return f"recorded:{write_recording(tmp_path_factory.mktemp('market') / 'chain.csv')}"


@pytest.fixture
def options(market):
    return RefitOptions(market=market, noise=0.0, wait=20.0)


def sit(world, options, *members, said=None):
    """Run the refit of these members at once; what each got, its error where it failed."""
    outcomes = {}

    def work(index):
        name = world.consortium.names[index]
        mine = options[index] if isinstance(options, list) else options
        told = said.setdefault(index, []) if said is not None else []
        try:
            outcomes[index] = run_refit(
                world.home(name), SECRET, replace(mine, desk_seed=name), say=told.append
            )
        except BaseException as failure:  # noqa: BLE001 - looked at by the test
            outcomes[index] = failure

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert set(outcomes) == set(members), "a member hangs"
    return outcomes


def share_of(world, index):
    """The share that `mpc-party run` would take, which must fit the consortium file beside it."""
    home = world.home(world.consortium.names[index])
    return home.model_share(world.identities[index], home.consortium(), index)


def files(world):
    return [contents(world.home(name).path) for name in world.consortium.names]


def test_all_members_get_one_new_model_that_is_the_pooled_fit(world, options):
    said = {}
    before = files(world)
    outcomes = sit(world, options, 0, 1, 2, said=said)
    models = {outcome.consortium.model for outcome in outcomes.values()}
    assert len(models) == 1
    assert models != {world.consortium.model}
    assert len({world.home(name).consortium_file.read_bytes() for name in world.consortium.names}) == 1
    parameters = refit_parameters("BTC", options)
    source = open_source(options.market)
    desks = [
        history.desk_equations(DeskView(source, name, noise=0.0), parameters, 600)
        for name in world.consortium.names
    ]
    expected = pooled_weights(desks, parameters.ridge)
    shares = [share_of(world, index) for index in range(3)]
    assert np.abs(rebuild(shares[:2]) - expected).max() < 6e-5
    assert np.abs(rebuild(shares[1:]) - expected).max() < 6e-5
    for index, name in enumerate(world.consortium.names):
        home = world.home(name)
        assert said[index][0] == "reading history"
        assert said[index][-2:] == ["solving", "attesting"]
        # Model, and nothing else, has changed; the old pair is beside.
        assert without(home.consortium(), "model") == without(world.consortium, "model")
        after = contents(home.path)
        assert after["model-share.previous.age"] == before[index]["model-share.age"]
        assert after["consortium.previous.toml"] == before[index]["consortium.toml"]
        assert after["model-share.age"][0] == 0o600
        assert set(after) == set(before[index]) | {"model-share.previous.age", "consortium.previous.toml"}


def test_a_refit_may_follow_a_refit_and_can_be_gone_back_on(world, options):
    sit(world, options, 0, 1, 2)
    first = [world.home(name).model_share_file.read_bytes() for name in world.consortium.names]
    model = world.home("bob").consortium().model
    sit(world, replace(options, half_life=2.0), 0, 1, 2)
    assert world.home("bob").consortium().model != model
    for index, name in enumerate(world.consortium.names):
        home = world.home(name)
        previous = home.path / "model-share.previous.age"
        assert previous.read_bytes() == first[index]
        take_up(home, world.identities[index], SECRET, home.path / "consortium.previous.toml", previous)
        assert home.consortium().model == model
        assert share_of(world, index).commitment.hex() == model


def test_the_first_model_of_a_consortium_may_be_a_refit(world, options):
    """Then nobody has ever seen its weights."""
    for name in world.consortium.names:
        at_stage(world.home(name), without(world.consortium, "model", "settlement"), key=True, model=False)
    outcomes = sit(world, options, 0, 1, 2)
    assert len({outcome.consortium.model for outcome in outcomes.values()}) == 1
    for index, name in enumerate(world.consortium.names):
        assert share_of(world, index).commitment.hex() == outcomes[0].consortium.model
        assert not world.home(name).next_model_share_file.exists()


def test_a_fourth_member_puts_in_its_data_and_gets_its_share(tmp_path, options):
    """It computes nothing: what it sends ahead waits on its links until the committee asks for it."""
    four = make_world(tmp_path / "four", count=4)
    outcomes = sit(four, options, 0, 1, 2, 3)
    assert len({outcome.consortium.model for outcome in outcomes.values()}) == 1
    parameters, source = refit_parameters("BTC", options), open_source(options.market)
    desks = [
        history.desk_equations(DeskView(source, name, noise=0.0), parameters, 600)
        for name in four.consortium.names
    ]
    shares = [share_of(four, index) for index in range(4)]
    for pair in ((0, 3), (1, 2), (2, 3)):
        found = rebuild([shares[index] for index in pair])
        assert np.abs(found - pooled_weights(desks, parameters.ridge)).max() < 6e-5


# What ends it


def test_an_absent_member_is_named_and_nothing_is_stored(world, options, monkeypatch):
    monkeypatch.setattr(ceremony, "POLL_SECONDS", 0.2)
    before = files(world)
    for error in sit(world, replace(options, wait=1.0), 0, 1).values():
        assert isinstance(error, ConsortiumError)
        assert error.reason is Reason.PEER_UNREACHABLE
        assert "carol" in str(error)
    assert files(world) == before


def test_members_that_give_different_options_store_nothing(world, options):
    before = files(world)
    outcomes = sit(world, [options, options, replace(options, ridge=0.1)], 0, 1, 2)
    errors = [outcomes[index] for index in (0, 1)]
    assert any((e.reason, e.culprit) == (Reason.PROGRAM_MISMATCH, "carol") for e in errors)
    assert all(isinstance(error, ConsortiumError) for error in outcomes.values())
    assert files(world) == before


def test_a_liar_is_named_and_nothing_is_stored(world, options, monkeypatch):
    real = history.desk_equations

    def lies(desk, *others):
        honest = real(desk, *others)
        return Equations(3 * honest.root) if desk.seed == "bob" else honest

    monkeypatch.setattr(history, "desk_equations", lies)
    before = files(world)
    outcomes = sit(world, options, 0, 1, 2)
    named = [e for i, e in outcomes.items() if i != 1 and e.reason is Reason.COMPUTATION_OUT_OF_RANGE]
    assert named
    assert {error.culprit for error in named} == {"bob"}
    assert files(world) == before


def test_too_little_history_is_said_before_anybody_is_waited_for(world, options):
    before = files(world)
    outcomes = sit(world, replace(options, intervals=100), 0)
    assert "29 usable intervals, a refit needs 100" in str(outcomes[0])
    assert files(world) == before


def test_another_threshold_or_no_market_is_said_at_once(world, options):
    assert "no market source" in str(sit(world, replace(options, market=None), 0)[0])
    with pytest.raises(ConfigError, match="ends before it starts"):
        refit_parameters("BTC", replace(options, start=7, end=7))


@pytest.mark.parametrize(
    "changes",
    [{"ridge": 0.0}, {"ridge": 2.0}, {"half_life": 0.0}, {"half_life": -1.0}, {"intervals": 0}, {"start": -1}]
    + [{name: float("nan")} for name in ("ridge", "half_life")],
    ids=str,
)
def test_parameters_out_of_range_are_refused(options, changes):
    with pytest.raises(ConfigError, match="the refit's parameters"):
        refit_parameters("BTC", replace(options, **changes))


def test_the_limits_of_the_ridge_are_those_of_the_solve(options):
    for ridge in (1 / 128, 1.0):
        assert Scheme(3, refit_parameters("BTC", replace(options, ridge=ridge)).ridge).ridge == ridge


def test_a_member_whose_disk_is_full_stops_before_anybody_has_a_new_model(world, options, monkeypatch):
    real = refitting.write_atomic

    def full(path, data, **settings):
        if path == world.home("bob").next_model_share_file:
            raise ConfigError(f"{path}: cannot be written: No space left on device")
        real(path, data, **settings)

    before = files(world)
    monkeypatch.setattr(refitting, "write_atomic", full)
    outcomes = sit(world, options, 0, 1, 2)
    assert "No space left" in str(outcomes[1])
    assert "is kept" not in str(outcomes[1])
    assert contents(world.home("bob").path) == before[1]
    for index in (0, 2):
        assert "this member's new share is kept beside the old one" in str(outcomes[index])
        assert share_of(world, index).commitment.hex() == world.consortium.model
    # All go on with the old model, or run it again: what was kept is replaced.
    monkeypatch.undo()
    assert len({outcome.consortium.model for outcome in sit(world, options, 0, 1, 2).values()}) == 1


def test_a_member_that_missed_the_end_takes_the_file_of_another(world, options, monkeypatch):
    """Carol has attested and is gone before it has all attestations; the others have the new model."""
    import mpc_party.refit.attestation as module  # noqa: PLC0415 - the ceremony imports it late too

    real = module.attest

    def half(links, *others):
        record = real(links, *others)
        if links.own == 2:
            raise ConsortiumError("the link broke", reason=Reason.PEER_CLOSED, culprit="alice")
        return record

    monkeypatch.setattr(module, "attest", half)
    outcomes = sit(world, options, 0, 1, 2)
    monkeypatch.undo()
    error, carol = outcomes[2], world.home("carol")
    assert (error.reason, error.culprit) == (Reason.PEER_CLOSED, "alice")
    assert str(carol.next_model_share_file) in error.remedy
    assert share_of(world, 2).commitment.hex() == world.consortium.model  # the old pair goes on
    file = world.home("alice").consortium_file
    take_up(carol, world.identities[2], SECRET, file, carol.next_model_share_file)  # what the error says
    assert carol.consortium().hash == outcomes[0].consortium.hash
    assert share_of(world, 2).commitment.hex() == outcomes[0].consortium.model


def test_a_member_may_take_the_file_of_another_without_naming_its_share(world, options, monkeypatch):
    monkeypatch.setattr(refitting, "switch", lambda *_: None)  # killed just before
    outcomes = sit(world, options, 0, 1, 2)
    monkeypatch.undo()
    bob, offered = world.home("bob"), world.path / "offered.toml"
    save_consortium(offered, outcomes[0].consortium)
    take_up(bob, world.identities[1], SECRET, offered, None)
    assert share_of(world, 1).commitment.hex() == outcomes[0].consortium.model
    # A refit that now breaks off must not write over the share that is in use.
    monkeypatch.setattr(ceremony, "POLL_SECONDS", 0.1)
    sit(world, replace(options, wait=0.2), 1)
    assert share_of(world, 1).commitment.hex() == outcomes[0].consortium.model
    assert not bob.next_model_share_file.exists()


# Times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T18:00Z", 1_769_882_400),
        ("2026-01-31T18:00:00+00:00", 1_769_882_400),
        ("2026-01-31T18:00", 1_769_882_400),
        ("2026-01-31", 1_769_817_600),
    ],
)
def test_utc_times(text, expected):
    assert parse_utc(text, "--at") == expected


@pytest.mark.parametrize("text", ["", "soon", "18:00", "2026-01-31T18:00+01:00", "2026-02-30", "1769882400x"])
def test_other_times_name_the_option(text):
    with pytest.raises(ConfigError, match="--from"):
        parse_utc(text, "--from")


def test_waiting_until_a_time(monkeypatch):
    clock, said = [1000.0], []
    monkeypatch.setattr(time, "time", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    wait_until(1003, 60.0, said.append)
    assert clock == [1003.0]
    assert said == ["waiting until 1970-01-01T00:16:43Z"]
    # A process that was slow to start is not too late as long as the others wait.
    wait_until(1000, 3.0, said.append)
    assert clock == [1003.0]
    assert len(said) == 1
    with pytest.raises(ConfigError, match="is past"):
        wait_until(999, 3.0, said.append)
    with pytest.raises(ConfigError, match="more than a week"):
        wait_until(1003 + 8 * 86_400, 60.0, said.append)


def test_a_refit_begins_at_its_time_and_not_before(world, options, monkeypatch):
    monkeypatch.setattr(refitting, "wait_until", lambda moment, _patience, say: say(f"it is {moment}"))
    monkeypatch.setattr(ceremony, "POLL_SECONDS", 0.1)
    said = {}
    sit(world, replace(options, at=123, wait=0.1), 0, said=said)
    assert said[0][:2] == ["it is 123", "reading history"]
