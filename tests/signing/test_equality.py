"""The proof that two points have one logarithm: complete, bound to all that it is about, and hiding."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.signing.curve import add, multiply_base, multiply_secret
from mpc_party.signing.equality import EqualityProof, EqualityStatement, prove_equality, verify_equality
from mpc_party.signing.field import GROUP_ORDER
from mpc_party.signing.scalar import SecretScalar

SESSION = bytes(32)


def statement_of(secret: SecretScalar, base) -> EqualityStatement:
    return EqualityStatement(SESSION, 1, multiply_base(secret), base, multiply_secret(secret, base))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, GROUP_ORDER - 1), st.integers(1, GROUP_ORDER - 1))
def test_a_true_statement_is_proven(secret, base):
    hidden = SecretScalar(secret.to_bytes(32, "big"))
    statement = statement_of(hidden, multiply_base(base))
    assert verify_equality(prove_equality(hidden, statement), statement)


def test_a_proof_is_of_its_statement_only():
    secret, base = SecretScalar.random(), multiply_base(5)
    statement = statement_of(secret, base)
    proof = prove_equality(secret, statement)
    other = multiply_base(7)
    for change in (
        {"session": b"\x01" * 32},
        {"sender": 2},
        {"public": other},
        {"base": other},
        {"product": other},
    ):
        assert not verify_equality(proof, replace(statement, **change))
    for change in (
        {"commitment": other},
        {"commitment_here": other},
        {"response": (proof.response + 1) % GROUP_ORDER},
    ):
        assert not verify_equality(replace(proof, **change), statement)


@pytest.mark.parametrize("response", [0, GROUP_ORDER, GROUP_ORDER + 1, 2**256 - 1])
def test_a_response_out_of_range_is_refused(response):
    secret = SecretScalar.random()
    statement = statement_of(secret, multiply_base(5))
    proof = prove_equality(secret, statement)
    assert not verify_equality(replace(proof, response=response), statement)


def test_another_logarithm_is_not_proven_even_by_who_knows_both():
    secret, base = SecretScalar.random(), multiply_base(5)
    wrong = add([multiply_secret(secret, base), multiply_base(1)])
    assert wrong is not None
    statement = replace(statement_of(secret, base), product=wrong)
    assert not verify_equality(prove_equality(secret, statement), statement)


def test_two_proofs_of_one_statement_share_nothing():
    secret = SecretScalar.random()
    statement = statement_of(secret, multiply_base(5))
    one, other = prove_equality(secret, statement), prove_equality(secret, statement)
    assert isinstance(one, EqualityProof)
    assert one.commitment != other.commitment
    assert one.response != other.response
