"""A snapshot: ring integers that stay hidden, and a commitment of two leaves that binds every part of them."""

import copy
import hashlib
import pickle  # noqa: TID251 - to show that it refuses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.hedging.snapshot import (
    COLUMNS,
    Snapshot,
    market_leaf,
    positions_leaf,
    snapshot_commitment,
)

CONSORTIUM, SALT = bytes(range(32)), bytes(range(100, 132))
MARKET = np.array([[65_536, -3, 2], [-1, 2**40, -(2**40)]], dtype=np.int64)
POSITIONS = np.array([65_536, 0, -7, 12], dtype=np.int64)
GOLDEN = {
    "market": "2b36dfdb8b8d9cbcab99443f54dcdc40a3f21e0264247924572a3d8f09033d1d",
    "positions": "690a0cfec64c5b12fb79dab2c1cb1aedc35d7bdb2f21a1c9a8ca22f49d1c2433",
    "commitment": "8ff6293cf64142ed3b8beceba2b8f7d311bb6b2e2ba193cace5d538507b10a28",
}
FIT = np.array([[0.25, -0.1, 0.01], [0.0, 0.125, -1.4]])
FLOW = np.array([1.0, -0.5, 0.0])
HELD = np.array([1.0, -0.25, 0.0])


def both(market=MARKET, positions=POSITIONS, consortium=CONSORTIUM, number=7, member=1, salt=SALT):
    return snapshot_commitment(
        consortium, number, member, market_leaf(salt, market), positions_leaf(salt, positions)
    )


def test_golden_commitment():
    assert market_leaf(SALT, MARKET).hex() == GOLDEN["market"]
    assert positions_leaf(SALT, POSITIONS).hex() == GOLDEN["positions"]
    assert both().hex() == GOLDEN["commitment"]


def test_the_definition_byte_by_byte():
    def words(array):
        return b"".join(int(word).to_bytes(8, "little", signed=True) for word in array.ravel())

    market = hashlib.sha256(b"mpc-hedge/snapshot-market/v2" + SALT + b"\0\0\0\2" + words(MARKET)).digest()
    held = hashlib.sha256(b"mpc-hedge/snapshot-positions/v2" + SALT + b"\0\0\0\4" + words(POSITIONS)).digest()
    content = b"mpc-hedge/snapshot/v2" + CONSORTIUM + bytes(7) + b"\7" + bytes(3) + b"\1" + market + held
    assert both() == hashlib.sha256(content).digest()


def test_the_layout_in_memory_does_not_matter():
    assert both(market=np.asfortranarray(MARKET)) == both()
    assert both(market=MARKET.astype(">i8")) == both()
    assert both(positions=np.repeat(POSITIONS, 2)[::2]) == both()


@given(st.integers(0, 31), st.integers(1, 255))
def test_each_byte_of_consortium_and_salt_counts(position, change):
    def changed(data):
        return data[:position] + bytes([data[position] ^ change]) + data[position + 1 :]

    assert both(consortium=changed(CONSORTIUM)) != both()
    assert market_leaf(changed(SALT), MARKET) != market_leaf(SALT, MARKET)
    assert positions_leaf(changed(SALT), POSITIONS) != positions_leaf(SALT, POSITIONS)


@given(st.integers(0, 9), st.integers(0, 63))
def test_each_bit_of_each_word_counts(position, bit):
    flip = np.int64(-(2**63) if bit == 63 else 1 << bit)
    market, positions = MARKET.copy(), POSITIONS.copy()
    if position < 6:
        market.flat[position] ^= flip
    else:
        positions[position - 6] ^= flip
    assert both(market=market, positions=positions) != both()


def test_round_member_order_and_shape_count():
    others = {
        both(number=8),
        both(member=2),
        both(market=MARKET[::-1]),
        both(market=MARKET[:1]),
        both(market=MARKET.reshape(1, 6)),
        both(positions=POSITIONS[:3]),
        both(market=POSITIONS.reshape(4, 1), positions=MARKET.ravel()),
        both(consortium=SALT, salt=CONSORTIUM),
    }
    assert len(others | {both()}) == 9


def test_one_leaf_does_not_pass_for_the_other():
    assert market_leaf(SALT, POSITIONS) != positions_leaf(SALT, POSITIONS)


@pytest.mark.parametrize("salt", [b"", SALT[:31], SALT + b"\0"])
def test_a_salt_of_another_length(salt):
    with pytest.raises(ValueError, match="a salt has 32 bytes"):
        market_leaf(salt, MARKET)


@pytest.mark.parametrize(("bits", "one"), [(12, 4096), (16, 65_536), (20, 1_048_576)])
def test_the_words_are_the_inputs_in_fixed_point(bits, one):
    snapshot = Snapshot(FIT, FLOW, HELD, bits)
    assert snapshot.market.shape == (3, COLUMNS)
    assert snapshot.market.dtype == snapshot.positions.dtype == np.int64
    assert np.abs(snapshot.market / one - np.vstack([FIT, FLOW])).max() <= 0.5 / one
    assert snapshot.positions.tolist() == [one, -one // 4, 0]


@pytest.mark.parametrize(
    ("fit", "flow", "held"),
    [(2.01, 0.0, 0.0), (0.0, -2.5, 0.0), (0.0, 0.0, 1.001), (np.nan, 0.0, 0.0), (0.0, 0.0, np.nan)],
)
def test_what_a_round_would_refuse_is_not_put_in(fit, flow, held):
    with pytest.raises(ValueError, match="out of range"):
        Snapshot(np.full((2, 3), fit), np.full(3, flow), np.full(4, held), 16)


def test_every_snapshot_has_its_own_salts():
    one, other = Snapshot(FIT, FLOW, HELD, 16), Snapshot(FIT, FLOW, HELD, 16)
    salts = {one.market_salt, one.positions_salt, other.market_salt, other.positions_salt}
    assert len(salts) == 4
    assert {len(salt) for salt in salts} == {32}
    assert one.commitment(CONSORTIUM, 7, 1) != other.commitment(CONSORTIUM, 7, 1)
    assert one.commitment(CONSORTIUM, 7, 1) == snapshot_commitment(
        CONSORTIUM,
        7,
        1,
        market_leaf(one.market_salt, one.market),
        positions_leaf(one.positions_salt, one.positions),
    )


def test_a_snapshot_neither_shows_nor_ships_itself():
    snapshot = Snapshot(FIT, FLOW, HELD, 16)
    assert repr(snapshot) == str(snapshot) == f"{snapshot}" == "Snapshot(2 expiries, 3 instruments)"
    for ship in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="secret"):
            ship(snapshot)
