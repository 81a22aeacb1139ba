import copy
import json
import pickle  # noqa: TID251 - to show that it is refused

import msgspec
import pytest

from mpc_party.protocol.secret import Secret
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.nonce_rules import DealtPoints
from mpc_party.signing.presign import NonceParty
from mpc_party.signing.presignature import NonceShares, Presignature, UnspentNonce
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.wire import KeygenDeal, NonceDeal
from tests.support.signing_parties import key_shares, signing_context

VALUE = 0x1234567890ABCDEF1234567890ABCDEF
BYTES = VALUE.to_bytes(32, "big")


def secrets():
    key = key_shares(3, 1)[0]
    shares = NonceShares(*(SecretScalar(BYTES) for _ in range(3)))
    yield SecretScalar(BYTES)
    yield shares
    context, base = signing_context(3), multiply_base(7)
    nonce = UnspentNonce(shares, DealtPoints((0, 1, 2), (), (), ()), base)
    yield nonce
    yield nonce.approve()
    yield Presignature(
        context,
        context.case((0, 1, 2), key),
        0,
        r=1,
        nonce_y_is_odd=False,
        transcript=BYTES,
        nonce=nonce,
    )
    yield key
    yield NonceParty(signing_context(3), key, (0, 1, 2))
    yield KeygenDeal(BYTES, 0, 1, BYTES, (BYTES,))
    yield NonceDeal(BYTES, 0, 1, BYTES, BYTES, BYTES, BYTES, BYTES)


@pytest.mark.parametrize("secret", secrets(), ids=lambda s: type(s).__name__)
def test_secrets_hide_and_refuse_pickle_and_copies(secret):
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}", f"{secret!r:>80}"):
        assert type(secret).__name__ in text
        assert str(VALUE) not in text
        assert f"{VALUE:x}" not in text
        assert repr(BYTES)[2:-1] not in text
    for serialise in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="secret"):
            serialise(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    if isinstance(secret, Secret):
        with pytest.raises(TypeError):
            copy.copy(secret)


def test_scalars_are_not_encoded_by_accident():
    for encode in (msgspec.msgpack.encode, msgspec.json.encode):
        with pytest.raises(TypeError):
            encode(SecretScalar(BYTES))
        with pytest.raises(TypeError):
            encode({"key": key_shares(3, 1)[0]})


def test_the_value_comes_out_by_name_only():
    scalar = SecretScalar(BYTES)
    assert scalar.reveal() == BYTES
    assert scalar.publish() == VALUE
    for conversion in (int, float, bytes, complex, hash, list):
        with pytest.raises(TypeError):
            conversion(scalar)
