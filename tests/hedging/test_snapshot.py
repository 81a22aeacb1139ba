"""A snapshot: ring integers that stay hidden, and a commitment that binds every part of them."""

import copy
import hashlib
import pickle  # noqa: TID251 - to show that it refuses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.hedging.snapshot import COLUMNS, Snapshot, snapshot_commitment
from mpc_party.market import SurfaceFit

CONSORTIUM, SALT = bytes(range(32)), bytes(range(100, 132))
WORDS = np.array([[65_536, -3, 2, 4096], [-1, 2**40, -(2**40), 65_536]], dtype=np.int64)
GOLDEN = "a8c9ada29013cf8b9a2fb522e06a7140c3d3a2aa52db22c07cb7c5b5cbf943bd"
FIT = SurfaceFit(np.array([[0.25, -0.1, 0.01], [0.0, 0.125, -1.4]]), np.array([0.5, 1 / 16]), 0, 0)


def test_golden_commitment():
    found = snapshot_commitment(CONSORTIUM, 7, 1, SALT, WORDS)
    assert found.hex() == GOLDEN


def test_the_definition_byte_by_byte():
    words = b"".join(int(word).to_bytes(8, "little", signed=True) for word in WORDS.ravel())
    content = (
        b"mpc-hedge/snapshot/v1"
        + CONSORTIUM
        + bytes(7)
        + b"\7"
        + bytes(3)
        + b"\1"
        + SALT
        + b"\0\0\0\2"
        + words
    )
    assert snapshot_commitment(CONSORTIUM, 7, 1, SALT, WORDS) == hashlib.sha256(content).digest()


def test_the_layout_in_memory_does_not_matter():
    expected = snapshot_commitment(CONSORTIUM, 7, 1, SALT, WORDS)
    assert snapshot_commitment(CONSORTIUM, 7, 1, SALT, np.asfortranarray(WORDS)) == expected
    assert snapshot_commitment(CONSORTIUM, 7, 1, SALT, WORDS.astype(">i8")) == expected
    assert snapshot_commitment(CONSORTIUM, 7, 1, SALT, np.repeat(WORDS, 2, axis=0)[::2]) == expected


@given(st.integers(0, 31), st.integers(1, 255))
def test_each_byte_of_consortium_and_salt_counts(position, change):
    expected = snapshot_commitment(CONSORTIUM, 7, 1, SALT, WORDS)

    def changed(data):
        return data[:position] + bytes([data[position] ^ change]) + data[position + 1 :]

    assert snapshot_commitment(changed(CONSORTIUM), 7, 1, SALT, WORDS) != expected
    assert snapshot_commitment(CONSORTIUM, 7, 1, changed(SALT), WORDS) != expected


@given(st.integers(0, 7), st.integers(0, 63))
def test_each_bit_of_each_word_counts(position, bit):
    words = WORDS.copy()
    words.flat[position] ^= np.int64(-(2**63) if bit == 63 else 1 << bit)
    assert snapshot_commitment(CONSORTIUM, 7, 1, SALT, words) != snapshot_commitment(
        CONSORTIUM, 7, 1, SALT, WORDS
    )


def test_round_order_and_shape_count():
    expected = snapshot_commitment(CONSORTIUM, 7, 1, SALT, WORDS)
    others = {
        snapshot_commitment(CONSORTIUM, 8, 1, SALT, WORDS),
        snapshot_commitment(CONSORTIUM, 7, 2, SALT, WORDS),
        snapshot_commitment(CONSORTIUM, 7, 1, SALT, WORDS[::-1]),
        snapshot_commitment(CONSORTIUM, 7, 1, SALT, WORDS[:1]),
        snapshot_commitment(CONSORTIUM, 7, 1, SALT, WORDS.reshape(1, 8)),
        snapshot_commitment(SALT, 7, 1, CONSORTIUM, WORDS),
    }
    assert len(others | {expected}) == 7


@pytest.mark.parametrize(("bits", "one"), [(12, 4096), (16, 65_536), (20, 1_048_576)])
def test_the_words_are_the_fit_in_fixed_point(bits, one):
    snapshot = Snapshot(FIT, bits)
    assert snapshot.words.shape == (2, COLUMNS)
    assert snapshot.words.dtype == np.int64
    expected = [[0.25, -0.1, 0.01, 0.5], [0.0, 0.125, -1.4, 1 / 16]]
    assert np.abs(snapshot.words / one - expected).max() <= 0.5 / one


def test_every_snapshot_has_its_own_salt():
    one, other = Snapshot(FIT, 16), Snapshot(FIT, 16)
    assert len(one.salt) == 32
    assert one.salt != other.salt
    assert one.commitment(CONSORTIUM, 7, 1) != other.commitment(CONSORTIUM, 7, 1)
    assert one.commitment(CONSORTIUM, 7, 1) == snapshot_commitment(CONSORTIUM, 7, 1, one.salt, one.words)


def test_a_snapshot_neither_shows_nor_ships_itself():
    snapshot = Snapshot(FIT, 16)
    assert repr(snapshot) == str(snapshot) == f"{snapshot}" == "Snapshot(2 expiries)"
    for ship in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="secret"):
            ship(snapshot)
