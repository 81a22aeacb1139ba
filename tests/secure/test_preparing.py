"""Randomness for a whole program, found by rehearsing it, and made before its inputs."""

import pytest
import torch

from mpc_party.protocol.errors import Reason
from mpc_party.secure import SecureError, multiply, open_shares, prepare_for, relu, share_many
from mpc_party.secure.general import rehearse, used
from mpc_party.secure.session import SecureSession
from mpc_party.secure.sharing import PrivateInput
from tests.support.secure_parties import run_secure, same

X = torch.linspace(-2, 2, 70)


def program(session, value=None):
    with session:
        own = value if session.position == 0 else None
        x = share_many([PrivateInput(0, X.shape, own if value is not None else _blank(session))])[0]
        return open_shares(multiply(relu(x), x))


def _blank(session):
    return torch.zeros(X.shape) if session.position == 0 else None


@pytest.mark.parametrize("size", [5, 7])
def test_a_prepared_program_makes_nothing_on_the_way(size):
    def party(session):
        prepare_for(session, program, "relu and product")
        rounds = session.traffic.rounds
        opened = program(session, X)
        # Input, sign in 3, selection, product, opening.
        assert session.traffic.rounds - rounds == 7
        assert rehearse(session, program) == used(session)
        return opened

    opened = same(run_secure(party, committee=range(size)).results)
    assert torch.allclose(opened, (X.relu() * X).double(), atol=4 * 2**-16)


def test_parties_whose_programs_differ_find_out_before_anything_is_made():
    def longer(session):
        program(session)
        return program(session)

    def party(session):
        own = longer if session.position == 3 else program
        with pytest.raises(SecureError) as caught:
            prepare_for(session, own, ("differ", session.position == 3))
        return caught.value.reason, caught.value.culprit, session.traffic.by_operation.get("pairs")

    results = run_secure(party, committee=range(5)).results
    assert results == [(Reason.PROGRAM_MISMATCH, None, None)] * 5


def test_what_is_for_no_elements_is_prepared_too():
    def empty(session):
        with session:
            x = share_many([PrivateInput(0, (0,), torch.zeros(0) if session.position == 0 else None)])[0]
            return open_shares(multiply(relu(x), relu(x)))

    def party(session):
        prepare_for(session, empty, "empty")
        before = session.traffic.rounds
        assert empty(session).shape == (0,)
        return session.traffic.rounds - before

    assert set(run_secure(party, committee=range(5)).results) == {1 + 4 + 4 + 1 + 1}


def test_three_parties_need_nothing():
    def party(session):
        before = session.traffic.rounds
        prepare_for(session, program, "relu and product")
        return session.traffic.rounds - before

    assert run_secure(party).results == [0] * 3


def test_a_rehearsal_sends_nothing_and_touches_no_seed_of_the_session(monkeypatch):
    def party(session):
        link = session._exchange
        sent, drawn = link.sent_bytes, dict(session.seeds._streams)
        rehearse(session, program)
        assert session.seeds._streams == drawn
        return link.sent_bytes - sent

    assert run_secure(party, committee=range(5)).results == [0] * 5


def test_it_is_rehearsed_once_for_each_shape(monkeypatch):
    rehearsals = []

    def counted(rehearsal):
        rehearsals.append(type(rehearsal) is not SecureSession)
        return program(rehearsal)

    for name in ("one", "one", "two"):
        run_secure(lambda s, name=name: prepare_for(s, counted, ("test", name)), committee=range(5))
    assert all(rehearsals)
    assert 2 <= len(rehearsals) <= 10  # five threads may each find that nobody has done it yet
