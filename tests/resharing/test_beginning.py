"""How a ceremony begins, and the two exchanges that stand between it and its protocols."""

from __future__ import annotations

import secrets

import msgspec
import pytest

from mpc_party.mesh import FrameKind
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.model_share import ModelHeader, model_commitment
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.resharing.beginning import Begin, begin
from mpc_party.resharing.recorded import Recorded
from mpc_party.resharing.renumbered import Renumbered
from mpc_party.signing.channel import Channel, MessageKeys
from tests.support.ceremonies import identity_of
from tests.support.local_mesh import local_mesh, party_outcomes, run_parties

NAMES = ("alice", "bob", "carol", "dave")
HEADER = ModelHeader(1, bytes(32), 1, "minimum-variance", 3, 16, 3, 1)
LEAVES = tuple(bytes([leaf]) * 32 for leaf in range(3))
MODEL = model_commitment(HEADER, LEAVES).hex()


def share(member):
    return SharesAtRest(HEADER, member, LEAVES, {})


def test_all_get_one_fresh_name_and_joiners_the_models_header():
    def run(links):
        own = share(links.own) if links.own < 3 else None
        return begin(links, bytes(32), NAMES, MODEL, own, (0, 1, 2))

    first, second = (run_parties(local_mesh(range(4)), run) for _ in range(2))
    assert len(set(first)) == len(set(second)) == 1
    assert first[0][0] != second[0][0]
    assert first[3][1] == HEADER


def test_without_a_model_nothing_is_said_of_one():
    found = run_parties(
        local_mesh(range(3)), lambda links: begin(links, bytes(32), NAMES, None, None, (0, 1, 2))
    )
    assert {header for _, header in found} == {None}


@pytest.mark.parametrize(
    "lie",
    [
        b"\xff",
        msgspec.msgpack.encode(Begin(bytes(32), None, ())),
        msgspec.msgpack.encode(Begin(bytes(32), HEADER, LEAVES[::-1])),
        msgspec.msgpack.encode(Begin(bytes(32), msgspec.structs.replace(HEADER, count=4), LEAVES)),
    ],
    ids=["malformed", "nothing", "other leaves", "another size"],
)
def test_who_lies_about_the_model_is_named(lie):
    def run(links):
        if links.own == 1:
            return links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, lie), links.peers)
        own = share(links.own) if links.own < 3 else None
        return begin(links, bytes(32), NAMES, MODEL, own, (0, 1, 2))

    outcomes = party_outcomes(local_mesh(range(4)), run)
    for member in (0, 2, 3):
        error = outcomes[member]
        assert isinstance(error, ConsortiumError)
        assert (error.reason, error.culprit) == (Reason.CEREMONY_FAILED, "bob")


def test_who_tells_different_things_stops_all_and_has_no_honest_member_named():
    """Else two honest members would sign for two ceremonies, and each would say that the other's signature is missing."""

    def tamper(_peer, _kind, data):
        if len(data) == 32:  # the name
            return data
        return msgspec.msgpack.encode(Begin(secrets.token_bytes(32), None, ()))

    meshes = local_mesh(range(3))
    meshes[2].tamper = tamper
    outcomes = party_outcomes(meshes, lambda links: begin(links, bytes(32), NAMES, None, None, (0, 1, 2)))
    for honest in (0, 1):
        assert isinstance(outcomes[honest], ConsortiumError)
        assert (outcomes[honest].reason, outcomes[honest].culprit) == (Reason.CEREMONY_FAILED, None)


def test_members_are_renumbered_by_their_places():
    def run(links):
        numbered = Renumbered(links, (0, 2, 5))
        said = numbered.exchange(
            FrameKind.CHECK, dict.fromkeys(numbered.peers, bytes([numbered.own])), numbered.peers
        )
        return numbered.own, numbered.peers, said

    assert run_parties(local_mesh((0, 2, 5)), run) == [
        (0, (1, 2), {1: b"\x01", 2: b"\x02"}),
        (1, (0, 2), {0: b"\x00", 2: b"\x02"}),
        (2, (0, 1), {0: b"\x00", 1: b"\x01"}),
    ]


def test_what_went_to_all_is_kept_and_what_went_to_one_is_not():
    keys = {seat: bytes.fromhex(identity_of(name).signing_key) for seat, name in enumerate(NAMES[:3])}

    def run(links):
        recorded = Recorded(links, ("first", None, "third"))
        mine = MessageKeys(identity_of(NAMES[links.own]).sign, keys)
        channel = Channel(recorded, bytes(32), mine, NAMES[:3])
        channel.to_all("first", bytes([links.own]))
        channel.to_each("second", dict.fromkeys(links.peers, b"private"))
        channel.to_all("third", b"x" if links.own == 0 else None, expect=() if links.own == 0 else (0,))
        channel.to_all("fourth", b"later")
        kept = recorded.broadcasts(bytes(32))
        assert all(message.is_signed(keys) for message in kept)
        return sorted((message.step, message.sender, message.body) for message in kept)

    expected = [*(("first", seat, bytes([seat])) for seat in range(3)), ("third", 0, b"x")]
    assert run_parties(local_mesh(range(3)), run) == [expected] * 3
