"""Disputes: in place of any frame, heard by all, and not held up by who is silent, gone or behind."""

import threading
import time

import numpy as np
import pytest

from mpc_party.mesh import FrameKind, MeshError, PeerDisputes
from mpc_party.protocol.errors import Reason
from tests.mesh.test_session import against, parties, together

LARGE = bytes(8 * 1024 * 1024)  # more than the sockets' buffers hold
SECONDS = 10.0


def to_all(session, data=b"as usual", kind=FrameKind.WORDS):
    return session.exchange(kind, dict.fromkeys(session.peers, data), session.peers)


def test_who_receives_a_dispute_in_place_of_a_frame_enters_it_and_all_hear_all():
    def program(session):
        if session.own == 0:
            return session.dispute(b"zero", SECONDS)
        with pytest.raises(PeerDisputes) as raised:
            to_all(session)
        assert (raised.value.peer, raised.value.payload, raised.value.culprit) == (0, b"zero", None)
        assert raised.value.reason is Reason.DISPUTED
        return session.dispute(b"one" if session.own == 1 else b"two", SECONDS)

    with parties(3) as meshes:
        assert together(meshes, program) == [
            {1: b"one", 2: b"two"},
            {0: b"zero", 2: b"two"},
            {0: b"zero", 1: b"one"},
        ]


def test_a_second_exchange_of_the_same_kind_follows_the_first():
    def program(session):
        first = session.dispute(b"first %d" % session.own, SECONDS)
        return first, session.dispute(b"second %d" % session.own, SECONDS)

    with parties(3) as meshes:
        for own, (first, second) in enumerate(together(meshes, program)):
            assert first == {peer: b"first %d" % peer for peer in range(3) if peer != own}
            assert second == {peer: b"second %d" % peer for peer in range(3) if peer != own}


def test_a_dispute_does_not_wait_for_the_other_frames_of_the_exchange():
    # Member 2 sends nothing until the others have heard of the dispute: a wait for it would never end.
    def program(session):
        if session.own == 0:
            return session.dispute(b"zero", SECONDS)
        if session.own == 1:
            with pytest.raises(PeerDisputes):
                to_all(session)
        return session.dispute(b"me too", SECONDS)

    with parties(3) as meshes:
        outcomes = together(meshes, program)
    assert [sorted(outcome) for outcome in outcomes] == [[1, 2], [0, 2], [0, 1]]


def test_frames_sent_before_are_passed_over_also_where_one_is_under_way():
    def program(session):
        if session.own == 0:
            return session.dispute(b"zero", SECONDS)
        with pytest.raises(PeerDisputes):
            to_all(session, LARGE)
        return session.dispute(b"other", SECONDS)

    with parties(2) as meshes:
        assert together(meshes, program) == [{1: b"other"}, {0: b"zero"}]


def test_who_is_silent_is_left_out_at_the_deadline_and_not_waited_for_again():
    with against() as (anna, session):
        assert session.dispute(b"is anybody there", 0.2) == {}
        assert session.dispute(b"again", SECONDS) == {}
        assert anna.receive() == (FrameKind.DISPUTE, 1, b"is anybody there")


def test_who_is_gone_is_left_out_at_once():
    with against() as (anna, session):
        anna.sock.close()
        assert session.dispute(b"hello", 60.0) == {}


def test_who_sends_no_end_of_other_frames_is_left_out_at_the_deadline():
    with against() as (anna, session):
        for sequence in range(1, 200):
            anna.send(FrameKind.WORDS, sequence, b"chatter")
        assert session.dispute(b"hello", 0.2) == {}


def flood(peer, stop):
    """Empty frames without end, faster than they are read; in a thread of its own."""
    sequence = 1
    frames = np.zeros(4000, np.dtype([("length", "<u4"), ("kind", "u1"), ("sequence", "<u4")]))
    frames["kind"] = FrameKind.WORDS
    peer.sock.settimeout(0.5)
    try:
        while not stop.is_set():
            frames["sequence"] = np.arange(sequence, sequence + len(frames))
            peer.sock.sendall(frames.tobytes())
            sequence += len(frames)
    except OSError:
        pass  # the other end has closed, or reads no more


def test_a_flood_of_frames_does_not_hold_up_the_deadline():
    with against() as (anna, session):
        stop = threading.Event()
        thread = threading.Thread(target=flood, args=(anna, stop))
        thread.start()
        # Whatever comes, this test ends.
        watch = threading.Timer(5.0, stop.set)
        watch.start()
        began = time.monotonic()
        assert session.dispute(b"hello", 0.3) == {}
        took = time.monotonic() - began
        watch.cancel()
        stop.set()
        thread.join()
    assert took < 2.0


def test_three_exchanges_with_a_peer_that_is_silent_in_the_last_end_with_the_session():
    """Who is silent in one is not waited for again; but with more of them, each can be silent in another."""
    with against() as (anna, session):
        session._attempt.deadline = time.monotonic() + 1.0
        anna.send(FrameKind.DISPUTE, 1, b"first")
        anna.send(FrameKind.DISPUTE, 2, b"second")
        answers = [session.dispute(b"hello", 60.0) for _ in range(3)]
        assert answers == [{0: b"first"}, {0: b"second"}, {}]
        assert time.monotonic() < session.deadline


def test_a_dispute_at_the_deadline_still_has_a_moment():
    def program(session):
        session._attempt.deadline = time.monotonic()
        return session.dispute(b"late", SECONDS)

    with parties(3) as meshes:
        assert [sorted(heard) for heard in together(meshes, program)] == [[1, 2], [0, 2], [0, 1]]


def aborting(session, **changes):
    """End a session as another thread of this party would."""
    cause = MeshError("somebody gives up", reason=Reason.ROUND_DEADLINE)
    session._attempt.abort(cause, **changes)


@pytest.mark.parametrize("early", [True, False])
def test_a_peer_that_gives_up_elsewhere_does_not_end_the_dispute(early):
    """Or a cheat would, on the bus, as soon as it is found out."""

    def program(session):
        if early:
            aborting(session, final=False)
        first = session.dispute(b"first", SECONDS)
        aborting(session, final=False)
        return first, session.dispute(b"second", SECONDS)

    with parties(3) as meshes:
        for own, (first, second) in enumerate(together(meshes, program)):
            others = set(range(3)) - {own}
            assert first == dict.fromkeys(others, b"first")
            assert second == dict.fromkeys(others, b"second")


def test_a_dispute_does_not_last_long_once_a_peer_has_given_up():
    with against() as (_, session):
        aborting(session, final=False)
        began = time.monotonic()
        assert session.dispute(b"is anybody there", 60.0) == {}
        assert time.monotonic() - began < 5.0


def test_this_party_can_end_a_dispute_at_once():
    with against() as (_, session):
        aborting(session, final=False)
        aborting(session)
        began = time.monotonic()
        assert session.dispute(b"is anybody there", 60.0) == {}
        assert time.monotonic() - began < 0.5


def test_nothing_but_a_dispute_follows_a_dispute():
    with against() as (anna, session):
        anna.send(FrameKind.DISPUTE, 1, b"no")
        with pytest.raises(PeerDisputes):
            to_all(session)
        with pytest.raises(MeshError, match="ended in a dispute"):
            to_all(session)
        assert session.dispute(b"well", SECONDS) == {0: b"no"}


def test_a_session_that_ended_in_a_dispute_does_not_leave_its_links_to_the_next():
    def program(session):
        session.dispute(b"once", SECONDS)
        return session.stats

    with parties(2) as meshes:
        together(meshes, program)
        assert together(meshes, to_all, session_id=bytes([2] * 32)) == [{1: b"as usual"}, {0: b"as usual"}]
