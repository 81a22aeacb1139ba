"""Project Wycheproof's vectors of ECDSA on secp256k1 with SHA-256 and low s, through our verifier.

Ours takes 65 bytes r || s || v, the vectors have DER and no v. So a helper of the tests reads the DER strictly, and ours is
asked with both values of v. What each refuses is counted: 219 of the 301 invalid vectors are no DER, 13 more have an
integer that 32 bytes cannot hold, and 69 come before our verifier, as do all 162 valid ones.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import coincurve
import pytest

from mpc_party.signing import verify_signature
from mpc_party.signing.field import GROUP_ORDER
from tests.support.der_signatures import NotDerError, fits_words, parse_der

VECTORS = Path(__file__).parent / "vectors" / "wycheproof_ecdsa_secp256k1_sha256_bitcoin.json"
# "k*G has a large x-coordinate": R.x is not below the group order, and Ethereum's v has no value for that.
LARGE_X = 346


@dataclass(frozen=True)
class Vector:
    number: int
    comment: str
    flags: frozenset[str]
    public_key: bytes
    digest: bytes
    der: bytes
    valid: bool


@pytest.fixture(scope="module")
def vectors():
    data = VECTORS.read_bytes()
    # As published: a vector that was changed here shows nothing.
    assert hashlib.sha256(data).hexdigest() == (
        "1be8742064fec73d670339f0036dec56b21baa94cb2d8e0fbbb6fb480f733869"
    )
    found = [
        Vector(
            test["tcId"],
            test["comment"],
            frozenset(test["flags"]),
            coincurve.PublicKey(bytes.fromhex(group["publicKey"]["uncompressed"])).format(),
            hashlib.sha256(bytes.fromhex(test["msg"])).digest(),
            bytes.fromhex(test["sig"]),
            {"valid": True, "invalid": False}[test["result"]],
        )
        for group in json.loads(data)["testGroups"]
        for test in group["tests"]
    ]
    assert len(found) == 463
    return found


def words(r, s):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def accepted_vs(vector, r, s):
    """Which v make our verifier take these r and s."""
    return [
        v for v in (27, 28) if verify_signature(vector.public_key, vector.digest, words(r, s) + bytes([v]))
    ]


def judge(vector):
    """Who refuses a vector: the helper that reads DER, the size of a word, or our verifier; or "accepted"."""
    try:
        r, s = parse_der(vector.der)
    except NotDerError:
        return "no DER"
    if not fits_words(r, s):
        return "no word"
    return "accepted" if accepted_vs(vector, r, s) else "our verifier"


def test_what_is_valid_verifies_with_one_v_and_what_is_invalid_with_none(vectors):
    wrong = [
        f"{vector.number} ({vector.comment}): {judge(vector)}"
        for vector in vectors
        if vector.number != LARGE_X and (judge(vector) == "accepted") != vector.valid
    ]
    assert not wrong
    for vector in vectors:
        if vector.valid and vector.number != LARGE_X:
            assert len(accepted_vs(vector, *parse_der(vector.der))) == 1, vector.number


def test_who_refuses_how_many(vectors):
    assert Counter(judge(vector) for vector in vectors if not vector.valid) == {
        "no DER": 219,
        "no word": 13,
        "our verifier": 69,
    }
    assert Counter(judge(vector) for vector in vectors if vector.valid) == {
        "accepted": 161,
        "our verifier": 1,
    }


def test_what_is_about_encoding_never_comes_before_our_verifier_and_the_rest_does(vectors):
    by_flag = {}
    for vector in vectors:
        for flag in vector.flags:
            by_flag.setdefault(flag, set()).add(judge(vector))
    for flag in ("BerEncodedSignature", "InvalidEncoding", "InvalidTypesInSignature"):
        assert by_flag[flag] == {"no DER"}, flag
    assert by_flag["SignatureMalleabilityBitcoin"] == {"our verifier"}
    for flag in (
        "InvalidSignature",
        "ModifiedInteger",
        "ModifiedSignature",
        "PointDuplication",
        "ArithmeticError",
    ):
        assert "our verifier" in by_flag[flag], flag


def test_the_one_valid_signature_that_ours_refuses_has_no_v(vectors):
    (vector,) = [it for it in vectors if it.number == LARGE_X]
    r, s = parse_der(vector.der)
    assert vector.valid
    assert accepted_vs(vector, r, s) == []
    # It is R.x >= q, and nothing else: recovered from r + q, its signer is the vector's.
    recovered = [
        coincurve.PublicKey.from_signature_and_message(
            words(r, s) + bytes([recovery]), vector.digest, hasher=None
        ).format()
        for recovery in (2, 3)
    ]
    assert vector.public_key in recovered
    # Ours never makes one: the nonce phase refuses such an R (see `presign`).
    assert r + GROUP_ORDER < 2**256


def test_the_twin_of_every_valid_signature_is_refused(vectors):
    for vector in vectors:
        if vector.valid:
            r, s = parse_der(vector.der)
            assert s <= GROUP_ORDER // 2
            assert accepted_vs(vector, r, GROUP_ORDER - s) == [], vector.number


@pytest.mark.parametrize(
    "data",
    [
        "", "30", "3000", "300602010102", "3006020101020101ff", "3007020101020101",
        "308106020101020101", "3006020081020101", "30070202000102 0101", "3006020181020101", "3106020101020101",
        "3006030101020101", "3006020101030101", "3080020101020101 0000", "3005020002 0101",
    ],
)  # fmt: skip
def test_der_in_any_other_form_is_refused(data):
    with pytest.raises(NotDerError):
        parse_der(bytes.fromhex(data))


def test_der_in_its_one_form_is_read():
    assert parse_der(bytes.fromhex("3006020101020102")) == (1, 2)
    assert parse_der(bytes.fromhex("30070202008002 0100")) == (128, 0)
