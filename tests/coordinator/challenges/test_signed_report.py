import secrets

import msgspec
import pytest
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from coordinator.artifact import load_abi
from coordinator.challenges.signed_report import SignedReport, from_file, in_calldata
from mpc_party.protocol.compact import compact, compact_signature
from mpc_party.protocol.eip712 import report_digest
from mpc_party.protocol.errors import ReportError
from tests.support.contract_stage import unchecked_file
from tests.support.signed_group import EXAMPLE, SignedGroup, book_words

TYPES = ("(uint256,bytes32,bytes32,bytes32)", "bytes32[]", "bytes32", "bytes32")


@pytest.fixture(scope="module")
def group():
    made = SignedGroup()
    made.at(EXAMPLE)
    return made


@pytest.fixture(scope="module")
def signed(group):
    report = group.report(group.proposal(5))
    return SignedReport(report, group.signed(report)[1])


def calldata(signed, name="settle"):
    short = compact(signed.report)
    arguments = (short.core, list(short.words), *compact_signature(signed.signature))
    return bytes(keccak(f"{name}({','.join(TYPES)})".encode()))[:4] + abi_encode(TYPES, arguments)


def test_the_calls_are_the_ledgers_own():
    functions = {
        entry["name"]: entry["inputs"] for entry in load_abi("HedgeSettlement") if entry["type"] == "function"
    }
    for name in ("settle", "settleAndStore"):
        core, *others = functions[name]
        assert [part["type"] for part in core["components"]] == ["uint256", "bytes32", "bytes32", "bytes32"]
        assert [one["type"] for one in others] == list(TYPES[1:])


@pytest.mark.parametrize("name", ["settle", "settleAndStore"])
def test_a_report_is_found_in_the_call_that_brought_it(signed, name):
    (found,) = in_calldata(calldata(signed, name), signed.report.consortium)
    assert found == signed


def test_a_report_is_found_in_a_call_within_a_call(signed):
    inner = calldata(signed)
    outer = bytes.fromhex("6a761202") + abi_encode(
        ["address", "bytes", "uint256"], [EXAMPLE.contract, inner, 7]
    )
    twice = abi_encode(["bytes[]"], [[inner, calldata(signed, "settleAndStore")]])
    assert list(in_calldata(outer, signed.report.consortium)) == [signed]
    assert list(in_calldata(twice, signed.report.consortium)) == [signed, signed]


def test_what_only_looks_like_a_call_is_passed_over(signed):
    whole = calldata(signed)
    for data in (b"", whole[:4], whole[:200], whole[:4] + secrets.token_bytes(900), whole[:-33]):
        assert list(in_calldata(data, signed.report.consortium)) == []
    assert list(in_calldata(whole[:4] + whole, signed.report.consortium)) == [signed]


def test_the_signer_is_the_groups(group, signed):
    digest = report_digest(signed.report, EXAMPLE.chain_id, EXAMPLE.contract)
    assert signed.digest(EXAMPLE.chain_id, EXAMPLE.contract) == digest
    assert signed.signer(EXAMPLE.chain_id, EXAMPLE.contract) == group.consortium.group_address
    assert signed.signer(1, EXAMPLE.contract) != group.consortium.group_address
    with pytest.raises(ReportError):
        SignedReport(signed.report, bytes(65)).signer(1, EXAMPLE.contract)


def test_a_file_of_words_that_no_report_may_have_is_evidence(group, signed):
    words = b"\xff" * 32 + signed.report.params[32:]
    wrong = msgspec.structs.replace(signed.report, params=words)
    file = unchecked_file(wrong, book_words(group.proposal(5)), signed.signature, EXAMPLE.contract)
    with pytest.raises(ReportError):
        file.hedge_report()
    assert from_file(file).report == wrong


def test_a_header_holds_hashes_and_refuses_what_does_not_fit(signed):
    core, forwards, params, r, vs = signed.header()
    assert core == compact(signed.report).core
    assert (forwards, params) == (bytes(keccak(signed.report.forwards)), bytes(keccak(signed.report.params)))
    assert (r, vs) == compact_signature(signed.signature)
    late = msgspec.structs.replace(signed.report, epoch=2**48)
    with pytest.raises(ReportError, match="epoch"):
        SignedReport(late, signed.signature).header()
