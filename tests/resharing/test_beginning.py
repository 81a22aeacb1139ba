"""The name of a ceremony: the same at all, fresh, and nobody honest is blamed where somebody tells different things."""

from __future__ import annotations

import secrets

import msgspec

from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.resharing.beginning import begin
from tests.support.local_mesh import local_mesh, party_outcomes, run_parties

NAMES = ("alice", "bob", "carol")
BOUND = bytes([7]) * 32


def name(exchange):
    ceremony, header = begin(exchange, BOUND, NAMES, None, None, ())
    assert header is None
    return ceremony


def test_all_have_one_name_and_each_attempt_another():
    first, second = (set(run_parties(local_mesh(range(3)), name)) for _ in range(2))
    assert len(first) == len(second) == 1
    assert first != second


def test_who_tells_different_things_stops_all_and_has_no_honest_member_named():
    """Else two honest members would sign for two ceremonies, and each would say that the other's signature is missing."""

    def tamper(_peer, _kind, data):
        if len(data) == 32:
            return data
        said = msgspec.msgpack.decode(data)
        said[1] = secrets.token_bytes(32)
        return msgspec.msgpack.encode(said)

    meshes = local_mesh(range(3))
    meshes[2].tamper = tamper
    outcomes = party_outcomes(meshes, name)
    for honest in (0, 1):
        assert isinstance(outcomes[honest], ConsortiumError)
        assert (outcomes[honest].reason, outcomes[honest].culprit) == (Reason.CEREMONY_FAILED, None)
