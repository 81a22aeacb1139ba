"""The mesh between real processes: one is killed in the middle of an exchange, comes back, and all go on."""

from contextlib import contextmanager

import pytest

from mpc_party.protocol.errors import Reason
from tests.support.mesh_parties import members
from tests.support.mesh_process import PartyProcess

pytestmark = pytest.mark.integration
MIB = 1024 * 1024


@contextmanager
def processes(count):
    started = []
    with members(count) as everyone:
        try:
            started.extend(PartyProcess.start(everyone, own) for own in range(count))
            for process in started:
                assert process.answer() == {"ok": "listening"}
            yield everyone, started
        finally:
            for process in started:
                process.kill()


def begin(parties, number, participants, seconds=30):
    for party in parties:
        party.tell(session=bytes([number] * 32).hex(), members=participants, seconds=seconds)
    return [party.answer() for party in parties]


def ring(parties, size, times=1):
    count = len(parties)
    for own, party in enumerate(parties):
        party.tell(
            exchange={
                "to": [(own - 1) % count],
                "from": [(own + 1) % count],
                "size": size,
                "fill": own,
                "times": times,
            }
        )
    return [party.answer() for party in parties]


def test_three_processes_exchange_much_and_little():
    with processes(3) as (_, parties):
        assert all("ok" in answer for answer in begin(parties, 1, [0, 1, 2]))
        for size, times in ((64, 500), (32 * MIB, 1)):
            answers = ring(parties, size, times)
            assert answers == [{"ok": {str((own + 1) % 3): [size, size]}} for own in range(3)]


def test_a_process_killed_in_the_middle_is_named_and_found_again_when_it_returns():
    with processes(3) as (everyone, parties):
        begin(parties, 1, [0, 1, 2])
        # Party 2 never gets to send: the other two are waiting for it when it dies.
        for own in (0, 1):
            parties[own].tell(exchange={"to": [2], "from": [2], "size": 32 * MIB, "fill": own})
        parties[2].kill()
        for own in (0, 1):
            answer = parties[own].answer()
            assert (answer["error"], answer["culprit"]) == (Reason.PEER_CLOSED, "carl")
        # Without it, the others say whom they miss,
        for answer in begin(parties[:2], 2, [0, 1, 2], seconds=1):
            assert answer["error"] == Reason.PEER_UNREACHABLE
            assert answer["peers"] == ["carl"]
        # and once it is back, the next session has all three.
        parties[2] = PartyProcess.start(everyone, 2)
        assert parties[2].answer() == {"ok": "listening"}
        assert all("ok" in answer for answer in begin(parties, 3, [0, 1, 2]))
        assert ring(parties, 64)[0] == {"ok": {"1": [64, 64]}}


def test_of_four_the_remaining_three_go_on():
    with processes(4) as (_, parties):
        begin(parties[:3], 1, [0, 1, 2])
        assert all("ok" in answer for answer in ring(parties[:3], 64))
        for party in parties[:3]:
            party.tell(close=True)
            assert party.answer() == {"ok": None}
        parties[1].kill()
        left = [parties[own] for own in (0, 2, 3)]
        assert [answer["ok"] for answer in begin(left, 2, [0, 2, 3])] == [[2, 3], [0, 3], [0, 2]]
