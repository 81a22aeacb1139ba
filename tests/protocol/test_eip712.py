"""EIP-712 digests against eth_account's, published signatures and addresses, then signatures that are none."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol import eip712
from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.report import decode_report
from mpc_party.protocol.words import split_words

ROOT = Path(__file__).resolve().parents[2]
VECTOR = json.loads((ROOT / "contracts" / "test" / "vectors" / "report.json").read_text(encoding="utf-8"))
REPORT = decode_report((Path(__file__).parent / "golden" / "report-v1.msgpack").read_bytes())
CHAIN_ID, CONTRACT = VECTOR["chainId"], VECTOR["contract"]
DIGEST, SIGNATURE = bytes.fromhex(VECTOR["digest"][2:]), bytes.fromhex(VECTOR["signature"][2:])
DOMAIN_FIELDS = ("name", "version", "chainId", "verifyingContract")


def oracle(type_string, values, chain_id=CHAIN_ID, contract=CONTRACT):
    """Digest and its signable message by eth_account, from the type string alone."""
    name, fields = type_string.rstrip(")").split("(")
    types = [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields.split(",")]
    return encode_typed_data(
        domain_data={
            "name": "MPC Hedge Report",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": contract,
        },
        message_types={name: types},
        message_data=dict(zip((field["name"] for field in types), values, strict=True)),
    )


def oracle_digest(*arguments, **keywords):
    message = oracle(*arguments, **keywords)
    return eip712.typed_digest(message.header, message.body)


def values_of(report):
    values = msgspec.structs.astuple(report)
    return [*values[:8], list(split_words(values[8])), list(split_words(values[9]))]


def test_vector():
    assert eip712.domain_separator(CHAIN_ID, CONTRACT).hex() == VECTOR["domainSeparator"][2:]
    assert eip712.report_struct_hash(REPORT).hex() == VECTOR["structHash"][2:]
    assert eip712.report_digest(REPORT, CHAIN_ID, CONTRACT) == DIGEST
    assert eip712.recover(DIGEST, SIGNATURE) == VECTOR["groupKey"]
    eip712.verify_signature(DIGEST, SIGNATURE, VECTOR["groupKey"])
    eip712.verify_signature(DIGEST, SIGNATURE, VECTOR["groupKey"].lower())


def test_eth_account_hashes_the_same_report():
    message = oracle(eip712.REPORT_TYPE, values_of(REPORT))
    assert message.header == eip712.domain_separator(CHAIN_ID, CONTRACT)
    assert message.body == eip712.report_struct_hash(REPORT)
    assert Account.recover_message(message, signature=SIGNATURE) == VECTOR["groupKey"]


@given(
    st.integers(1, 2**63),
    st.binary(min_size=20, max_size=20),
    st.tuples(st.integers(0, 2**63 - 1), st.integers(1, 2**63 - 1)),
    st.binary(min_size=32, max_size=32),
)
def test_eth_account_agrees_everywhere(chain_id, address, numbers, noise):
    contract = "0x" + address.hex()
    report = msgspec.structs.replace(
        REPORT,
        epoch=numbers[0],
        round=numbers[1],
        consortium=noise,
        book=noise[::-1],
        params=REPORT.params[:96],
    )
    assert eip712.report_digest(report, chain_id, contract) == oracle_digest(
        eip712.REPORT_TYPE, values_of(report), chain_id, contract
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("consortium", bytes(32)),
        ("epoch", 8),
        ("round", 43),
        ("observed_at", 1),
        ("valid_until", 2**40),
        ("book", bytes(32)),
        ("model", bytes(32)),
        ("inputs", bytes(32)),
        ("forwards", REPORT.forwards[:32]),
        ("params", REPORT.params[:32]),
    ],
)
def test_every_field_counts(name, value):
    report = msgspec.structs.replace(REPORT, **{name: value})
    assert eip712.report_digest(report, CHAIN_ID, CONTRACT) != DIGEST


def test_chain_and_contract_count():
    assert eip712.report_digest(REPORT, 1, CONTRACT) != DIGEST
    assert eip712.report_digest(REPORT, CHAIN_ID, "0x" + "11" * 20) != DIGEST


@pytest.mark.parametrize(
    "contract",
    [
        "",
        "0x",
        CONTRACT[2:],
        CONTRACT[:-1],
        CONTRACT + "00",
        CONTRACT.swapcase(),
        CONTRACT.replace("F", "f", 1),
        None,
        bytes(20),
    ],
)
def test_addresses_that_are_none(contract):
    with pytest.raises(ReportError, match="not an address"):
        eip712.domain_separator(CHAIN_ID, contract)


@pytest.mark.parametrize("chain_id", [0, -1, 2**256])
def test_chain_ids_that_are_none(chain_id):
    with pytest.raises(ReportError):
        eip712.domain_separator(chain_id, CONTRACT)


def test_a_report_is_checked_before_it_is_hashed():
    with pytest.raises(ReportError, match="reserved"):
        eip712.report_digest(
            msgspec.structs.replace(REPORT, params=REPORT.params[:-1] + b"\1"), CHAIN_ID, CONTRACT
        )


@given(st.binary(min_size=32, max_size=32), st.integers(1, eip712.ORDER - 1))
def test_recovers_who_signed(digest, secret):
    key = PrivateKey.from_int(secret)
    raw = key.sign_recoverable(digest, hasher=None)
    signature = raw[:64] + bytes([raw[64] + 27])
    address = eip712.public_key_address(key.public_key.format())
    assert eip712.recover(digest, signature) == address == Account.from_key(key.secret).address
    assert eip712.public_key_address(key.public_key.format(compressed=False)) == address


def test_address_of_the_generator():
    # The key 1: a known address, in EIP-55 form.
    generator = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    assert eip712.public_key_address(generator) == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"


def test_the_high_s_twin_is_refused():
    s = int.from_bytes(SIGNATURE[32:64])
    twin = SIGNATURE[:32] + (eip712.ORDER - s).to_bytes(32) + bytes([55 - SIGNATURE[64]])
    with pytest.raises(ReportError, match="high s") as caught:
        eip712.recover(DIGEST, twin)
    assert caught.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:64],
        SIGNATURE + b"\0",
        *(SIGNATURE[:64] + bytes([v]) for v in (0, 1, 26, 29, 255)),
        bytes(32) + SIGNATURE[32:],
        SIGNATURE[:32] + bytes(32) + SIGNATURE[64:],
        eip712.ORDER.to_bytes(32) + SIGNATURE[32:],
        SIGNATURE[:32] + eip712.ORDER.to_bytes(32) + SIGNATURE[64:],
        (5).to_bytes(32) + SIGNATURE[32:],  # x = 5 is on no point of secp256k1
    ],
)
def test_signatures_that_are_none(signature):
    with pytest.raises(ReportError) as caught:
        eip712.recover(DIGEST, signature)
    assert caught.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("length", [0, 31, 33])
def test_digests_that_are_none(length):
    with pytest.raises(ReportError, match="digest"):
        eip712.recover(bytes(length), SIGNATURE)


def test_somebody_elses_signature():
    with pytest.raises(ReportError, match="not 0x") as caught:
        eip712.verify_signature(DIGEST, SIGNATURE, CONTRACT)
    assert caught.value.reason is Reason.SIGNATURE_INVALID
    with pytest.raises(ReportError, match="0x"):
        eip712.verify_signature(bytes([DIGEST[0] ^ 1]) + DIGEST[1:], SIGNATURE, VECTOR["groupKey"])


@pytest.mark.parametrize(
    "key",
    [
        b"",
        bytes(33),
        b"\2" + b"\xff" * 32,
        b"\6" + PrivateKey(b"\1").public_key.format(compressed=False)[1:],
        b"\4" + bytes(64),
    ],
)
def test_public_keys_that_are_none(key):
    with pytest.raises(ReportError, match="not a secp256k1 public key"):
        eip712.public_key_address(key)


def test_needs_no_node_library():
    code = "import sys, mpc_party.protocol.eip712; sys.exit(any(m in sys.modules for m in ('web3', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0
