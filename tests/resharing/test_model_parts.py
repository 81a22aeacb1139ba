"""Parts of a component: they add up, they are the same for the same seed, and frames have the golden bytes."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.resharing.model_parts import (
    hash_of_block,
    hash_of_seed,
    parse_block,
    salt_of,
    split,
)
from tests.support.model_moves import filler
from tests.support.regenerate_model_move_golden import GOLDEN_FILE, facts

SEED, SESSION = filler("a seed", 32), filler("a session", 32)
words64 = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20)


def component(words):
    return np.array(words, dtype="<i8").tobytes()


@given(words64, st.integers(1, 35))
def test_parts_add_up_to_the_component(words, parts):
    dealt = split(SEED, SESSION, (0,), component(words), parts)
    assert dealt.words.shape == (parts, len(words))
    assert dealt.words.sum(axis=0).tolist() == words
    assert len(set(dealt.salts)) == parts


def test_the_same_seed_gives_the_same_parts_and_any_other_binding_others():
    base = split(SEED, SESSION, (0, 1), component([1, 2]), 3)
    again = split(SEED, SESSION, (0, 1), component([1, 2]), 3)
    assert (base.words == again.words).all()
    assert base.salts == again.salts
    for changed in ((bytes(32), SESSION, (0, 1)), (SEED, bytes(32), (0, 1)), (SEED, SESSION, (0, 2))):
        other = split(*changed, component([1, 2]), 3)
        assert not (base.words == other.words).any()
        assert not set(base.salts) & set(other.salts)


@given(words64, st.sets(st.integers(0, 5), min_size=1))
def test_a_block_is_read_as_it_was_written(words, wanted):
    dealt = split(SEED, SESSION, (0,), component(words), 6)
    wanted = sorted(wanted)
    block = dealt.block(wanted)
    assert len(block) == len(wanted) * (8 * len(words) + 32)
    read = parse_block(memoryview(block), wanted, len(words))
    assert list(read) == wanted
    for part, (found, piece) in read.items():
        assert (found == dealt.words[part]).all()
        assert piece == dealt.salts[part]


def test_hashes_and_salts_are_bound_to_the_move_and_the_subset_and_apart():
    data = filler("data", 32)
    found = {
        f(session, subset, argument)
        for f, argument in ((hash_of_block, data), (hash_of_seed, data), (salt_of, [data]))
        for session in (SESSION, bytes(32))
        for subset in ((0,), (1,), (0, 1))
    }
    assert len(found) == 18


def test_parts_show_nothing_and_do_not_pickle():
    dealt = split(SEED, SESSION, (0,), component([1]), 2)
    assert repr(dealt) == "<Parts>"
    with pytest.raises(TypeError):
        dealt.__reduce__()


def test_a_move_has_the_golden_frames_and_commitment():
    """Every frame of a move with a stand-in, from fixed seeds: another encoding or derivation does not go unseen."""
    assert facts() == json.loads(Path(GOLDEN_FILE).read_text())
