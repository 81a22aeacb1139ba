"""The end of a refit: one pair of files takes the place of another, killed anywhere."""

import os

import msgspec
import pytest

from models.deal import deal_model, share_file
from models.model_file import ModelFile
from mpc_party.hedging.model import MINIMUM_VARIANCE
from mpc_party.member.refitting import finish_switch, switch
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConsortiumError, Reason
from tests.support.party_homes import at_stage, without


class KilledError(BaseException):
    """What stands for SIGKILL: nothing after it happens, no cleaning up either."""


class Kill:
    """Ends the process at one of the system's calls that change names, just before it."""

    def __init__(self, monkeypatch, at):
        self.calls, self.at = 0, at
        for name in ("replace", "link", "unlink"):
            monkeypatch.setattr(os, name, self.wrapped(getattr(os, name)))

    def wrapped(self, real):
        def call(*arguments, **settings):
            self.calls += 1
            if self.calls >= self.at:
                raise KilledError
            return real(*arguments, **settings)

        return call


@pytest.fixture
def ready(world):
    """All have attested, and nobody has switched: the world, alice's home, and the files before and after."""
    folder = world.path / "another"
    after = deal_model(world.consortium, ModelFile(MINIMUM_VARIANCE, (0.1, 0.2, -0.1)), folder)
    alice = world.home("alice")
    alice.next_model_share_file.write_bytes(share_file(folder, "alice").read_bytes())
    return world, alice, world.consortium, after


def share_of_alice(world):
    """The share that `mpc-party run` would take, which must fit the consortium file beside it."""
    alice = world.home("alice")
    return alice.model_share(world.identities[0], alice.consortium(), 0)


@pytest.mark.parametrize("first_model", [False, True])
def test_killed_at_any_point_of_the_switch_one_pair_is_usable(ready, monkeypatch, first_model):
    world, alice, before, after = ready
    if first_model:
        before = without(before, "model")
        at_stage(alice, before, key=True, model=False)
    start = {path: path.read_bytes() for path in alice.path.iterdir()}
    seen = set()
    for at in range(1, 100):
        with monkeypatch.context() as patch:
            kill = Kill(patch, at)
            try:
                switch(alice, before, after)
            except KilledError:
                finished = False
            else:
                finished = True
        found = alice.consortium()
        seen.add(found.model)
        if found.model is not None:
            assert share_of_alice(world).commitment.hex() == found.model, f"killed before call {at}"
        # Whoever looks next puts it right, and it can be done again.
        finish_switch(alice, world.identities[0], found, 0)
        if found.model is not None:
            assert share_of_alice(world).commitment.hex() == found.model
        if found == before and not finished:
            switch(alice, before, after)
        assert alice.consortium() == after
        assert share_of_alice(world).commitment.hex() == after.model
        assert not alice.next_model_share_file.exists()
        if finished:
            assert kill.calls < at
            break
        for path in alice.path.iterdir():
            path.unlink()
        for path, data in start.items():
            path.write_bytes(data)
    assert at > 5
    assert seen == {before.model, after.model}


def test_the_other_share_is_taken_only_where_it_fits(ready):
    world, alice, before, after = ready
    assert share_of_alice(world).commitment.hex() == before.model
    save_consortium(alice.consortium_file, after)
    assert share_of_alice(world).commitment.hex() == after.model
    other = msgspec.structs.replace(after, model="00" * 32)
    save_consortium(alice.consortium_file, other)
    with pytest.raises(ConsortiumError) as caught:
        share_of_alice(world)
    assert caught.value.reason is Reason.MODEL_MISMATCH
    finish_switch(alice, world.identities[0], other, 0)
    assert alice.next_model_share_file.exists()  # of no model that a file names: not promoted
