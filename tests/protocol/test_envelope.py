from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.protocol.envelope import (
    CLOCK_TOLERANCE_MS,
    LIFE_MS,
    MAX_ENVELOPE,
    MAX_LIFE_MS,
    NEVER,
    open_envelope,
    seal_envelope,
)
from mpc_party.protocol.errors import MessageError, Reason
from mpc_party.protocol.identity import Signer
from mpc_party.protocol.messages import Commitment, Message, Settled, Status, encode_message
from mpc_party.protocol.topics import topic_of
from tests.support.consortium import complete, make_cast
from tests.support.regenerate_protocol_golden import MESSAGES

GOLDEN = Path(__file__).parent / "golden"
CAST = make_cast()
C = CAST.consortium
ALICE, BOB, _ = CAST.members
NOW = 1_800_000_000_000
COMMITMENT = MESSAGES["commitment"]
SEALED = seal_envelope(COMMITMENT, ALICE, C, sequence=5, now_ms=NOW)
OF_COORDINATOR = {"proposal", "settled", "status"}


def refuse(raw: bytes, reason: Reason, words: str = "", **changes: Any) -> None:
    arguments: dict[str, Any] = {"topic": SEALED.topic, "consortium": C, "now_ms": NOW} | changes
    with pytest.raises(MessageError, match=words) as refused:
        open_envelope(raw, **arguments)
    assert refused.value.reason is reason
    assert "\n" not in str(refused.value)


def resealed(signer: Signer = ALICE, consortium: Consortium = C, **changes: Any) -> bytes:
    """An envelope with other fields, properly signed for them by the signer."""
    names = ["version", "sender", "topic", "sequence", "expiry", "payload"]
    fields = dict(zip(names, msgspec.msgpack.decode(SEALED.raw), strict=False)) | changes
    signed = b"mpc-hedge/envelope/v1" + consortium.hash + msgspec.msgpack.encode(list(fields.values()))
    return msgspec.msgpack.encode([*fields.values(), signer.sign(signed)])


def test_an_envelope_of_version_1_still_opens() -> None:
    expected = json.loads((GOLDEN / "expected.v2.json").read_text())["envelope"]
    consortium = load_consortium(GOLDEN / "consortium.v2.toml")
    raw = (GOLDEN / "envelope-of-v2.v1.bin").read_bytes()
    opened = open_envelope(raw, expected["topic"], consortium, expected["now_ms"])
    assert opened.message == COMMITMENT
    assert (opened.sender, opened.sequence, opened.expiry) == ("alice", 42, expected["expiry"])


def test_the_signature_is_over_the_documented_bytes() -> None:
    version, sender, topic, sequence, expiry, payload, signature = msgspec.msgpack.decode(SEALED.raw)
    assert (version, sender, topic, sequence, expiry) == (1, "alice", SEALED.topic, 5, NOW + LIFE_MS)
    statement = (
        b"mpc-hedge/envelope/v1"
        + C.hash
        + msgspec.msgpack.encode([version, sender, topic, sequence, expiry, payload])
    )
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(ALICE.signing_key)).verify(signature, statement)
    assert resealed() == SEALED.raw


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("signer", [ALICE, CAST.coordinator], ids=["alice", "coordinator"])
def test_everybody_says_what_it_may_and_nothing_else(name: str, signer: Signer) -> None:
    message = MESSAGES[name]
    allowed = (name in OF_COORDINATOR) if signer is CAST.coordinator else name not in {"proposal", "settled"}
    if not allowed:
        with pytest.raises(MessageError, match="may not publish"):
            seal_envelope(message, signer, C, sequence=1, now_ms=NOW)
        return
    sealed = seal_envelope(message, signer, C, sequence=9, now_ms=NOW)
    opened = open_envelope(sealed.raw, sealed.topic, C, NOW)
    assert (opened.sender, opened.sequence, opened.message) == (signer.name, 9, message)
    assert opened.expiry == sealed.expiry


def test_a_stranger_cannot_seal() -> None:
    stranger = make_cast(4).members[3]
    with pytest.raises(MessageError, match="dave may not publish"):
        seal_envelope(COMMITMENT, stranger, C, sequence=1, now_ms=NOW)


@pytest.mark.parametrize(
    ("sender", "kind", "message"),
    [
        ("coordinator", Commitment, "commitment"),  # as if the coordinator could be of a committee
        ("alice", Commitment, "settled"),  # under a topic of its own
        ("alice", Commitment, "proposal"),
    ],
)
def test_properly_signed_but_out_of_role(sender: str, kind: type[Message], message: str) -> None:
    signer: Signer = CAST.coordinator if sender == "coordinator" else ALICE
    topic = topic_of(C, "alice", kind)
    raw = resealed(signer, sender=sender, topic=topic, payload=encode_message(MESSAGES[message]))
    refuse(raw, Reason.MESSAGE_FORGED, "may not publish", topic=topic)


def test_what_is_signed_for_another_place_is_forged_here() -> None:
    other_epoch = msgspec.structs.replace(C, epoch=2)
    without = msgspec.structs.replace(C, members=C.members[1:])
    refuse(SEALED.raw, Reason.MESSAGE_FORGED, "another topic", topic=topic_of(C, "bob", Commitment))
    refuse(SEALED.raw, Reason.MESSAGE_FORGED, "consortium file", consortium=complete(CAST))
    refuse(SEALED.raw, Reason.MESSAGE_FORGED, "consortium file", consortium=other_epoch)
    refuse(SEALED.raw, Reason.MESSAGE_FORGED, "no member", consortium=without)


def test_what_another_signed_is_forged() -> None:
    refuse(resealed(BOB), Reason.MESSAGE_FORGED, "not that of alice")
    refuse(resealed(CAST.coordinator), Reason.MESSAGE_FORGED, "not that of alice")
    refuse(resealed(sender="mallory"), Reason.MESSAGE_FORGED, "mallory is no member")
    bobs = topic_of(C, "bob", Commitment)
    refuse(resealed(topic=bobs), Reason.MESSAGE_FORGED, "on this topic", topic=bobs)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"sender": "Alice"}, "not an envelope"),
        ({"sender": "alice\n"}, "not an envelope"),
        ({"topic": "x" * 129}, "not an envelope"),
        ({"sequence": -1}, "not an envelope"),
        ({"sequence": 2**63}, "not an envelope"),
        ({"sequence": 1.0}, "not an envelope"),
        ({"payload": "text"}, "not an envelope"),
        ({"payload": b""}, "not a message"),
        ({"payload": b"\x00" * 70_000}, "an envelope of"),
    ],
)
def test_bad_fields_are_malformed_even_when_signed(changes: dict[str, Any], words: str) -> None:
    refuse(resealed(**changes), Reason.MESSAGE_MALFORMED, words)


def test_another_encoding_of_the_same_envelope_is_malformed() -> None:
    assert SEALED.raw[0] == 0x97
    refuse(b"\xdc\x00\x07" + SEALED.raw[1:], Reason.MESSAGE_MALFORMED, "canonical")


def test_the_size_has_a_bound() -> None:
    refuse(bytes(MAX_ENVELOPE + 1), Reason.MESSAGE_MALFORMED, "more than 65536")
    assert len(SEALED.raw) < 400


def test_expiry_allows_for_two_clocks() -> None:
    last = SEALED.expiry + CLOCK_TOLERANCE_MS
    assert open_envelope(SEALED.raw, SEALED.topic, C, last).message == COMMITMENT
    refuse(SEALED.raw, Reason.MESSAGE_EXPIRED, "expired 10.0 s ago", now_ms=last + 1)


def test_nobody_signs_something_to_be_kept_for_later() -> None:
    refuse(resealed(expiry=NOW + MAX_LIFE_MS + 1), Reason.MESSAGE_MALFORMED, "more than a day")
    refuse(resealed(expiry=NEVER), Reason.MESSAGE_MALFORMED, "more than a day")


def test_a_status_does_not_expire() -> None:
    status = Status(online=False, consortium=C.hash, last_round=3)
    sealed = seal_envelope(status, ALICE, C, sequence=1, now_ms=NOW)
    assert sealed.expiry == NEVER
    assert open_envelope(sealed.raw, sealed.topic, C, NOW + 10**12).message == status


def test_a_proposals_life_is_its_rounds_and_a_settlements_is_longer() -> None:
    proposal = seal_envelope(MESSAGES["proposal"], CAST.coordinator, C, sequence=1, now_ms=NOW)
    assert proposal.expiry == NOW + 30_000
    settled = seal_envelope(Settled(1, bytes(32), 1), CAST.coordinator, C, sequence=1, now_ms=NOW)
    assert settled.expiry > SEALED.expiry


@settings(max_examples=400)
@given(st.integers(0, len(SEALED.raw) - 1), st.integers(1, 255))
def test_any_damage_is_refused(at: int, flip: int) -> None:
    raw = bytearray(SEALED.raw)
    raw[at] ^= flip
    with pytest.raises(MessageError) as refused:
        open_envelope(bytes(raw), SEALED.topic, C, NOW)
    assert "\n" not in str(refused.value)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(MessageError):
        open_envelope(raw, SEALED.topic, C, NOW)
