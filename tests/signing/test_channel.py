"""Signed messages: what a signature binds, what is refused, and what is kept."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.errors import Reason
from mpc_party.signing import MessageKeys, SigningError
from mpc_party.signing.channel import DOMAIN, EVERYBODY, Channel, SignedMessage, longest_body
from tests.support.local_mesh import local_mesh, party_outcomes, run_parties

SESSION = bytes(range(32))
NAMES = ("desk-0", "desk-1", "desk-2")
IDENTITIES = [Ed25519PrivateKey.from_private_bytes(bytes([member]) * 32) for member in range(3)]
KEYS = {member: key.public_key().public_bytes_raw() for member, key in enumerate(IDENTITIES)}
GROUP_ORDER_25519 = 2**252 + 27742317777372353535851937790883648493


def channel(exchange, session=SESSION):
    return Channel(exchange, session, MessageKeys(IDENTITIES[exchange.own].sign, KEYS), NAMES)


def message(sender=1, receiver=EVERYBODY, body=b"body", session=SESSION, step="step"):
    statement = DOMAIN + msgspec.msgpack.encode((session, step, sender, receiver, body))
    return SignedMessage(session, step, sender, receiver, body, IDENTITIES[sender].sign(statement))


@given(st.binary(max_size=300), st.sampled_from([EVERYBODY, 0, 2]))
def test_a_signature_of_openssl_over_the_documented_bytes_verifies(body, receiver):
    assert message(body=body, receiver=receiver).is_signed(KEYS)


@pytest.mark.parametrize(
    "changes",
    [
        {"session": bytes(32)},
        {"step": "other"},
        {"sender": 2},
        {"receiver": 0},
        {"body": b"another"},
        {"signature": bytes(64)},
        {"sender": 77},  # nobody's key
    ],
)
def test_a_signature_binds_session_step_sender_receiver_and_body(changes):
    assert not msgspec.structs.replace(message(), **changes).is_signed(KEYS)


def test_a_signature_has_one_spelling():
    good = message()
    s = int.from_bytes(good.signature[32:], "little") + GROUP_ORDER_25519
    twin = good.signature[:32] + s.to_bytes(32, "little")
    assert not msgspec.structs.replace(good, signature=twin).is_signed(KEYS)


def test_keys_of_small_order_sign_nothing():
    # With the identity for a key, R = identity and s = 0 would fit any message.
    identity = (1).to_bytes(32, "little")
    forged = msgspec.structs.replace(message(), signature=identity + bytes(32))
    assert not forged.is_signed({1: identity})


def test_what_all_send_arrives_and_is_kept_with_its_signature():
    def program(exchange):
        line = channel(exchange)
        received = line.to_all("hello", b"from %d" % exchange.own)
        each = line.to_each("greet", {peer: b"to %d" % peer for peer in exchange.peers})
        return received, each, line.messages

    for own, (received, each, kept) in enumerate(run_parties(local_mesh(range(3)), program)):
        peers = [peer for peer in range(3) if peer != own]
        assert received == {peer: b"from %d" % peer for peer in peers}
        assert each == dict.fromkeys(peers, b"to %d" % own)
        assert len(kept) == 7  # one broadcast and two private messages sent, two and two received
        assert all(entry.is_signed(KEYS) for entry in kept)


@pytest.mark.parametrize("cut", [0, 10, 64])
def test_what_carries_no_signature_is_refused_and_its_sender_named(cut):
    def tamper(_peer, _kind, data):
        return data[:cut] if cut < 64 else bytes(64) + data[64:]

    meshes = local_mesh(range(3))
    meshes[2].tamper = tamper
    outcomes = party_outcomes(meshes, lambda exchange: channel(exchange).to_all("hello", b"x"))
    for own in (0, 1):
        assert isinstance(outcomes[own], SigningError)
        assert (outcomes[own].reason, outcomes[own].culprit) == (Reason.MESSAGE_FORGED, "desk-2")


def test_too_much_is_refused_also_where_signatures_are_checked_later():
    meshes = local_mesh(range(3))
    outcomes = party_outcomes(
        meshes,
        lambda exchange: channel(exchange).to_all(
            "hello", bytes(longest_body(3) + 1) if exchange.own == 2 else b"x", check=False
        ),
    )
    assert {outcomes[own].culprit for own in (0, 1)} == {"desk-2"}


def test_a_message_hides_its_body_and_is_not_pickled():
    assert "body" not in repr(message(body=b"body"))
    with pytest.raises(TypeError, match="not pickled"):
        message().__reduce__()
