"""The evidence file: one encoding, fixed by golden bytes, and refused when it is anything else."""

from __future__ import annotations

import json

import msgspec
import pytest

from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.signing import Evidence
from mpc_party.signing.channel import SignedMessage
from mpc_party.signing.evidence import (
    MAX_EVIDENCE,
    Answer,
    decode_answer,
    decode_disclosure,
    encode_statement,
)
from mpc_party.signing.judges import case_of
from mpc_party.signing.verdict import Fault, Finding, Proof, Verdict
from tests.signing.golden import regenerate_evidence as golden

DATA = golden.FILE.read_bytes()


def test_the_golden_file_is_what_is_written_and_reads_back():
    assert golden.evidence().encode() == DATA
    evidence = Evidence.decode(DATA)
    assert evidence == golden.evidence()
    assert case_of(evidence) == golden.CASE
    assert evidence.stage == "keygen"
    assert case_of(evidence).label == "3-a2a2a2a2"


def test_the_golden_file_is_judged_alike_for_ever():
    evidence = Evidence.decode(DATA)
    verdict = case_of(evidence).judge(evidence.statements, golden.PUBLIC)
    assert verdict.proven == (2,)
    assert {finding.fault for finding in verdict.findings if finding.culprit == 2} >= {
        Fault.EQUIVOCATES,
        Fault.MALFORMED,
    }


def test_signed_messages_have_the_golden_bytes_and_signatures():
    stored = json.loads((golden.HERE / "signed-messages-v1.json").read_text())
    assert {name: msgspec.msgpack.encode(m).hex() for name, m in golden.signed_messages().items()} == stored
    for text in stored.values():
        assert msgspec.msgpack.decode(bytes.fromhex(text), type=SignedMessage).is_signed(golden.PUBLIC)


@pytest.mark.parametrize("length", [0, 1, 10, len(DATA) // 2, len(DATA) - 1])
def test_a_damaged_file_is_refused(length):
    for data in (DATA[:length], DATA + b"\0", DATA + DATA):
        with pytest.raises(ConfigError) as raised:
            Evidence.decode(data)
        assert raised.value.reason is Reason.EVIDENCE_INVALID


def test_a_second_encoding_and_another_version_are_refused():
    parts = msgspec.msgpack.decode(DATA)
    for changed in ([*parts[:1], 2, *parts[2:]], ["mpc-hedge/other", *parts[1:]], [*parts, 0], parts[:-1]):
        with pytest.raises(ConfigError):
            Evidence.decode(msgspec.msgpack.encode(changed))
    assert DATA[0] == 0x96
    with pytest.raises(ConfigError):
        Evidence.decode(b"\xdc\x00\x06" + DATA[1:])  # the array's length in two bytes


def test_a_file_that_is_too_long_is_refused():
    evidence = golden.evidence()
    (statement, *_) = evidence.statements
    long = msgspec.structs.replace(statement, body=bytes(500_000))
    many = msgspec.structs.replace(evidence, statements=(long,) * (MAX_EVIDENCE // 500_000 + 1))
    with pytest.raises(ConfigError):
        Evidence.decode(many.encode())


@pytest.mark.parametrize(
    "change",
    [{"protocol": "elsewhere"}, {"case": b""}, {"case": b"\x90"}, {"assembled_by": 7}],
    ids=["protocol", "no case", "another case", "by a stranger"],
)
def test_evidence_that_does_not_say_what_it_is_about_is_refused(change):
    with pytest.raises(ConfigError) as raised:
        case_of(msgspec.structs.replace(golden.evidence(), **change))
    assert raised.value.reason is Reason.EVIDENCE_INVALID


def test_statements_read_back_and_nothing_else_does():
    disclosure, answer = golden.disclosure(), Answer((bytes(32),), ())
    assert decode_disclosure(encode_statement(disclosure)) == disclosure
    assert decode_answer(encode_statement(answer)) == answer
    for body in (b"", b"noise", encode_statement(answer), encode_statement(disclosure) + b"\0"):
        assert decode_disclosure(body) is None
    for body in (b"", encode_statement(disclosure), encode_statement(answer)[:-1], b"\x91" * 5000):
        assert decode_answer(body) is None


def test_findings_are_ordered_by_proof_and_a_claim_names_nobody():
    claim = Finding(0, Fault.UNSIGNED, Proof.CLAIMED, "a")
    seen = Finding(1, Fault.REFUSES, Proof.ATTESTED, "b")
    sure = Finding(2, Fault.WRONG_SHARE, Proof.SIGNED, "c")
    verdict = Verdict.of([claim, seen, sure, claim])
    assert verdict.findings == (sure, seen, claim)
    assert verdict.strongest == sure
    assert verdict.proven == (2,)
    assert Verdict.of([claim, seen]).strongest == seen
    assert Verdict.of([claim]).strongest is None
    assert Verdict.of([claim]).proven == ()
