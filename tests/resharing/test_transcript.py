"""Transcripts: what they bind, what is refused, and what a consortium file says of one."""

from __future__ import annotations

import json

import msgspec
import pytest

from mpc_party.protocol.errors import Reason
from mpc_party.resharing.checking import check_against
from mpc_party.resharing.fingerprint import LETTERS, fingerprint
from mpc_party.resharing.successor import completed
from mpc_party.resharing.transcript import (
    Transcript,
    TranscriptError,
    certificate,
    decode_body,
    decode_transcript,
    encode_body,
    load_transcript,
)
from tests.support.ceremonies import body_of, founded, next_of, signatures, transcript
from tests.support.regenerate_transcript_golden import PATH, contents

replace = msgspec.structs.replace
AFTER = ("alice", "carol", "dave")


def changed(**changes):
    old = founded()
    return replace(body_of("reshare", old, next_of(old, AFTER)), **changes)


def test_a_certificate_is_read_as_it_was_written(tmp_path):
    signed = transcript(changed())
    path = tmp_path / "t"
    path.write_bytes(signed.encode())
    assert load_transcript(path) == signed
    assert decode_body(encode_body(signed.body)) == signed.body


def test_everything_in_it_is_signed():
    """Every field of the body goes into the hash; a change of any makes all signatures void."""
    body = changed()
    others = {
        "kind": "refresh",
        "consortium": bytes(32),
        "ceremony": bytes(32),
        "old_hash": bytes(32),
        "old_epoch": 7,
        "new_roster": bytes(32),
        "new_epoch": 9,
        "cast": (*body.cast[:-1], replace(body.cast[-1], new_index=None)),
        "participants": body.participants[1:],
        "dealers": body.dealers[:1],
        "broadcasts": body.broadcasts[1:],
        "threshold": 2,
        "public_key": body.public_shares[0],
        "public_shares": body.public_shares[::-1],
        "old_model": None,
        "new_model": None,
        "floor": 1,
    }
    assert {*others, "version"} == set(body.__struct_fields__)
    hashes = {replace(body, **{field: value}).hash for field, value in others.items()}
    assert len(hashes | {body.hash}) == len(others) + 1


def test_a_signature_that_is_missing_or_wrong_is_named():
    body = changed()
    names, (signed, attested) = body.names, signatures(body)
    for seat in body.participants:
        with pytest.raises(TranscriptError, match="a signature does not verify") as caught:
            certificate(body, signed | {seat: signed[(seat + 1) % 4]}, attested)
        assert caught.value.culprit == names[seat]
        assert caught.value.reason is Reason.TRANSCRIPT_INVALID
        with pytest.raises(TranscriptError):
            certificate(body, {k: v for k, v in signed.items() if k != seat}, attested)
    with pytest.raises(TranscriptError, match="an attestation") as caught:
        certificate(body, signed, attested | {3: attested[0]})
    assert caught.value.culprit == "dave"


def test_who_leaves_signs_and_does_not_attest():
    signed = transcript(changed())
    assert (len(signed.signatures), len(signed.attestations)) == (4, 3)


def test_who_is_absent_does_not_sign():
    old = founded()
    signed = transcript(body_of("reshare", old, next_of(old, AFTER), ("bob",)))
    assert (signed.body.participants, len(signed.signatures)) == ((0, 2, 3), 3)


def test_a_message_that_its_sender_has_not_signed_is_refused():
    body = changed()
    forged = replace(body.broadcasts[0], body=b"something else")
    with pytest.raises(TranscriptError, match="does not carry its sender's signature"):
        transcript(replace(body, broadcasts=(forged, *body.broadcasts[1:])))


@pytest.mark.parametrize(
    "changes",
    [
        {"dealers": (0, 9)},
        {"dealers": (1, 0)},
        {"participants": (0, 1, 2)},
        {"old_hash": None},
        {"old_hash": None, "old_epoch": None},
        {"kind": "keygen"},
    ],
)
def test_lists_that_do_not_fit_are_refused(changes):
    with pytest.raises(TranscriptError):
        transcript(changed(**changes))


def test_a_damaged_file_or_a_second_encoding_is_refused(tmp_path):
    data = transcript(changed()).encode()
    for wrong in (b"", data[:-1], data + b"\0", b"\x93" + data[1:], bytes(len(data))):
        with pytest.raises(TranscriptError):
            decode_transcript(wrong)
    # 01 as two bytes: the same value, another encoding.
    at = data.index(b"\x01", 1)
    with pytest.raises(TranscriptError):
        decode_transcript(data[:at] + b"\xcc\x01" + data[at + 1 :])


def test_the_files_before_and_after_know_it():
    old = founded()
    new = next_of(old, AFTER)
    signed = transcript(body_of("reshare", old, new))
    after = completed(new, signed.group_key, signed.body.new_model.hex())
    found = check_against(signed, after)
    assert (found.before, found.unknown) == (False, ("bob",))
    found = check_against(signed, old)
    assert (found.before, found.unknown) == (True, ("dave",))


def test_another_file_does_not():
    old = founded()
    new = next_of(old, AFTER)
    signed = transcript(body_of("reshare", old, new))
    after = completed(new, signed.group_key, signed.body.new_model.hex())
    for field, value in {
        "id": "33" * 32,
        "epoch": 5,
        "broker": "mqtt://elsewhere:1",
        "members": after.members[::-1],
        "threshold": 2,
        "key": None,
    }.items():
        with pytest.raises(TranscriptError):
            check_against(signed, replace(after, **{field: value}))
    with pytest.raises(TranscriptError):
        check_against(signed, replace(old, model=None))
    other = Transcript(replace(signed.body, public_key=signed.body.public_shares[0]), (), ())
    with pytest.raises(TranscriptError, match="key"):
        check_against(other, after)


def test_a_fingerprint_is_a_hundred_bits_in_letters_that_nobody_mistakes():
    text = fingerprint(bytes(range(32)))
    assert text == "AAAQ-EAYE-AUDA-OCAJ-BIFQ"
    assert 5 * LETTERS == 100
    assert not set(text) & set("0189")
    # Every bit of the first hundred counts, none after.
    for bit in range(256):
        other = bytearray(range(32))
        other[bit // 8] ^= 0x80 >> bit % 8
        assert (fingerprint(bytes(other)) != text) == (bit < 100)


def test_the_format_is_what_it_was():
    stored = json.loads(PATH.read_text())
    assert contents() == stored
    read = decode_transcript(bytes.fromhex(stored["file"]))
    assert read.body.hash.hex() == stored["hash"]
    assert read.body.names == ("alice", "bob", "carol", "dave", "erin")
    assert (read.body.participants, read.body.attesting) == ((0, 1, 2, 4), (0, 2, 4))
