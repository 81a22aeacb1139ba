import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.errors import Reason
from mpc_party.signing import wire
from mpc_party.signing.errors import SigningError
from tests.signing.golden.regenerate import block, messages

GOLDEN = json.loads((Path(__file__).parent / "golden" / "messages-v1.json").read_text())
SESSION = block(0x11)
NAMES = tuple(f"desk-{index}" for index in range(256))


def decode(message_kind, data, *, sender=0, receiver=1, session=SESSION):
    return wire.decode(
        message_kind,
        data,
        session=session,
        sender=sender,
        receiver=receiver,
        names=NAMES,
        reason=Reason.NONCE_INVALID,
    )


def refusal(message_kind, data, **options):
    with pytest.raises(SigningError) as raised:
        decode(message_kind, data, **options)
    assert raised.value.reason is Reason.NONCE_INVALID
    assert raised.value.culprit == NAMES[options.get("sender", 0)]
    return raised.value.message


def receiver_of(message):
    return getattr(message, "receiver", 1)


def test_the_golden_file_has_every_message():
    assert set(GOLDEN) == set(messages()) == {kind.__struct_config__.tag for kind in wire._decoders}


@pytest.mark.parametrize("name", GOLDEN)
def test_messages_have_the_golden_bytes(name):
    message = messages()[name]
    assert wire.encode(message).hex() == GOLDEN[name]
    decoded = decode(
        type(message), bytes.fromhex(GOLDEN[name]), sender=message.sender, receiver=receiver_of(message)
    )
    assert decoded == message


@pytest.mark.parametrize("name", GOLDEN)
def test_a_message_is_refused_under_another_session_sender_receiver_or_kind(name):
    message, data = messages()[name], bytes.fromhex(GOLDEN[name])
    here = {"sender": message.sender, "receiver": receiver_of(message)}
    assert "another session" in refusal(type(message), data, **(here | {"session": block(0x12)}))
    assert "another sender" in refusal(type(message), data, **(here | {"sender": 77}))
    for kind in wire._decoders:
        if kind is not type(message):
            refusal(kind, data, **here)
    if hasattr(message, "receiver"):
        assert "another receiver" in refusal(type(message), data, **(here | {"receiver": 77}))


@pytest.mark.parametrize("name", GOLDEN)
def test_every_truncation_and_extension_is_refused(name):
    message, data = messages()[name], bytes.fromhex(GOLDEN[name])
    here = {"sender": message.sender, "receiver": receiver_of(message)}
    for length in range(len(data)):
        refusal(type(message), data[:length], **here)
    refusal(type(message), data + b"\0", **here)
    refusal(type(message), data + data, **here)


def test_a_second_encoding_of_the_same_message_is_refused():
    message = messages()["keygen-commit"]
    tag, session, sender, commitment = msgspec.msgpack.decode(wire.encode(message))
    assert sender == 0
    # The same integer in two bytes (cc 00) instead of one.
    longer = b"\x94" + b"".join(map(msgspec.msgpack.encode, (tag, session))) + b"\xcc\x00"
    longer += msgspec.msgpack.encode(commitment)
    assert msgspec.msgpack.decode(longer) == [tag, session, sender, commitment]
    assert "second encoding" in refusal(wire.KeygenCommit, longer)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_wrong_lengths_are_refused(length):
    good = msgspec.msgpack.decode(wire.encode(messages()["nonce-open"]))
    for position in (1, 3, 4):
        if length == 33 and position == 3:
            continue  # the length of a point
        fields = [*good]
        fields[position] = block(1, length)
        refusal(wire.NonceOpen, msgspec.msgpack.encode(fields), sender=1)


@given(st.binary(max_size=200))
def test_noise_is_refused_with_its_sender_as_culprit(data):
    for kind in wire._decoders:
        refusal(kind, data, sender=3)


def test_a_step_takes_one_message_from_each_peer():
    message = wire.encode(messages()["keygen-commit"])
    for received in ({}, {0: message}, {0: message, 1: message, 2: message}):
        with pytest.raises(SigningError, match="exactly one message from each peer"):
            wire.decode_all(
                wire.KeygenCommit,
                received,
                session=SESSION,
                own=2,
                peers=(0, 1),
                names=NAMES,
                reason=Reason.KEYGEN_FAILED,
            )


def test_what_is_bound_separates_domains_and_fields():
    values = {
        wire.bind(b"a", b"xy"),
        wire.bind(b"b", b"xy"),
        wire.bind(b"a", b"x", b"y"),
        wire.bind(b"a", (b"xy",)),
        wire.bind(b"a", 1),
        wire.bind(b"a", b"\x01"),
        wire.bind(b"a"),
    }
    assert len(values) == 7
