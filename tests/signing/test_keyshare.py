import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from eth_keys import keys as eth_keys
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.errors import ConfigError
from mpc_party.signing.curve import Point, multiply_base
from mpc_party.signing.keyshare import KeyShare
from tests.signing.golden.regenerate import block, key_share
from tests.support.plain_scalars import hidden, shown

GOLDEN = bytes.fromhex((Path(__file__).parent / "golden" / "key-share-v1.hex").read_text())


def test_the_stored_form_has_the_golden_bytes():
    assert key_share().encode() == GOLDEN
    share = KeyShare.decode(GOLDEN)
    assert (share.index, share.threshold, share.epoch, shown(share.secret)) == (1, 1, 4, 19)
    assert share.roster_hash == block(0xEE)
    assert share.encode() == GOLDEN


def test_the_address_is_the_one_of_the_key():
    assert (
        key_share().address == eth_keys.PrivateKey((5).to_bytes(32, "big")).public_key.to_checksum_address()
    )


def test_the_attestation_is_the_hash_that_the_consortium_file_defines():
    share = key_share()
    expected = hashlib.sha256(
        b"mpc-hedge/group-key/v1" + share.roster_hash + share.public_key + b"".join(share.public_shares)
    )
    assert share.attestation == expected.digest()


def test_a_share_that_does_not_fit_is_refused():
    good = key_share()
    x = [multiply_base(5 + 7 * at).encode() for at in (1, 2, 3)]
    wrong = [
        {"index": 0},
        {"index": 3},
        {"index": -1},
        {"threshold": 0},
        {"threshold": 2},
        {"secret": hidden(20)},
        {"secret": -hidden(19)},
        {"public_key": multiply_base(6).encode()},
        {"public_key": x[0]},
        {"public_shares": (x[0], x[1], multiply_base(27).encode())},
        {"public_shares": (x[0], x[1])},
        {"public_shares": (x[0], x[1], (-Point.decode(x[2])).encode())},
        {"public_shares": (x[0], x[1], b"\x02" + b"\xff" * 32)},
    ]
    for change in wrong:
        with pytest.raises(ValueError, match=r"."):
            replace(good, **change)


def stored(**changes):
    fields = dict(
        zip(
            ("tag", "version", "index", "threshold", "epoch", "roster", "secret", "key", "shares"),
            msgspec.msgpack.decode(GOLDEN),
            strict=True,
        )
    )
    return msgspec.msgpack.encode(list((fields | changes).values()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOLDEN[:-1],
        GOLDEN + b"\0",
        stored(version=2),
        stored(tag="other"),
        stored(secret=bytes(31)),
        stored(secret=b"\xff" * 32),
        stored(secret=bytes(32)),
        stored(secret=(20).to_bytes(32, "big")),
        stored(epoch=-1),
        stored(threshold=2),
        stored(roster=b""),
    ],
)
def test_damaged_storage_gives_one_line_without_the_secret(data):
    with pytest.raises(ConfigError, match="key share cannot be used") as raised:
        KeyShare.decode(data)
    assert raised.value.remedy is not None
    assert raised.value.__cause__ is None
    assert "\n" not in str(raised.value)


@given(st.binary(max_size=300))
def test_noise_is_refused(data):
    with pytest.raises(ConfigError):
        KeyShare.decode(data)


def test_every_flipped_bit_of_the_secret_is_noticed():
    position = GOLDEN.index((19).to_bytes(32, "big"))
    for bit in range(256):
        data = bytearray(GOLDEN)
        data[position + bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(ConfigError):
            KeyShare.decode(bytes(data))
