"""A report in its form for the chain, and back."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.compact import compact, compact_signature, expand, expand_signature
from mpc_party.protocol.eip712 import ORDER
from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.report import decode_report
from mpc_party.protocol.words import split_words

VECTOR = json.loads(
    (Path(__file__).resolve().parents[2] / "contracts" / "test" / "vectors" / "report.json").read_text()
)
REPORT = decode_report((Path(__file__).parent / "golden" / "report-v1.msgpack").read_bytes())
SIGNATURE = bytes.fromhex(VECTOR["signature"][2:])


def changed(**values):
    return msgspec.structs.replace(REPORT, **values)


def test_vector():
    short, expected = compact(REPORT), VECTOR["compact"]
    assert f"0x{short.head:064x}" == expected["head"]
    assert [f"0x{word.hex()}" for word in short.words] == expected["words"]
    assert short.core == (int(expected["head"], 16), REPORT.book, REPORT.model, REPORT.inputs)
    r, vs = compact_signature(SIGNATURE)
    assert (f"0x{r.hex()}", f"0x{vs.hex()}") == (expected["r"], expected["vs"])


def test_the_head_is_laid_out_as_its_source_says():
    short = compact(changed(epoch=0xE, round=0xA, observed_at=0xB, valid_until=0xB + 0xC))
    assert short.head == 0xA << 208 | 0xB << 168 | 0xC << 124 | 0xE << 76 | 3


@given(
    st.integers(1, 2**48 - 1),
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**48 - 1),
    st.integers(1, 64),
    st.integers(1, 40),
)
def test_back_and_forth(number, observed, valid, epoch, expiries, instruments):
    report = changed(
        round=number,
        observed_at=observed,
        valid_until=observed + valid,
        epoch=epoch,
        forwards=b"\1" * 32 * expiries,
        params=b"\2" * 32 * instruments,
    )
    short = compact(report)
    assert short.head < 2**256
    assert len(short.words) == expiries + instruments
    assert expand(short, REPORT.consortium) == report


@pytest.mark.parametrize(
    "values",
    [
        {"round": 2**48},
        {"epoch": 2**48},
        {"observed_at": 2**40, "valid_until": 2**40 + 1},
        {"valid_until": REPORT.observed_at - 1},
        {"valid_until": REPORT.observed_at + 2**24},
        {"forwards": bytes(32 * 256)},
    ],
)
def test_numbers_wider_than_their_field_are_refused(values):
    with pytest.raises(ReportError, match="outside"):
        compact(changed(**values))


@pytest.mark.parametrize("bit", [8, 75, 148, 167])
def test_reserved_bits_are_refused(bit):
    short = compact(REPORT)
    with pytest.raises(ReportError, match="reserved"):
        expand(short._replace(head=short.head | 1 << bit), REPORT.consortium)


@pytest.mark.parametrize("words", [0, 2, 3])
def test_words_that_are_too_few_are_refused(words):
    short = compact(REPORT)
    with pytest.raises(ReportError, match="words"):
        expand(short._replace(words=short.words[:words]), REPORT.consortium)


def test_a_head_without_forwards_is_refused():
    short = compact(REPORT)
    with pytest.raises(ReportError, match="forwards"):
        expand(short._replace(head=short.head & ~0xFF), REPORT.consortium)


def test_words_keep_their_order():
    short = compact(REPORT)
    assert list(short.words[:3]) == list(split_words(REPORT.forwards))
    assert list(short.words[3:]) == list(split_words(REPORT.params))


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER // 2), st.sampled_from([27, 28]))
def test_signatures_back_and_forth(r, s, v):
    signature = r.to_bytes(32) + s.to_bytes(32) + bytes([v])
    assert expand_signature(*compact_signature(signature)) == signature


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:64],
        SIGNATURE + b"\0",
        SIGNATURE[:64] + b"\0",
        SIGNATURE[:32] + b"\xff" * 32 + SIGNATURE[64:],
    ],
)
def test_signatures_without_a_short_form(signature):
    with pytest.raises(ReportError) as caught:
        compact_signature(signature)
    assert caught.value.reason is Reason.SIGNATURE_INVALID
