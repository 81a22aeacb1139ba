"""Who is let in: strangers, impostors, other consortia and babblers are not, and the log says which they were."""

import socket
import ssl
import struct

import pytest
from structlog.testing import capture_logs

from mpc_party.mesh import FrameKind, Mesh, MeshError, MeshLimits, deadline_in
from mpc_party.mesh.frames import HEADER
from mpc_party.mesh.handshake import encode_hello
from mpc_party.mesh.refusal import Cause
from mpc_party.protocol.errors import ConfigError, Reason
from tests.support.mesh_parties import DEADLINE, HASH, ManualPeer, in_threads, make_credentials, members

SESSION = bytes([9] * 32)


def causes(logs):
    return [(entry["cause"], entry["peer"]) for entry in logs if entry["event"] == "mesh.refused"]


def both(first: Mesh, second: Mesh):
    """Let both begin one session; return what each of them raised."""

    def attempt(mesh):
        try:
            with mesh.session(SESSION, [0, 1], deadline_in(DEADLINE)):
                return None
        except MeshError as error:
            return error

    return in_threads(lambda: attempt(first), lambda: attempt(second))


def test_members_meet_though_all_certificates_bear_the_same_name():
    with members(2) as everyone, Mesh(everyone.config(0)) as anna, Mesh(everyone.config(1)) as bert:
        assert both(anna, bert) == [None, None]


def test_an_unknown_certificate_is_refused_by_the_acceptor():
    with members(2) as everyone, capture_logs() as logs, Mesh(everyone.config(1)) as bert:
        stranger = everyone.config(0, make_credentials())
        with Mesh(stranger) as mallory, pytest.raises(MeshError) as caught:
            mallory.connect([1], deadline_in(DEADLINE))
        assert caught.value.reason is Reason.PEER_REFUSED
        assert caught.value.culprit == "bert"
        bert.close()
    assert ("wrong certificate", None) in causes(logs)


def test_no_certificate_is_refused():
    with members(2) as everyone, capture_logs() as logs, Mesh(everyone.config(1)):
        raw = socket.create_connection(("127.0.0.1", everyone.ports[1]), timeout=DEADLINE)
        with ManualPeer.context(None).wrap_socket(raw) as sock, pytest.raises(ssl.SSLError, match="ALERT"):
            sock.recv(1)
    assert causes(logs) == [("wrong certificate", None)]


def test_a_member_in_another_members_place_is_refused_by_the_dialler():
    # Carl's process answers at bert's address, with carl's own good certificate.
    with members(3) as everyone, capture_logs() as logs:
        carl = everyone.config(2, listen=("127.0.0.1", everyone.ports[1]))
        with Mesh(carl), Mesh(everyone.config(0)) as anna, pytest.raises(MeshError) as caught:
            anna.connect([1], deadline_in(DEADLINE))
        assert caught.value.reason is Reason.PEER_REFUSED
        assert caught.value.culprit == "bert"
        assert "that of carl" in caught.value.message
    assert ("wrong certificate", "bert") in causes(logs)


def test_a_member_that_claims_another_ones_index_is_refused_by_the_acceptor():
    with (
        members(3) as everyone,
        capture_logs() as logs,
        Mesh(everyone.config(2)),
        ManualPeer.dial(everyone, own=1, peer=2) as bert,
    ):
        bert.send(FrameKind.HELLO, 0, encode_hello(0, HASH))
        assert bert.refusal() == Cause.WRONG_CERTIFICATE
        assert bert.at_end()
    assert causes(logs) == [("wrong certificate", "bert")]


def test_a_certificate_issued_by_a_member_is_not_that_member():
    authority = make_credentials(authority=True)
    issued = make_credentials(issuer=authority)
    with (
        members(2, [authority, make_credentials()]) as everyone,
        capture_logs() as logs,
        Mesh(everyone.config(1)),
        ManualPeer.dial(everyone, own=0, peer=1, credentials=issued) as mallory,
    ):
        mallory.send(FrameKind.HELLO, 0, encode_hello(0, HASH))
        assert mallory.refusal() == Cause.WRONG_CERTIFICATE
    assert causes(logs) == [("wrong certificate", None)]


def test_an_expired_certificate_is_refused():
    expired = make_credentials(valid_days=-1)
    with members(2, [expired, make_credentials()]) as everyone, capture_logs() as logs:
        with Mesh(everyone.config(0)) as anna, Mesh(everyone.config(1)), pytest.raises(MeshError) as caught:
            anna.connect([1], deadline_in(DEADLINE))
        assert caught.value.reason is Reason.PEER_REFUSED
    assert ("wrong certificate", None) in causes(logs)
    assert any("expired" in entry.get("detail", "") for entry in logs)


def test_another_consortium_hash_is_refused_at_once_and_both_sides_say_so():
    with (
        members(2) as everyone,
        capture_logs() as logs,
        Mesh(everyone.config(0, consortium_hash=bytes(32))) as anna,
        Mesh(everyone.config(1)) as bert,
    ):
        at_anna, at_bert = both(anna, bert)
    assert at_anna.reason is Reason.PEER_REFUSED
    assert at_anna.culprit == "bert"
    assert "wrong consortium hash" in at_anna.message
    assert "same one" in at_anna.remedy
    assert at_bert.reason is Reason.PEER_REFUSED
    assert at_bert.culprit == "anna"
    assert causes(logs) == [("wrong consortium hash", "anna")]


def test_a_refusal_just_before_is_remembered_by_the_one_that_waits():
    with (
        members(2) as everyone,
        Mesh(everyone.config(0, consortium_hash=bytes(32))) as anna,
        Mesh(everyone.config(1)) as bert,
    ):
        for mesh in (anna, bert):  # one after the other: anna has given up when bert begins
            with pytest.raises(MeshError) as caught:
                mesh.session(SESSION, [0, 1], deadline_in(DEADLINE))
            assert caught.value.reason is Reason.PEER_REFUSED


def test_another_protocol_version_is_refused():
    with (
        members(2) as everyone,
        capture_logs() as logs,
        Mesh(everyone.config(1)),
        ManualPeer.dial(everyone, own=0, peer=1) as anna,
    ):
        anna.send(FrameKind.HELLO, 0, struct.pack("<4sHH32s", b"MPCH", 2, 0, HASH))
        assert anna.refusal() == Cause.WRONG_PROTOCOL_VERSION
    assert causes(logs) == [("wrong protocol version", "anna")]


def test_the_higher_index_must_not_dial():
    with (
        members(2) as everyone,
        capture_logs() as logs,
        Mesh(everyone.config(0)),
        ManualPeer.dial(everyone, own=1, peer=0) as bert,
    ):
        assert bert.refusal() == Cause.WRONG_DIRECTION
    assert causes(logs) == [("wrong direction", "bert")]


def test_a_party_does_not_link_to_itself():
    with (
        members(2) as everyone,
        capture_logs() as logs,
        Mesh(everyone.config(1)),
        ManualPeer.dial(everyone, own=1, peer=1) as mirror,
    ):
        assert mirror.refusal() == Cause.WRONG_CERTIFICATE
    assert causes(logs) == [("wrong certificate", None)]


@pytest.mark.parametrize(
    "data",
    [
        HEADER.pack(2**31, FrameKind.HELLO, 0),
        HEADER.pack(2000, FrameKind.WORDS, 0),
        HEADER.pack(0, 77, 0),
        HEADER.pack(40, FrameKind.HELLO, 1) + encode_hello(0, HASH),
        HEADER.pack(39, FrameKind.HELLO, 0) + encode_hello(0, HASH)[:39],
        HEADER.pack(40, FrameKind.WORDS, 0) + encode_hello(0, HASH),
        HEADER.pack(40, FrameKind.HELLO, 0) + b"NOPE" + encode_hello(0, HASH)[4:],
    ],
    ids=["length", "no control frame", "kind", "sequence", "short", "not hello", "magic"],
)
def test_malformed_frames_are_refused(data):
    with (
        members(2) as everyone,
        capture_logs() as logs,
        Mesh(everyone.config(1)),
        ManualPeer.dial(everyone, own=0, peer=1) as anna,
    ):
        anna.sock.sendall(data)
        assert anna.refusal() == Cause.MALFORMED_FRAMES
        assert anna.at_end()
    assert causes(logs) == [("malformed frames", "anna")]


def test_tls_1_2_is_refused():
    with members(2) as everyone, capture_logs() as logs, Mesh(everyone.config(1)):
        context = ManualPeer.context(everyone.credentials[0])
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection(("127.0.0.1", everyone.ports[1]), timeout=DEADLINE) as raw,
            pytest.raises(ssl.SSLError, match=r"(?i)protocol"),
        ):
            context.wrap_socket(raw)
    assert causes(logs) == [("no TLS 1.3", None)]


def test_tls_is_1_3_and_hands_out_no_tickets():
    with members(2) as everyone, Mesh(everyone.config(1)), ManualPeer.greet(everyone, 0, 1) as anna:
        assert anna.sock.version() == "TLSv1.3"
        assert anna.sock.session is None or not anna.sock.session.has_ticket


def test_plain_garbage_is_refused():
    with members(2) as everyone, capture_logs() as logs, Mesh(everyone.config(1)):
        for data in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), bytes(100_000)):
            with socket.create_connection(("127.0.0.1", everyone.ports[1]), timeout=DEADLINE) as raw:
                try:
                    raw.sendall(data)
                    while raw.recv(4096):
                        pass
                except ConnectionError:
                    pass  # refused while we were still talking
    assert causes(logs) == [("no TLS 1.3", None)] * 3


def test_a_silent_connection_is_dropped_at_the_handshake_deadline():
    limits = MeshLimits(handshake_seconds=0.2)
    with members(2) as everyone, capture_logs() as logs, Mesh(everyone.config(1, limits=limits)):
        with socket.create_connection(("127.0.0.1", everyone.ports[1]), timeout=DEADLINE) as raw:
            assert raw.recv(1) == b""
        with ManualPeer.dial(everyone, own=0, peer=1) as anna:  # TLS is through, HELLO never comes
            assert anna.at_end()
    assert causes(logs) == [("too slow", None), ("too slow", "anna")]


def test_strangers_that_hold_all_places_do_not_keep_members_out():
    limits = MeshLimits(handshake_seconds=DEADLINE, max_handshakes=2)
    with members(2) as everyone, capture_logs() as logs, Mesh(everyone.config(1, limits=limits)) as bert:
        idle = [
            socket.create_connection(("127.0.0.1", everyone.ports[1]), timeout=DEADLINE) for _ in range(3)
        ]
        try:
            assert idle[0].recv(1) == b""  # dropped for the third one
            with Mesh(everyone.config(0)) as anna:
                assert both(anna, bert) == [None, None]
        finally:
            for sock in idle:
                sock.close()
    assert ("too slow", None) in causes(logs)


def test_a_key_that_does_not_fit_the_certificate_is_a_configuration_error():
    def no_key(context):
        raise ssl.SSLError(1, "key values mismatch")

    with members(2) as everyone, pytest.raises(ConfigError):
        Mesh(everyone.config(0, load_credentials=no_key))


def test_a_port_that_is_taken_is_a_configuration_error():
    with members(2) as everyone, Mesh(everyone.config(1)), pytest.raises(ConfigError, match="cannot listen"):
        Mesh(everyone.config(1)).start()
