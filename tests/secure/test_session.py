"""Who computes, the agreement on seeds, frames that do not fit, and the counts."""

import copy
import threading

import numpy as np
import pytest
import torch

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.secure import (
    SecureError,
    SecureSession,
    SessionContext,
    constant,
    current_session,
    multiply,
    open_many,
    open_shares,
    relu,
)
from mpc_party.secure import session as session_module
from mpc_party.secure.randomness import Purpose
from mpc_party.secure.session import Messages
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.secure_parties import CONTEXT, give, run_secure, same


def test_a_context_is_bound_to_all_its_parts():
    digests = {
        CONTEXT.digest((0, 1, 2), 16),
        SessionContext(bytes(32), 3, 17).digest((0, 1, 2), 16),
        SessionContext(CONTEXT.consortium, 4, 17).digest((0, 1, 2), 16),
        SessionContext(CONTEXT.consortium, 3, 18).digest((0, 1, 2), 16),
        CONTEXT.digest((0, 1, 3), 16),
        CONTEXT.digest((0, 1, 2), 20),
    }
    assert len(digests) == 6
    assert (
        CONTEXT.digest((0, 1, 2), 16).hex()
        == "e6fcc1aa8d675cc8aff416fed7805b523534eec67dcc70ad4317bfc7ba76829a"
    )  # version 2 of the format: 1 was of engines in which position 0 does not deal


@pytest.mark.parametrize(
    "arguments", [(bytes(31), 0, 0), (bytes(33), 0, 0), (bytes(32), -1, 0), (bytes(32), 0, 2**64)]
)
def test_a_context_out_of_range_is_refused(arguments):
    with pytest.raises(ValueError, match=r"bytes|unsigned"):
        SessionContext(*arguments)


@pytest.mark.parametrize(
    "committee", [(0, 1), (0, 1, 2, 3), (0, 2, 1), (0, 0, 1), (1, 2, 3), (0, 1, 5), (), (0,)]
)
def test_a_committee_is_an_odd_number_of_linked_members_in_order(committee):
    link = local_mesh((0, 1, 2, 3))[0]
    with pytest.raises(SecureError) as caught:
        SecureSession(link, committee, CONTEXT)
    assert caught.value.reason is Reason.PROPOSAL_REFUSED


@pytest.mark.parametrize("fraction_bits", [-1, 31])
def test_fraction_bits_leave_room_for_a_product(fraction_bits):
    with pytest.raises(ValueError, match="fraction_bits"):
        SecureSession(local_mesh((0, 1, 2))[0], (0, 1, 2), CONTEXT, fraction_bits=fraction_bits)


def test_positions_follow_the_order_of_members():
    outcome = run_secure(lambda s: (s.position, s.next, s.previous), committee=(1, 4, 6))
    assert outcome.results == [(0, 1, 2), (1, 2, 0), (2, 0, 1)]


def test_each_seed_is_known_to_its_two_holders_only():
    def draw(session):
        held = {}
        for component in (session.position, session.next):
            held[component] = session.words(component, Purpose.RANDOM_WORDS, (20,)).tolist()
        return held

    first, second, third = run_secure(draw).results
    assert first[0] == third[0]
    assert first[1] == second[1]
    assert second[2] == third[2]
    words = first[0] + first[1] + second[2]
    assert len(set(words)) == len(words)


def test_a_third_party_does_not_see_the_contributions_to_a_seed_and_each_side_changes_it():
    def contribution(link, entropy):
        session = SecureSession(link, (0, 1, 2), CONTEXT, entropy=entropy).setup()
        return session.words(session.next, Purpose.RANDOM_WORDS, (4,)).tolist()

    def seed_of_component_1(first, second):
        fixed = [lambda n: first * n, lambda n: second * n, lambda n: b"\x03" * n]
        links = local_mesh((0, 1, 2))
        words = run_parties(links, lambda link: contribution(link, fixed[link.own]))[0]
        seen_by_2 = b"".join(data for _, _, data in links[2].received)
        return words, seen_by_2

    base, _ = seed_of_component_1(b"\x01", b"\x02")
    other_first, _ = seed_of_component_1(b"\x04", b"\x02")
    other_second, _ = seed_of_component_1(b"\x01", b"\x05")
    assert len({tuple(w) for w in (base, other_first, other_second)}) == 3

    separate = iter(range(256))
    draws = {}

    def drawn(position):
        def entropy(count):
            value = bytes([next(separate)]) * count
            draws.setdefault(position, []).append(value)
            return value

        return entropy

    links = local_mesh((0, 1, 2))
    run_parties(links, lambda link: contribution(link, drawn(link.own)))
    seen = b"".join(data for _, _, data in links[2].received)
    assert draws[0][1] not in seen  # party 0's contribution to the seed it shares with 1
    assert draws[1][0] not in seen  # party 1's to the same
    assert draws[0][0] in seen


def test_fresh_entropy_gives_fresh_seeds():
    draw = lambda session: session.words(session.position, Purpose.RANDOM_WORDS, (4,)).tolist()  # noqa: E731
    assert run_secure(draw, seed=1).results[0] != run_secure(draw, seed=2).results[0]


def start(contexts, committee=(0, 1, 2), **options):
    def party(link):
        context = contexts[link.own]
        names = ["alice", "bob", "carol"]
        try:
            SecureSession(link, committee, context, names=names, **options).setup()
        except SecureError as error:
            return error.reason, error.culprit
        return None

    return run_parties(local_mesh((0, 1, 2)), party)


def test_a_party_in_another_round_is_named():
    other = SessionContext(CONTEXT.consortium, 3, 18)
    errors = start([CONTEXT, other, CONTEXT])
    assert all(reason is Reason.PROGRAM_MISMATCH for reason, _ in errors)
    assert errors[0][1] == "bob"
    assert errors[2][1] == "bob"


def test_setup_is_needed_and_happens_once():
    def program(session):
        with pytest.raises(SecureError, match="already"):
            session.setup()

    run_secure(program)
    session = SecureSession(local_mesh((0, 1, 2))[0], (0, 1, 2), CONTEXT)
    with session, pytest.raises(SecureError, match="setup"):
        multiply(constant(1), constant(2))


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: d[:-8], lambda _: b""])
def test_a_frame_of_the_wrong_length_names_its_sender_and_ends_the_session(change):
    def program(session):
        x = give(session, 0, torch.ones(3))
        try:
            open_shares(x)
        except SecureError as error:
            with pytest.raises(SecureError, match="failed before"):
                open_shares(x)
            return error.reason, error.culprit
        return None

    outcome = run_secure(
        program, tamper={1: lambda _peer, _kind, data: change(data) if len(data) == 24 else data}
    )
    # 1 sends to 2 when opening
    assert outcome.results == [None, None, (Reason.FRAME_MALFORMED, "member 1")]


def test_a_broken_link_ends_the_session():
    class Broken:
        own, peers = 0, (1, 2)

        def exchange(self, *_):
            raise ConnectionError

    session = SecureSession(Broken(), (0, 1, 2), CONTEXT)
    with pytest.raises(ConnectionError):
        session.setup()
    with pytest.raises(SecureError, match="failed before"):
        session.setup()


def test_shares_of_two_sessions_do_not_meet():
    def program(session):
        x = constant(torch.ones(2))
        other = SecureSession(session._exchange, session.committee, CONTEXT)
        with other:
            y = constant(torch.ones(2))
        for operation in (lambda: x + y, lambda: x * y, lambda: x - y, lambda: x @ y):
            with pytest.raises(SecureError, match="different sessions"):
                operation()

    run_secure(program)


def test_the_current_session_belongs_to_the_thread():
    def program(session):
        assert current_session() is session
        seen = []

        def elsewhere():
            try:
                seen.append(current_session())
            except SecureError as error:
                seen.append(error.reason)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(10)
        return seen

    assert run_secure(program).results == [[Reason.INTERNAL]] * 3


def test_sessions_nest():
    def program(session):
        inner = SecureSession(session._exchange, session.committee, CONTEXT)
        with inner:
            assert current_session() is inner
        assert current_session() is session

    run_secure(program)


def test_traffic_is_counted_by_operation():
    def program(session):
        x = give(session, 1, torch.ones(10))
        open_shares(multiply(x, x))
        return session.traffic

    traffic = run_secure(program).results
    assert [t.rounds for t in traffic] == [4, 4, 4]  # setup, share, multiply and truncate, open
    assert [t.ahead for t in traffic] == [1, 1, 1]  # what position 0 deals for the product
    assert [t.by_operation["setup"].bytes_sent for t in traffic] == [128, 128, 128]
    assert [t.by_operation["share"].bytes_sent for t in traffic] == [0, 80, 0]
    assert [t.by_operation["multiply-truncate"].bytes_sent for t in traffic] == [80, 80, 80]
    assert [t.by_operation["multiply-truncate"].rounds for t in traffic] == [1, 1, 1]
    assert [t.by_operation["open"].bytes_sent for t in traffic] == [80, 80, 80]
    assert sum(t.bytes_sent for t in traffic) == sum(t.bytes_received for t in traffic)


def test_large_messages_travel_in_pieces(monkeypatch):
    monkeypatch.setattr(session_module, "_FRAME_BYTES", 64)
    x = torch.linspace(-5, 5, 21)  # 168 bytes: two pieces of 64, and one of 40

    def program(session):
        shares = [give(session, owner, x) for owner in range(3)]
        link = session._exchange
        link.received.clear()
        opened = open_many([*shares, shares[0][:3]])  # 528 bytes, in 9 pieces
        assert {len(data) for _, _, data in link.received} == {64, 16}
        assert session.traffic.by_operation["open"].rounds == 1
        return torch.cat([*opened, open_shares(relu(shares[1]))])

    opened = same(run_secure(program).results)
    expected = torch.cat([x, x, x, x[:3], x.relu()]).double()
    assert torch.allclose(opened, expected, atol=2**-16)


def test_an_empty_message_beside_a_large_one_to_another_peer(monkeypatch):
    monkeypatch.setattr(session_module, "_FRAME_BYTES", 64)

    def program(session):
        send = {0: [(1, np.arange(100)), (2, np.arange(0))], 1: [(2, np.arange(0))]}.get(session.position, [])
        large, first, second = np.zeros(100, dtype=np.int64), np.arange(0), np.arange(0)
        receive = {1: [(0, large)], 2: [(0, first), (1, second)]}.get(session.position, [])
        session.exchange([Messages(session, FrameKind.WORDS, "test", send, receive)])
        return large.sum()

    assert run_secure(program).results == [0, 4950, 0]


def test_a_piece_of_the_wrong_length_names_its_sender(monkeypatch):
    monkeypatch.setattr(session_module, "_FRAME_BYTES", 64)

    def program(session):
        x = give(session, 0, torch.ones(21))
        try:
            open_shares(x)
        except SecureError as error:
            return error.reason, error.culprit
        return None

    outcome = run_secure(program, tamper={1: lambda _p, _k, data: data[:-8] if len(data) == 40 else data})
    assert outcome.results == [None, None, (Reason.FRAME_MALFORMED, "member 1")]


def test_words_travel_as_little_endian_64_bit():
    outcome = run_secure(lambda _: open_shares(constant(torch.tensor([1, -2]))))
    assert same(outcome.results).tolist() == [1.0, -2.0]
    sender, kind, data = outcome.links[1].received[
        -1
    ]  # x_0, which carries the public value, goes from 0 to 1
    assert (sender, kind) == (0, FrameKind.WORDS)
    assert data == np.array([1, -2], dtype="<i8").tobytes()


def test_messages_show_no_words():
    messages = Messages(None, FrameKind.WORDS, "open", [(0, np.array([1234567]))])
    assert "1234567" not in repr(messages)


def test_a_session_hides_and_is_not_serialised():
    session = run_secure(lambda session: session).results[0]
    assert repr(session) == "SecureSession(committee=(0, 1, 2), position=0)"
    with pytest.raises(TypeError, match="not serialised"):
        copy.copy(session)
