import coincurve
import pytest
from eth_account import Account
from eth_account._utils.signing import to_eth_v
from eth_keys import keys as eth_keys
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.protocol.consortium import evm_address
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.field import GROUP_ORDER
from mpc_party.signing.signature import assemble_signature, verify_signature

scalars = st.integers(1, GROUP_ORDER - 1)
digests = st.binary(min_size=32, max_size=32)


def plain_ecdsa(secret, nonce, digest):
    point = multiply_base(nonce)
    r = point.x
    s = pow(nonce, -1, GROUP_ORDER) * (int.from_bytes(digest, "big") + r * secret) % GROUP_ORDER
    return r, s, point.y_is_odd


@settings(max_examples=60)
@given(scalars, scalars, digests)
def test_assembled_signatures_recover_to_the_signer_everywhere(secret, nonce, digest):
    r, s, odd = plain_ecdsa(secret, nonce, digest)
    signature = assemble_signature(r, s, nonce_y_is_odd=odd)
    public_key = multiply_base(secret)
    assert verify_signature(public_key.encode(), digest, signature)
    # OpenZeppelin's ECDSA.tryRecover: s in the lower half, v 27 or 28
    assert (
        int.from_bytes(signature[32:64], "big")
        <= 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
    )
    assert signature[64] in {27, 28}
    # two other implementations
    assert (
        coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]), digest, hasher=None
        ).format()
        == public_key.encode()
    )
    assert Account._recover_hash(digest, signature=signature) == evm_address(public_key.encode())


def test_a_signature_of_another_implementation_verifies():
    key = coincurve.PrivateKey(b"\x05" * 32)
    made = key.sign_recoverable(b"\x09" * 32, hasher=None)
    signature = made[:64] + bytes([to_eth_v(made[64])])
    assert verify_signature(key.public_key.format(), b"\x09" * 32, signature)
    assert eth_keys.PrivateKey(b"\x05" * 32).public_key.to_compressed_bytes() == key.public_key.format()


def test_both_halves_of_s_give_the_same_low_signature():
    r, s, odd = plain_ecdsa(3, 5, b"\x01" * 32)
    assert assemble_signature(r, s, nonce_y_is_odd=odd) == assemble_signature(
        r, GROUP_ORDER - s, nonce_y_is_odd=not odd
    )


@pytest.mark.parametrize("s", [0, GROUP_ORDER])
def test_s_of_zero_is_refused(s):
    with pytest.raises(ValueError, match="zero"):
        assemble_signature(1, s, nonce_y_is_odd=False)


def changed(signature):
    r, s, v = signature[:32], signature[32:64], signature[64:]
    high = (GROUP_ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    flipped = bytes([55 - v[0]])
    yield "high s, its own v", r + high + flipped
    yield "high s", r + high + v
    yield "other v", r + s + flipped
    yield "v 0 or 1", r + s + bytes([v[0] - 27])
    yield "v 29", r + s + b"\x1d"
    yield "r changed", bytes([r[0] ^ 1]) + r[1:] + s + v
    yield "s changed", r + s[:-1] + bytes([s[-1] ^ 1]) + v
    yield "r zero", bytes(32) + s + v
    yield "s zero", r + bytes(32) + v
    yield "r not below q", GROUP_ORDER.to_bytes(32, "big") + s + v
    yield "short", signature[:64]
    yield "long", signature + b"\0"
    yield "empty", b""


def test_what_is_changed_does_not_verify():
    digest = b"\x42" * 32
    key = multiply_base(11).encode()
    signature = assemble_signature(
        *plain_ecdsa(11, 13, digest)[:2], nonce_y_is_odd=plain_ecdsa(11, 13, digest)[2]
    )
    assert verify_signature(key, digest, signature)
    for what, other in changed(signature):
        assert not verify_signature(key, digest, other), what
    assert not verify_signature(key, b"\x43" * 32, signature)
    assert not verify_signature(key, digest[:-1], signature)
    assert not verify_signature(multiply_base(12).encode(), digest, signature)
