"""Exchanges: what arrives, what a broken, silent or hostile peer gets, and what is counted."""

import array
import ssl
import threading
from contextlib import contextmanager, suppress

import pytest

from mpc_party.mesh import FrameKind, Mesh, MeshError, MeshLimits, PeerStats, deadline_in
from mpc_party.mesh.frames import HEADER
from mpc_party.mesh.refusal import Cause, Refusal
from mpc_party.protocol.errors import Reason
from tests.support.mesh_parties import DEADLINE, ManualPeer, in_threads, members

SESSION = bytes([1] * 32)
MIB = 1024 * 1024


@contextmanager
def parties(count, **changes):
    with members(count) as everyone:
        meshes = [Mesh(everyone.config(own, **changes)) for own in range(count)]
        try:
            for mesh in meshes:
                mesh.start()
            yield meshes
        finally:
            for mesh in meshes:
                mesh.close()


def together(meshes, program, *, session_id=SESSION, deadline=DEADLINE):
    """Run `program(session)` at every party in one session; return results or failures."""

    def work(mesh):
        try:
            with mesh.session(session_id, range(len(meshes)), deadline_in(deadline)) as session:
                return program(session)
        except MeshError as error:
            return error

    return in_threads(*[lambda mesh=mesh: work(mesh) for mesh in meshes])


@contextmanager
def against(own=0, **changes):
    """A manual peer (anna, member 0) in a session with a mesh (bert, member 1)."""
    with (
        members(2) as everyone,
        Mesh(everyone.config(1, **changes)) as bert,
        ManualPeer.greet(everyone, 0, 1) as anna,
    ):
        opened = []
        in_threads(
            lambda: opened.append(bert.session(SESSION, [0, 1], deadline_in(DEADLINE))),
            lambda: anna.begin(SESSION, [0, 1]),
        )
        with opened[0] as session:
            yield anna, session


@pytest.mark.parametrize("size", [0, 1, 64, 16_375, 16_376, 65_536, 3 * MIB + 1])
def test_each_sends_to_the_one_before_and_receives_from_the_one_after(size):
    def ring(session):
        before, after = (session.own - 1) % 3, (session.own + 1) % 3
        for turn in range(3):
            payload = bytes([session.own, turn]) * (size // 2) + b"x" * (size % 2)
            got = session.exchange(FrameKind.WORDS, {before: payload}, [after])
            assert got == {after: bytes([after, turn]) * (size // 2) + b"x" * (size % 2)}
        return session.peers

    with parties(3) as meshes:
        assert together(meshes, ring) == [(1, 2), (0, 2), (0, 1)]


@pytest.mark.parametrize("sent", [None, 0, 1000, 40_000])
def test_a_peer_that_ends_tls_and_keeps_the_socket_is_gone_at_once(sent):
    """A close_notify, alone or in the middle of a large frame: nothing more can come, and nobody waits for it."""
    with against() as (anna, session):
        if sent is not None:
            anna.send(FrameKind.WORDS, 1, b"x" * sent, length=MIB)
        anna.sock.settimeout(DEADLINE)
        in_threads(lambda: end_tls(anna), lambda: fails_with_closed(session))


def end_tls(peer):
    with pytest.raises(ssl.SSLError):  # what comes back is no close_notify but the session's own last words
        peer.sock.unwrap()


def fails_with_closed(session):
    with pytest.raises(MeshError) as caught:
        session.exchange(FrameKind.WORDS, {}, [0])
    assert (caught.value.reason, caught.value.culprit) == (Reason.PEER_CLOSED, "anna")


def test_any_contiguous_buffer_can_be_sent():
    words = array.array("q", range(-5000, 5000))

    def swap(session):
        other = 1 - session.own
        got = session.exchange(FrameKind.WORDS, {other: memoryview(words)}, [other])[other]
        assert got == words.tobytes()
        small = memoryview(array.array("q", [session.own, -1]))
        return session.exchange(FrameKind.WORDS, {other: small}, [other])[other]

    with parties(2) as meshes:
        results = together(meshes, swap)
    assert results == [array.array("q", [1 - own, -1]).tobytes() for own in range(2)]


def test_frames_that_come_early_wait_for_the_call_that_expects_them():
    def program(session):
        if session.own == 0:
            for number in range(200):
                session.exchange(FrameKind.WORDS, {1: bytes([number])}, [])
            return session.exchange(FrameKind.CHECK, {1: b"end"}, [1])[1]
        got = [session.exchange(FrameKind.WORDS, {}, [0])[0] for _ in range(200)]
        assert got == [bytes([number]) for number in range(200)]
        return session.exchange(FrameKind.CHECK, {0: b"fin"}, [0])[0]

    with parties(2) as meshes:
        assert together(meshes, program) == [b"fin", b"end"]


def test_32_mib_both_ways_at_once():
    def swap(session):
        other = 1 - session.own
        payload = bytes([session.own + 1]) * (32 * MIB)
        got = session.exchange(FrameKind.WORDS, {other: payload}, [other])[other]
        return len(got), got.count(other + 1)

    with parties(2) as meshes:
        assert together(meshes, swap) == [(32 * MIB, 32 * MIB)] * 2


def test_two_that_send_much_before_either_expects_anything():
    # Each call only sends; without reading ahead both would wait for the other to make room.
    def send_then_receive(session):
        other = 1 - session.own
        session.exchange(FrameKind.WORDS, {other: bytes(16 * MIB)}, [])
        return len(session.exchange(FrameKind.WORDS, {}, [other])[other])

    with parties(2) as meshes:
        assert together(meshes, send_then_receive) == [16 * MIB] * 2


def test_the_deadline_names_every_silent_peer():
    done = threading.Event()

    def program(mesh, own):
        seconds = 0.5 if own == 0 else DEADLINE
        with mesh.session(SESSION, [0, 1, 2, 3], deadline_in(seconds)) as session:
            if own == 3:
                session.exchange(FrameKind.WORDS, {0: b"here"}, [])
            if own:
                assert done.wait(DEADLINE)
                return None
            with pytest.raises(MeshError) as caught:
                session.exchange(FrameKind.WORDS, {1: b"hello"}, [1, 2, 3])
            done.set()
            return caught.value

    with parties(4) as meshes:
        for mesh in meshes[1:]:
            mesh.start()
        # Links first, so that the half second is spent on the exchange alone.
        in_threads(*[lambda mesh=mesh: mesh.connect(range(4), deadline_in(DEADLINE)) for mesh in meshes])
        error = in_threads(*[lambda own=own: program(meshes[own], own) for own in range(4)])[0]
    assert error.reason is Reason.PEER_TIMEOUT
    assert error.peers == ("bert", "carl")
    assert error.culprit == "bert"
    assert "nothing from bert, carl" in error.message


def test_a_peer_that_does_not_read_is_named():
    with members(2) as everyone, Mesh(everyone.config(1)) as bert, ManualPeer.greet(everyone, 0, 1) as anna:
        opened = []
        in_threads(
            lambda: opened.append(bert.session(SESSION, [0, 1], deadline_in(1.0))),
            lambda: anna.begin(SESSION, [0, 1]),
        )
        with pytest.raises(MeshError) as caught:
            opened[0].exchange(FrameKind.WORDS, {0: bytes(32 * MIB)}, [])
    assert caught.value.reason is Reason.PEER_TIMEOUT
    assert caught.value.culprit == "anna"
    assert "does not read" in caught.value.message


HOSTILE = {
    "kind": (HEADER.pack(1, FrameKind.BITS, 1) + b"x", "sent BITS where WORDS is due"),
    "unknown kind": (HEADER.pack(1, 99, 1) + b"x", "unknown frame kind 99"),
    "sequence": (HEADER.pack(1, FrameKind.WORDS, 2) + b"x", "sequence number 2 instead of 1"),
    "length": (HEADER.pack(70 * MIB, FrameKind.WORDS, 1), "exceeds the limit"),
    "hello again": (HEADER.pack(0, FrameKind.HELLO, 0), "sent HELLO where WORDS is due"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_malformed_frame_ends_the_session_and_the_sender_is_told(case):
    data, words = HOSTILE[case]
    with against() as (anna, session):
        anna.sock.sendall(data)
        with pytest.raises(MeshError, match=words) as caught:
            session.exchange(FrameKind.WORDS, {}, [0])
        assert caught.value.reason is Reason.FRAME_MALFORMED
        assert caught.value.culprit == "anna"
        assert anna.refusal() == Cause.MALFORMED_FRAMES
        assert anna.at_end()
        with pytest.raises(MeshError, match=words):  # the session stays over
            session.exchange(FrameKind.WORDS, {}, [0])


def test_a_replayed_frame_is_refused():
    with against() as (anna, session):
        frame = HEADER.pack(5, FrameKind.WORDS, 1) + b"again"
        anna.sock.sendall(frame)
        assert session.exchange(FrameKind.WORDS, {}, [0]) == {0: b"again"}
        anna.sock.sendall(frame)
        with pytest.raises(MeshError, match="sequence number 1 instead of 2") as caught:
            session.exchange(FrameKind.WORDS, {}, [0])
        assert caught.value.reason is Reason.FRAME_MALFORMED


def test_a_peer_that_begins_another_session_has_left_this_one():
    with against() as (anna, session):
        anna.send(FrameKind.SESSION, 0, bytes(38))
        with pytest.raises(MeshError, match="another") as caught:
            session.exchange(FrameKind.WORDS, {}, [0])
        assert caught.value.reason is Reason.PEER_CLOSED


def test_a_peer_that_closes_is_named():
    with against() as (anna, session):
        anna.sock.close()
        with pytest.raises(MeshError) as caught:
            session.exchange(FrameKind.WORDS, {0: bytes(MIB)}, [0])
        assert caught.value.reason is Reason.PEER_CLOSED
        assert caught.value.culprit == "anna"


def test_a_peer_that_closes_in_the_middle_of_a_frame_is_named():
    with against() as (anna, session):
        anna.send(FrameKind.WORDS, 1, bytes(100), length=200)
        anna.sock.close()
        with pytest.raises(MeshError) as caught:
            session.exchange(FrameKind.WORDS, {}, [0])
        assert (caught.value.reason, caught.value.culprit) == (Reason.PEER_CLOSED, "anna")


def test_an_unknown_refusal_code_is_a_refusal():
    for payload in (b"\xff\xff\xff", b"", b"much too long"):
        with against() as (anna, session):
            anna.send(FrameKind.REFUSAL, 1, payload)
            with pytest.raises(MeshError, match="unknown code") as caught:
                session.exchange(FrameKind.WORDS, {}, [0])
            assert caught.value.reason is Reason.PEER_REFUSED


def test_what_we_cannot_send_is_our_own_error():
    with against(limits=MeshLimits(max_payload=4096)) as (_, session):
        with pytest.raises(MeshError, match="limit of 4096") as caught:
            session.exchange(FrameKind.WORDS, {0: bytes(4097)}, [])
        assert caught.value.culprit is None


def test_somebody_outside_the_session_is_a_mistake_of_the_caller():
    with against() as (_, session), pytest.raises(ValueError, match="member 5 is not a peer"):
        session.exchange(FrameKind.WORDS, {5: b""}, [])


def test_a_party_that_gives_up_tells_the_others_whom_it_blames():
    def program(session):
        if session.own == 1:
            raise MeshError("carl is silent", reason=Reason.PEER_TIMEOUT, peers=("carl",))
        return session.exchange(FrameKind.WORDS, {}, [1])

    with parties(3) as meshes:
        at_anna, at_bert, _ = together(meshes, program)
    assert at_bert.culprit == "carl"
    assert (at_anna.reason, at_anna.culprit, at_anna.hearsay) == (Reason.PEER_CLOSED, "bert", "carl")
    assert "gave the session up, blaming carl" in at_anna.message


def test_the_reason_is_heard_even_if_sending_fails_before_it_is_read():
    with against() as (anna, session):
        anna.send(FrameKind.REFUSAL, 1, Refusal(Cause.SESSION_ABORTED, 1).encode())
        anna.sock.close()  # what is sent now meets a reset
        with pytest.raises(MeshError, match="gave the session up, blaming bert") as caught:
            session.exchange(FrameKind.WORDS, {0: bytes(16 * MIB)}, [])
        assert (caught.value.reason, caught.value.culprit) == (Reason.PEER_CLOSED, "anna")


def test_counts_are_exact():
    sizes = (64, 0, 16_375, 16_376, 100_000)

    def program(session):
        other = 1 - session.own
        if session.own == 0:
            for size in sizes:
                session.exchange(FrameKind.WORDS, {1: bytes(size)}, [])
            session.exchange(FrameKind.CHECK, {}, [1])
        else:
            for _ in sizes:
                session.exchange(FrameKind.WORDS, {}, [0])
            session.exchange(FrameKind.CHECK, {other: b"done"}, [])
        return session.stats

    with parties(2) as meshes:
        anna, bert = together(meshes, program)
        total = meshes[0].stats
    records = sum(-(-(9 + size) // 16_384) for size in sizes)
    framed = sum(sizes) + 9 * len(sizes)
    assert anna.rounds == bert.rounds == len(sizes) + 1
    assert anna.peers == {
        1: PeerStats(
            frames_sent=len(sizes),
            frames_received=1,
            payload_sent=sum(sizes),
            payload_received=4,
            framed_sent=framed,
            framed_received=13,
            wire_sent=framed + 22 * records,
            wire_received=13 + 22,
        )
    }
    assert bert.peers[0].payload_received == bert.payload_received == sum(sizes)
    assert bert.peers[0].framed_received == framed
    assert (anna.payload_sent, anna.wire_sent, anna.wire_received) == (sum(sizes), framed + 22 * records, 35)
    # Since the mesh was made there were HELLO and SESSION as well.
    assert total.rounds == anna.rounds
    assert total.peers[1].frames_sent == len(sizes) + 2
    assert total.peers[1].payload_sent == sum(sizes) + 40 + 38
    assert total.peers[1].wire_sent > anna.wire_sent


def test_leaving_cleanly_twice_is_harmless_and_using_it_afterwards_is_not():
    with parties(2) as meshes:
        sessions = in_threads(
            *[lambda mesh=mesh: mesh.session(SESSION, [0, 1], deadline_in(DEADLINE)) for mesh in meshes]
        )
        for session in sessions:
            assert session.session_id == SESSION
            session.close()
            session.close()
            with pytest.raises(MeshError, match="over"):
                session.exchange(FrameKind.WORDS, {}, [])


def test_an_exception_of_the_program_passes_through_and_closes_the_links():
    def program(session):
        if session.own == 0:
            raise ZeroDivisionError
        return session.exchange(FrameKind.WORDS, {}, [0])

    with parties(2) as meshes:
        outcome = []

        def failing():
            with suppress(ZeroDivisionError):
                together(meshes, program)

        failing()
        # Both are free for the next session, on a new link.
        outcome = together(
            meshes,
            lambda s: s.exchange(FrameKind.WORDS, {1 - s.own: b"x"}, [1 - s.own]),
            session_id=bytes(32),
        )
    assert outcome == [{1: b"x"}, {0: b"x"}]
