"""The report's one encoding: golden bytes first, then everything that is no report."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.report import HedgeReport, check_report, decode_report, encode_report
from mpc_party.protocol.words import ForwardFields, ParamFields, pack_forward, pack_param

GOLDEN = Path(__file__).parent / "golden"
ENCODED = (GOLDEN / "report-v1.msgpack").read_bytes()


def golden_report():
    fields = json.loads((GOLDEN / "report-v1.json").read_text(encoding="utf-8"))

    def raw(value):
        return bytes.fromhex(value[2:])

    return HedgeReport(
        consortium=raw(fields["consortium"]),
        epoch=fields["epoch"],
        round=fields["round"],
        observed_at=fields["observedAt"],
        valid_until=fields["validUntil"],
        book=raw(fields["book"]),
        model=raw(fields["model"]),
        inputs=raw(fields["inputs"]),
        forwards=b"".join(raw(word) for word in fields["forwards"]),
        params=b"".join(raw(word) for word in fields["params"]),
    )


def changed(**changes):
    return msgspec.structs.replace(golden_report(), **changes)


def test_golden():
    assert encode_report(golden_report()) == ENCODED
    assert decode_report(ENCODED) == golden_report()
    assert (golden_report().expiries, golden_report().instruments) == (3, 30)


def test_a_full_report_fits_in_a_message():
    report = changed(
        params=pack_param(ParamFields(10_000, 0, 0, 0, 0, 0)) * 1024,
        forwards=b"".join(pack_forward(ForwardFields(2**39 + day, 1)) for day in range(64)),
    )
    encoded = encode_report(report)
    assert len(encoded) < 60_000
    assert decode_report(encoded) == report


@pytest.mark.parametrize("name", ["consortium", "book", "model", "inputs"])
@pytest.mark.parametrize("value", [b"", bytes(31), bytes(33), "00" * 32, None, 1])
def test_hashes_have_32_bytes(name, value):
    with pytest.raises(ReportError) as caught:
        check_report(changed(**{name: value}))
    assert caught.value.reason is Reason.REPORT_INVALID


@pytest.mark.parametrize("name", ["epoch", "round", "observed_at", "valid_until"])
@pytest.mark.parametrize("value", [-1, 2**63, 2**64, 1.0, True, "1", None])
def test_numbers_have_63_bits(name, value):
    with pytest.raises(ReportError):
        check_report(changed(**{name: value}))


@pytest.mark.parametrize("name", ["forwards", "params"])
@pytest.mark.parametrize("cut", [0, 1, 31, 33])
def test_words_are_whole(name, cut):
    with pytest.raises(ReportError):
        check_report(changed(**{name: getattr(golden_report(), name)[:cut]}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"round": 0}, "round|>= 1"),
        ({"valid_until": golden_report().observed_at}, "valid_until"),
        ({"observed_at": golden_report().observed_at + 86_400, "valid_until": 2**40}, "first expiry"),
        ({"params": pack_param(ParamFields(10_000, 0, 0, 0, 0, 0)) * 1025}, "length"),
        ({"forwards": b"".join(pack_forward(ForwardFields(2**39 + i, 1)) for i in range(65))}, "length"),
        ({"forwards": golden_report().forwards[32:] + golden_report().forwards[:32]}, "ascending"),
        ({"params": golden_report().params[:-1] + b"\1"}, "param word 29 has reserved bits"),
    ],
)
def test_rules(changes, message):
    with pytest.raises(ReportError, match=message):
        encode_report(changed(**changes))


def test_other_bytes_for_the_same_report():
    # The array as 32-bit length, and a small number in a wide form: valid MessagePack, not canonical.
    wide_array = b"\xdd\x00\x00\x00\x0b" + ENCODED[1:]
    assert msgspec.msgpack.decode(wide_array, type=HedgeReport) == golden_report()
    with pytest.raises(ReportError, match="canonical"):
        decode_report(wide_array)
    epoch = ENCODED.index(bytes([7]), ENCODED.index(golden_report().consortium) + 32)
    wide_number = ENCODED[:epoch] + b"\xcc\x07" + ENCODED[epoch + 1 :]
    assert msgspec.msgpack.decode(wide_number, type=HedgeReport) == golden_report()
    with pytest.raises(ReportError, match="canonical"):
        decode_report(wide_number)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\xc0",
        b"no report",
        ENCODED[:-1],
        ENCODED + b"\0",
        ENCODED.replace(b"hedge-report-v1", b"hedge-report-v2"),
        msgspec.msgpack.encode(msgspec.structs.astuple(golden_report())),  # without the tag
        msgspec.msgpack.encode(["hedge-report-v1", *msgspec.structs.astuple(golden_report()), 0]),
    ],
)
def test_bytes_that_are_no_report(encoded):
    with pytest.raises(ReportError):
        decode_report(encoded)


@given(st.integers(0, len(ENCODED) - 1), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_another_report(at, flip):
    changed_bytes = bytearray(ENCODED)
    changed_bytes[at] ^= flip
    try:
        report = decode_report(bytes(changed_bytes))
    except ReportError:
        return
    assert report != golden_report()
    assert encode_report(report) == bytes(changed_bytes)


@given(st.binary(max_size=200))
def test_noise_is_refused_by_name(noise):
    with pytest.raises(ReportError):
        decode_report(noise)
