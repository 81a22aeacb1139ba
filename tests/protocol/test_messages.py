from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.protocol.errors import MessageError, Reason
from mpc_party.protocol.messages import (
    MAX_PAYLOAD,
    Abort,
    Instrument,
    Message,
    PhaseTimes,
    Result,
    Settled,
    decode_message,
    encode_message,
    message_hash,
)
from tests.support.regenerate_protocol_golden import MESSAGES

EXPECTED = json.loads((Path(__file__).parent / "golden" / "expected.v1.json").read_text())["messages"]
PROPOSAL = MESSAGES["proposal"]


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_has_the_encoding_of_version_1(name: str) -> None:
    encoded = bytes.fromhex(EXPECTED[name])
    assert encode_message(MESSAGES[name]) == encoded
    assert decode_message(encoded) == MESSAGES[name]
    assert message_hash(MESSAGES[name]) == hashlib.sha256(encoded).digest()


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("proposal", "round", -1),
        ("proposal", "round", 2**63),
        ("proposal", "round", "7"),
        ("proposal", "round", 7.0),
        ("proposal", "committee", (0, 1)),
        ("proposal", "committee", tuple(range(8))),
        ("proposal", "underlying", ""),
        ("proposal", "underlying", "BTC\n"),
        ("proposal", "underlying", "btc"),
        ("proposal", "expiries", ()),
        ("proposal", "instruments", ()),
        ("proposal", "instruments", (Instrument(0, 1, True),) * 1025),
        ("proposal", "instruments", (Instrument(64, 1, True),)),
        ("proposal", "instruments", (Instrument(0, 0, True),)),
        ("proposal", "deadline_ms", 99),
        ("proposal", "deadline_ms", 600_001),
        ("commitment", "snapshot", b"x" * 31),
        ("commitment", "proposal", b"x" * 33),
        ("result", "signature", b"x" * 64),
        ("result", "report", b"x" * 60_001),
        ("result", "times", PhaseTimes(math.nan, 1.0, 1.0, 1.0, 1.0, 1.0, 0, 0)),
        ("result", "times", PhaseTimes(1.0, math.inf, 1.0, 1.0, 1.0, 1.0, 0, 0)),
        ("result", "times", PhaseTimes(1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 0, 0)),
        ("abort", "reason", "no-such-reason"),
        ("abort", "culprit", "Bob"),
        ("abort", "culprit", "bob\n"),
        ("abort", "detail", "x" * 401),
        ("abort", "detail", "two\nlines"),
        ("abort", "detail", "\x1b[2J"),
        ("abort", "detail", "x\u2028"),
        ("status", "online", 1),
        ("status", "consortium", b""),
        ("settled", "transaction", "text"),
    ],
)
def test_a_field_out_of_bounds_is_neither_sent_nor_accepted(name: str, field: str, value: Any) -> None:
    message = msgspec.structs.replace(MESSAGES[name], **{field: value})
    with pytest.raises(MessageError, match="not a message"):
        encode_message(message)
    with pytest.raises(MessageError) as refused:
        decode_message(msgspec.msgpack.encode(message))
    assert refused.value.reason is Reason.MESSAGE_MALFORMED
    assert "\n" not in str(refused.value)


def test_a_longer_way_to_write_the_same_is_refused() -> None:
    encoded = encode_message(Settled(7, bytes(32), 12))
    assert encoded[:9] == b"\x94\xa7settled"
    for other in (
        encoded.replace(b"\x94", b"\xdc\x00\x04", 1),  # an array of 16-bit length
        encoded.replace(b"\xa7settled\x07", b"\xa7settled\xcd\x00\x07"),  # a 16-bit 7
        encoded.replace(b"\xa7settled", b"\xd9\x07settled"),
    ):
        assert other != encoded
        with pytest.raises(MessageError, match="canonical"):
            decode_message(other)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc0", b"\x94\xa7unknown", b"\x91" * 5000, b"\x93\xa7settled\x07\x07", b"\xff", b"\xa1\xff"],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(MessageError, match="not a message"):
        decode_message(data)


def test_more_or_less_fields_are_refused() -> None:
    fields = msgspec.msgpack.decode(encode_message(Settled(7, bytes(32), 12)))
    for changed in (fields[:-1], [*fields, 1]):
        with pytest.raises(MessageError):
            decode_message(msgspec.msgpack.encode(changed))


def test_the_size_has_a_bound() -> None:
    with pytest.raises(MessageError, match="more than"):
        decode_message(bytes(MAX_PAYLOAD + 1))
    largest = msgspec.structs.replace(
        PROPOSAL,
        instruments=tuple(Instrument(63, 2**63 - 1, True) for _ in range(1024)),
        expiries=PROPOSAL.expiries * 64,
        committee=tuple(range(7)),
    )
    assert len(encode_message(largest)) < MAX_PAYLOAD
    result: Any = MESSAGES["result"]
    assert isinstance(result, Result)
    assert len(encode_message(msgspec.structs.replace(result, report=bytes(60_000)))) < MAX_PAYLOAD


def test_no_length_up_to_400_makes_an_abort_fail() -> None:
    encode_message(Abort(1, Reason.INTERNAL, None, "ä" * 400))


@settings(max_examples=300)
@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_damage_never_yields_the_same_message_by_other_bytes(name: str, data: st.DataObject) -> None:
    encoded = bytearray(encode_message(MESSAGES[name]))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] = data.draw(st.integers(0, 255))
    try:
        message: Message = decode_message(bytes(encoded))
    except MessageError:
        return
    assert encode_message(message) == encoded
