"""Reports found in what transactions carry, and the ledger's state word."""

import msgspec
import pytest
from eth_abi.abi import encode
from eth_utils import function_signature_to_4byte_selector
from hypothesis import given
from hypothesis import strategies as st

from coordinator.challenges.signed_report import in_calldata
from coordinator.settlement.feed_state import FeedWord, unpack_state
from mpc_party.protocol.compact import compact, compact_signature
from tests.support.signed_group import EXAMPLE, SignedGroup

TYPES = ["(uint256,bytes32,bytes32,bytes32)", "bytes32[]", "bytes32", "bytes32"]


@pytest.fixture(scope="module")
def group():
    made = SignedGroup()
    made.at(EXAMPLE)
    return made


@pytest.fixture(scope="module")
def report(group):
    return group.report(group.proposal(7))


def call(group, report, name="settle"):
    selector = function_signature_to_4byte_selector(f"{name}({','.join(TYPES)})")
    short = compact(report)
    signature = compact_signature(group.signed(report)[1])
    return selector + encode(TYPES, [short.core, list(short.words), *signature])


def found(data, group):
    return [signed.report for signed in in_calldata(data, group.consortium.id_bytes)]


@pytest.mark.parametrize("name", ["settle", "settleAndStore"])
def test_a_report_brought_directly(group, report, name):
    assert found(call(group, report, name), group) == [report]


def test_reports_brought_through_another_contract(group, report):
    other = msgspec.structs.replace(report, round=8, inputs=b"\x11" * 32)
    batch = encode(["bytes[]"], [[call(group, report), b"\1\2\3", call(group, other)]])
    assert found(b"\xde\xad\xbe\xef" + batch, group) == [report, other]


def test_the_consortium_is_the_callers(group, report):
    [signed] = in_calldata(call(group, report), b"\x77" * 32)
    assert signed.report == msgspec.structs.replace(report, consortium=b"\x77" * 32)


def test_data_without_a_report(group, report):
    whole = call(group, report)
    for data in (b"", whole[:4], whole[:200], whole[:-40], whole[4:], call(group, report, "submit")):
        assert found(data, group) == []


@given(st.binary(max_size=400), st.sampled_from(["settle", "settleAndStore"]))
def test_no_data_is_too_much(noise, name):
    selector = function_signature_to_4byte_selector(f"{name}({','.join(TYPES)})")
    assert isinstance(list(in_calldata(selector + noise, bytes(32))), list)


@given(
    st.integers(0, 2**48 - 1),
    st.integers(2**20, 2**40 - 1),
    st.integers(-(2**16), 2**16),
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**60 - 1),
)
def test_the_state_word(number, observed, lag, valid, sequence, stored, below):
    word = (
        number << 208
        | observed << 168
        | (lag + 2**16) << 148
        | valid << 124
        | sequence << 92
        | stored << 60
        | below
    )
    assert unpack_state(word) == FeedWord(
        number, observed, observed + lag, observed + valid, sequence, stored
    )
