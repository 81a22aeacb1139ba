import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.report_file import (
    dump_report_file,
    load_report_file,
    make_report_file,
    parse_report_file,
    save_report_file,
    verify_report_file,
)
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason, ReportError
from tests.support.regenerate_coordinator_golden import REPORT_FILE, golden_report, golden_report_file
from tests.support.signed_group import EXAMPLE, SignedGroup, book_words


@pytest.fixture(scope="module")
def group():
    made = SignedGroup()
    made.at(EXAMPLE)
    return made


@pytest.fixture(scope="module")
def file(group):
    proposal = group.proposal(5)
    report = group.report(proposal)
    _, signature = group.signed(report)
    return make_report_file(report, book_words(proposal), signature, EXAMPLE.chain_id, EXAMPLE.contract)


def replaced(file, **changes):
    return msgspec.structs.replace(file, **changes)


def body(file, **changes):
    return replaced(file, report=msgspec.structs.replace(file.report, **changes))


def test_the_file_of_version_1_is_what_it_was():
    assert dump_report_file(golden_report_file()) == REPORT_FILE.read_bytes()


def test_the_file_of_version_1_is_still_read():
    report, book = golden_report()
    file = load_report_file(REPORT_FILE)
    assert (file.hedge_report(), file.book()) == (report, book)


def test_a_file_comes_back_as_it_was_and_verifies(group, file, tmp_path):
    save_report_file(tmp_path / "report.json", file)
    loaded = load_report_file(tmp_path / "report.json")
    assert loaded == file
    decoded = verify_report_file(loaded, group.consortium)
    assert decoded.underlying == "BTC"
    assert len(decoded) == len(file.instruments)


def test_every_word_counts(group, file):
    flipped = (
        file.report.params[3][:20]
        + ("0" if file.report.params[3][20] != "0" else "1")
        + file.report.params[3][21:]
    )
    params = [*file.report.params[:3], flipped, *file.report.params[4:]]
    with pytest.raises(ReportError, match="digest"):
        verify_report_file(body(file, params=params), group.consortium)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consortium": "0x" + "ab" * 32}, Reason.REPORT_INVALID),
        ({"epoch": 9}, Reason.REPORT_INVALID),
        ({"model": "0x" + "ab" * 32}, Reason.REPORT_INVALID),
        ({"round": 6}, Reason.REPORT_INVALID),
        ({"round": 0}, Reason.REPORT_INVALID),
        ({"inputs": "0x" + "ab" * 32}, Reason.REPORT_INVALID),
        ({"valid_until": 1}, Reason.REPORT_INVALID),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_another_report_is_refused(group, file, changes, reason):
    with pytest.raises(ReportError) as caught:
        verify_report_file(body(file, **changes), group.consortium)
    assert caught.value.reason is reason


def test_another_chain_or_contract_is_refused(group, file):
    for changes in ({"chain_id": 1}, {"contract": "0x" + "00" * 20}):
        with pytest.raises(ReportError) as caught:
            verify_report_file(replaced(file, **changes), group.consortium)
        assert caught.value.reason is Reason.CHAIN_MISMATCH


def test_a_digest_that_says_something_else_is_refused(group, file):
    with pytest.raises(ReportError, match="the file says"):
        verify_report_file(replaced(file, digest="0x" + "00" * 32), group.consortium)


def test_another_groups_signature_is_refused(group, file):
    other = SignedGroup()
    foreign = other.sign(bytes.fromhex(file.digest[2:]))
    with pytest.raises(ReportError) as caught:
        verify_report_file(replaced(file, signature="0x" + foreign.hex()), group.consortium)
    assert caught.value.reason is Reason.SIGNATURE_INVALID


def test_another_book_is_refused(group, file):
    swapped = [file.instruments[1], file.instruments[0], *file.instruments[2:]]
    with pytest.raises(ReportError, match="book"):
        verify_report_file(replaced(file, instruments=swapped), group.consortium)


def test_an_incomplete_consortium_file_says_what_is_missing(group, file):
    with pytest.raises(ConfigError) as caught:
        verify_report_file(file, msgspec.structs.replace(group.consortium, settlement=None))
    assert caught.value.reason is Reason.CONSORTIUM_INCOMPLETE


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": "1"},
        {"chain_id": 0},
        {"chain_id": 2**70},
        {"contract": "0x12"},
        {"signature": "0x12"},
        {"signature": "0x" + "AB" * 65},
        {"digest": "0x" + "00" * 31},
        {"digest": "0x" + "00" * 32 + "\n"},
        {"instruments": []},
        {"instruments": ["0x" + "00" * 32] * 1025},
        {"more": 1},
    ],
    ids=str,
)
def test_a_file_of_another_format_is_refused_in_one_line(file, change):
    text = json.dumps(json.loads(dump_report_file(file)) | change).encode()
    with pytest.raises(ReportError) as caught:
        parse_report_file(text)
    assert "\n" not in str(caught.value)


@given(st.one_of(st.binary(max_size=300), st.just(b"[" * 100_000), st.just(b'"\xed\xa0\x80"')))
def test_no_bytes_make_it_fail_in_another_way(data):
    with pytest.raises(ConsortiumError):
        parse_report_file(data)


def test_a_file_that_is_too_large_or_missing_is_refused(tmp_path):
    (tmp_path / "large.json").write_bytes(b" " * (1 << 21))
    for name in ("large.json", "missing.json"):
        with pytest.raises(ConsortiumError):
            load_report_file(tmp_path / name)
