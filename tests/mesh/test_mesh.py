"""Links that are made, kept, broken and made again; sessions that begin, or do not; aborts from other threads."""

import threading
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from mpc_party.mesh import FrameKind, Mesh, MeshError, deadline_in
from mpc_party.mesh.link import Link
from mpc_party.mesh.registry import Registry
from mpc_party.mesh.stats import PeerStats
from mpc_party.mesh.waiting import Waker, milliseconds_until
from mpc_party.protocol.errors import Reason
from tests.support.mesh_parties import DEADLINE, NAMES, ManualPeer, in_threads, members

FIRST, SECOND = bytes([1] * 32), bytes([2] * 32)


def swap(mesh, session_id=FIRST, participants=(0, 1), seconds=DEADLINE):
    """One session with one exchange between all."""
    with mesh.session(session_id, participants, deadline_in(seconds)) as session:
        payload = bytes([session.own])
        got = session.exchange(FrameKind.CHECK, dict.fromkeys(session.peers, payload), session.peers)
        assert got == {peer: bytes([peer]) for peer in session.peers}
        return True


def swap_all(*meshes, **options):
    assert in_threads(*[lambda mesh=mesh: swap(mesh, **options) for mesh in meshes]) == [True] * len(meshes)


def links_made(logs):
    return sum(entry["event"] == "mesh.link_up" for entry in logs)


def test_links_are_kept_from_session_to_session():
    with (
        members(3) as everyone,
        capture_logs() as logs,
        Mesh(everyone.config(0)) as anna,
        Mesh(everyone.config(1)) as bert,
        Mesh(everyone.config(2)) as carl,
    ):
        for number in range(4):
            swap_all(anna, bert, carl, session_id=bytes([number] * 32), participants=(0, 1, 2))
    assert links_made(logs) == 3


def test_any_committee_of_the_members():
    with members(4) as everyone:
        meshes = [Mesh(everyone.config(own)) for own in range(4)]
        try:
            for mesh in meshes:
                mesh.start()
            for number, committee in enumerate([(0, 1, 2), (1, 2, 3), (0, 2, 3), (0, 1, 2, 3)]):
                swap_all(
                    *[meshes[i] for i in committee], session_id=bytes([number] * 32), participants=committee
                )
        finally:
            for mesh in meshes:
                mesh.close()


@pytest.mark.parametrize("restarted", [0, 1])
def test_a_member_that_restarts_is_found_again(restarted):
    with members(2) as everyone:
        meshes = [Mesh(everyone.config(own)) for own in range(2)]
        try:
            for mesh in meshes:
                mesh.start()
            swap_all(*meshes)
            meshes[restarted].close()
            meshes[restarted] = Mesh(everyone.config(restarted))
            meshes[restarted].start()
            swap_all(*meshes, session_id=SECOND)
        finally:
            for mesh in meshes:
                mesh.close()


def test_after_a_failed_session_the_next_one_begins_on_new_links():
    with (
        members(2) as everyone,
        capture_logs() as logs,
        Mesh(everyone.config(0)) as anna,
        Mesh(everyone.config(1)) as bert,
    ):

        def fails(mesh):
            with suppress(ZeroDivisionError), mesh.session(FIRST, [0, 1], deadline_in(DEADLINE)) as session:
                session.exchange(FrameKind.WORDS, {1 - session.own: b"never read"}, [])
                raise ZeroDivisionError

        in_threads(lambda: fails(anna), lambda: fails(bert))
        swap_all(anna, bert, session_id=SECOND)
    assert links_made(logs) == 2


def test_a_peer_that_is_late_in_leaving_an_older_session_is_waited_for():
    with members(2) as everyone, Mesh(everyone.config(0)) as anna, Mesh(everyone.config(1)) as bert:
        for late, early in ((anna, bert), (bert, anna)):
            tried = threading.Event()

            def first_the_old_one(late=late, tried=tried):
                with pytest.raises(MeshError) as caught:
                    late.session(FIRST, [0, 1], deadline_in(0.3))
                assert caught.value.reason is Reason.PEER_TIMEOUT
                tried.set()
                return swap(late, SECOND)

            assert in_threads(first_the_old_one, lambda early=early: swap(early, SECOND)) == [True, True]
            assert tried.is_set()


def test_different_members_are_different_sessions():
    def begin(mesh, participants):
        with pytest.raises(MeshError) as caught:
            mesh.session(FIRST, participants, deadline_in(0.4))
        return caught.value

    with members(3) as everyone, Mesh(everyone.config(0)) as anna, Mesh(everyone.config(1)) as bert:
        errors = in_threads(lambda: begin(anna, [0, 1]), lambda: begin(bert, [0, 1, 2]))
    assert errors[0].peers == ("bert",)
    assert "another session" in errors[0].message or "session up" in errors[0].message
    assert set(errors[1].peers) == {"anna", "carl"}


def test_everyone_who_cannot_be_reached_is_named():
    # anna (lower) does not dial, carl and dora (higher) do not listen.
    with members(4) as everyone, Mesh(everyone.config(1)) as bert, pytest.raises(MeshError) as caught:
        bert.connect(range(4), deadline_in(0.3))
    assert caught.value.reason is Reason.PEER_UNREACHABLE
    assert caught.value.peers == ("anna", "carl", "dora")
    assert caught.value.remedy


@pytest.mark.parametrize("gone", [0, 1])
def test_a_member_that_has_gone_is_unreachable_not_silent(gone):
    with members(2) as everyone:
        meshes = [Mesh(everyone.config(own)) for own in range(2)]
        try:
            for mesh in meshes:
                mesh.start()
            swap_all(*meshes)
            meshes[gone].close()
            for begin in (
                lambda mesh: mesh.connect([gone], deadline_in(0.2)),
                lambda mesh: mesh.session(SECOND, [0, 1], deadline_in(0.2)),
            ):
                with pytest.raises(MeshError) as caught:
                    begin(meshes[1 - gone])
                assert (caught.value.reason, caught.value.peers) == (Reason.PEER_UNREACHABLE, (NAMES[gone],))
        finally:
            for mesh in meshes:
                mesh.close()


def test_connect_waits_for_a_member_that_starts_later():
    with members(2) as everyone, Mesh(everyone.config(0)) as anna:
        refused = threading.Event()
        dial = anna._dialler.dial

        class Watched:
            def dial(self, *arguments):
                try:
                    return dial(*arguments)
                except MeshError:
                    refused.set()
                    raise

        anna._dialler = Watched()

        def later():
            assert refused.wait(DEADLINE)
            with Mesh(everyone.config(1)) as bert:
                bert.connect([0], deadline_in(DEADLINE))

        in_threads(lambda: anna.connect([1], deadline_in(DEADLINE)), later)


def test_a_member_that_dials_again_replaces_its_stale_link():
    with (
        members(2) as everyone,
        Mesh(everyone.config(1)) as bert,
        ManualPeer.greet(everyone, 0, 1) as stale,
        ManualPeer.greet(everyone, 0, 1) as fresh,
    ):
        assert stale.at_end()
        opened = []
        in_threads(
            lambda: opened.append(bert.session(FIRST, [0, 1], deadline_in(DEADLINE))),
            lambda: fresh.begin(FIRST, [0, 1]),
        )
        opened[0].close()


def test_a_stale_link_is_replaced_while_a_session_waits_on_it():
    # The peer's machine vanished without a word and came back: only its new connection says so.
    with members(2) as everyone, Mesh(everyone.config(1)) as bert, ManualPeer.greet(everyone, 0, 1) as stale:
        opened = []

        def dial_again():
            kind, _, _ = stale.receive()  # bert waits on the old link now
            assert kind == FrameKind.SESSION
            with ManualPeer.greet(everyone, 0, 1) as fresh:
                fresh.begin(FIRST, [0, 1])

        in_threads(lambda: opened.append(bert.session(FIRST, [0, 1], deadline_in(DEADLINE))), dial_again)
        opened[0].close()


def test_abort_wakes_a_blocked_exchange_with_its_reason():
    with members(2) as everyone, Mesh(everyone.config(0)) as anna, Mesh(everyone.config(1)) as bert:
        waiting = threading.Event()

        def blocked():
            with anna.session(FIRST, [0, 1], deadline_in(DEADLINE)) as session:
                waiting.set()
                with pytest.raises(MeshError) as caught:
                    session.exchange(FrameKind.WORDS, {}, [1])
                return caught.value

        def abandoned():
            with bert.session(FIRST, [0, 1], deadline_in(DEADLINE)) as session:
                assert waiting.wait(DEADLINE)
                anna.abort(FIRST, reason=Reason.ROUND_DEADLINE, message="too late", culprit="bert")
                with pytest.raises(MeshError) as caught:
                    session.exchange(FrameKind.WORDS, {}, [0])
                return caught.value

        at_anna, at_bert = in_threads(blocked, abandoned)
        assert (at_anna.reason, at_anna.message, at_anna.culprit) == (
            Reason.ROUND_DEADLINE,
            "too late",
            "bert",
        )
        assert (at_bert.reason, at_bert.culprit) == (Reason.PEER_CLOSED, "anna")
        swap_all(anna, bert, session_id=SECOND)


@pytest.mark.parametrize("own", [0, 1])
def test_abort_wakes_the_beginning_of_a_session(own):
    with members(2) as everyone, Mesh(everyone.config(own)) as mesh:

        def begin():
            with pytest.raises(MeshError) as caught:
                mesh.session(FIRST, [0, 1], deadline_in(DEADLINE))
            return caught.value.reason

        # By identifier: so it does not matter whether the abort comes before or after the beginning.
        assert (
            in_threads(begin, lambda: mesh.abort(FIRST, reason=Reason.ROUND_DEADLINE))[0]
            is Reason.ROUND_DEADLINE
        )


def test_a_session_aborted_before_it_begins_does_not_begin_and_others_do():
    with members(2) as everyone, Mesh(everyone.config(0)) as anna, Mesh(everyone.config(1)) as bert:
        anna.abort(FIRST, message="not this one")
        with pytest.raises(MeshError, match="not this one"):
            anna.session(FIRST, [0, 1], deadline_in(DEADLINE))
        anna.abort()  # nothing is under way: no effect on what comes
        swap_all(anna, bert, session_id=SECOND)


def test_aborting_another_session_does_not_disturb_this_one():
    with members(2) as everyone, Mesh(everyone.config(0)) as anna, Mesh(everyone.config(1)) as bert:

        def disturbed():
            with anna.session(FIRST, [0, 1], deadline_in(DEADLINE)) as session:
                anna.abort(SECOND)
                return session.exchange(FrameKind.WORDS, {1: b"a"}, [1])

        def partner():
            with bert.session(FIRST, [0, 1], deadline_in(DEADLINE)) as session:
                return session.exchange(FrameKind.WORDS, {0: b"b"}, [0])

        assert in_threads(disturbed, partner) == [{1: b"b"}, {0: b"a"}]


def test_closing_the_mesh_wakes_its_worker():
    with members(2) as everyone, Mesh(everyone.config(1)) as bert:
        started = threading.Event()

        def worker():
            started.set()
            with pytest.raises(MeshError) as caught:
                bert.connect([0], deadline_in(DEADLINE))
            return caught.value.reason

        def closer():
            assert started.wait(DEADLINE)
            bert.close()

        assert in_threads(worker, closer)[0] is Reason.PARTY_STOPPED
        with pytest.raises(MeshError, match="stopping"):
            bert.connect([0], deadline_in(DEADLINE))


def test_one_session_at_a_time():
    with members(2) as everyone, Mesh(everyone.config(0)) as anna, Mesh(everyone.config(1)) as bert:
        sessions = in_threads(
            *[lambda mesh=mesh: mesh.session(FIRST, [0, 1], deadline_in(DEADLINE)) for mesh in (anna, bert)]
        )
        with pytest.raises(RuntimeError, match="one session"):
            anna.session(SECOND, [0, 1], deadline_in(DEADLINE))
        for session in sessions:
            session.close()


@pytest.mark.parametrize(
    ("session_id", "participants"), [(b"short", [0, 1]), (FIRST, [1]), (FIRST, [0, 7]), (FIRST, [0, -1])]
)
def test_arguments_that_make_no_sense(session_id, participants):
    with members(2) as everyone, Mesh(everyone.config(0)) as anna, pytest.raises(ValueError, match="session"):
        anna.session(session_id, participants, deadline_in(DEADLINE))


def test_a_link_that_finished_its_handshake_late_does_not_replace_a_newer_one():
    class Fake:
        peer, closed = 0, False
        stats = PeerStats()

        def close(self):
            self.closed = True

    registry = Registry()
    older, newer = Fake(), Fake()
    assert registry.put(newer, 2)
    assert not registry.put(older, 1)
    assert older.closed
    assert registry.acquire(0) is newer
    assert not newer.closed
    registry.release(newer, keep=False)
    assert newer.closed
    assert registry.acquire(0) is None


def test_only_authenticated_links_are_registered():
    class Stranger(Link):
        def __init__(self):
            self.peer = None

    with pytest.raises(ValueError, match="authenticated"):
        Registry().put(Stranger(), 0)


def test_a_waker_stays_set_and_waits_are_bounded():
    waker = Waker()
    assert not waker.wait(deadline_in(0.01))
    waker.set()
    waker.set()
    assert waker.wait(deadline_in(DEADLINE))
    waker.close()
    waker.set()
    assert milliseconds_until(float("inf")) == 3_600_000
    assert milliseconds_until(0.0) == 0
