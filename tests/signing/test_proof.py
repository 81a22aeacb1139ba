from dataclasses import replace

import pytest

from mpc_party.signing.curve import add, multiply_base, multiply_public
from mpc_party.signing.field import GROUP_ORDER
from mpc_party.signing.proof import ProofOfKnowledge, _challenge, prove, verify
from mpc_party.signing.scalar import SecretScalar
from tests.support.plain_scalars import hidden, random_scalar

SESSION = b"\x01" * 32


def test_a_proof_verifies_in_its_session_for_its_sender_and_nowhere_else():
    secret = SecretScalar.random()
    statement = multiply_base(secret)
    proof = prove(secret, statement, session=SESSION, sender=2)
    assert verify(proof, statement, session=SESSION, sender=2)
    assert not verify(proof, statement, session=b"\x02" * 32, sender=2)
    assert not verify(proof, statement, session=SESSION, sender=1)
    assert not verify(proof, multiply_base(secret + hidden(1)), session=SESSION, sender=2)


def test_changed_parts_do_not_verify():
    secret = SecretScalar.random()
    statement = multiply_base(secret)
    proof = prove(secret, statement, session=SESSION, sender=0)
    assert not verify(
        replace(proof, response=(proof.response + 1) % GROUP_ORDER), statement, session=SESSION, sender=0
    )
    assert not verify(replace(proof, commitment=-proof.commitment), statement, session=SESSION, sender=0)
    assert not verify(
        replace(proof, response=proof.response + GROUP_ORDER), statement, session=SESSION, sender=0
    )


@pytest.mark.parametrize("response", [0, -1, GROUP_ORDER])
def test_responses_out_of_range_are_refused(response):
    statement = multiply_base(5)
    assert not verify(ProofOfKnowledge(statement, response), statement, session=SESSION, sender=0)


def test_a_rogue_key_has_no_proof():
    # The cheat knows rogue + honest = 7 G, but not the logarithm of rogue.
    honest = multiply_base(random_scalar())
    rogue = add([multiply_base(7), -honest])
    assert rogue is not None
    for secret in (hidden(7), SecretScalar.random()):
        assert not verify(prove(secret, rogue, session=SESSION, sender=1), rogue, session=SESSION, sender=1)


def test_a_proof_made_backwards_from_a_challenge_does_not_verify():
    """T = z G - c X for a challenge c taken before T is known: what Fiat and Shamir's hash over T stops."""
    statement = multiply_base(random_scalar())
    response = random_scalar()
    commitment = statement
    for _ in range(3):
        challenge = _challenge(SESSION, 0, statement, commitment)
        shifted = multiply_public(GROUP_ORDER - challenge, statement)
        assert shifted is not None
        commitment = add([multiply_base(response), shifted])
        assert commitment is not None
        assert not verify(ProofOfKnowledge(commitment, response), statement, session=SESSION, sender=0)


def test_two_proofs_of_one_secret_differ():
    statement = multiply_base(9)
    first, second = (prove(hidden(9), statement, session=SESSION, sender=0) for _ in range(2))
    assert first.commitment != second.commitment
