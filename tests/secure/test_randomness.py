"""Streams, seeds and key derivation."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure.randomness import Purpose, SeedSet, SeedStream, derive_key

KEY = bytes(range(32))
CONTEXT = bytes(32)


def sets(context=CONTEXT):
    seeds = [bytes([i]) * 32 for i in range(3)]  # s_i, known to parties i and i-1; lacked by party i+1
    return [
        SeedSet({c: seeds[c] for c in (i, (i + 1) % 3)}, {c: ((c + 1) % 3,) for c in range(3)}, context)
        for i in range(3)
    ]


def test_the_keystream_is_aes_256_in_counter_mode_from_zero():
    # E(0, 0) from NIST's AESAVS, E(0, 1) as in test case 13 of McGrew and Viega's GCM specification.
    expected = "dc95c078a2408989ad48a21492842087" + "530f8afbc74536b9a963b4f1c4cb738b"
    assert SeedStream(bytes(32)).words((4,)).tobytes().hex() == expected


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_way_of_drawing_gives_the_same_words(counts):
    whole = SeedStream(KEY).words((sum(counts),))
    stream = SeedStream(KEY)
    parts = [stream.words((count,)) for count in counts]
    assert np.array_equal(np.concatenate(parts), whole)
    assert len(np.unique(whole)) == len(whole)  # no word twice: 64-bit collisions do not happen in 10^5 words


def test_words_may_be_overwritten_without_changing_later_ones():
    first, second = SeedStream(KEY), SeedStream(KEY)
    first.words((10,))[:] = 0
    second.words((10,))
    assert np.array_equal(first.words((10,)), second.words((10,)))


def test_shapes():
    assert SeedStream(KEY).words(()).shape == ()
    assert SeedStream(KEY).words((2, 0, 3)).shape == (2, 0, 3)
    assert SeedStream(KEY).words((2, 3)).dtype == np.int64


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_has_32_bytes(length):
    with pytest.raises(ValueError, match="32 bytes"):
        SeedStream(bytes(length))


def test_derived_keys_are_fixed_by_version_1():
    # Two members that derive different keys from the same seed cannot compute together: this value never changes.
    key = derive_key(KEY, CONTEXT, Purpose.ZERO_WORDS, (2,))
    assert key.hex() == "7eee0564e226a3a0636d64dd168a28f2e1044347461cc28199dc57b1c860f0f9"


def test_keys_differ_by_seed_context_purpose_and_subset():
    keys = {
        derive_key(KEY, CONTEXT, Purpose.ZERO_WORDS, (2,)),
        derive_key(KEY[::-1], CONTEXT, Purpose.ZERO_WORDS, (2,)),
        derive_key(KEY, KEY, Purpose.ZERO_WORDS, (2,)),
        derive_key(KEY, CONTEXT, Purpose.ZERO_BITS, (2,)),
        derive_key(KEY, CONTEXT, Purpose.ZERO_WORDS, (1,)),
        derive_key(KEY, CONTEXT, Purpose.ZERO_WORDS, (1, 2)),
    }
    assert len(keys) == 6
    assert derive_key(KEY, CONTEXT, "seed", (2, 1)) == derive_key(KEY, CONTEXT, "seed", (1, 2))


def test_both_holders_of_a_seed_draw_the_same_words_and_purposes_are_apart():
    r0, r1, r2 = sets()
    for purpose in Purpose:
        assert np.array_equal(r0.words(1, purpose, (50,)), r1.words(1, purpose, (50,)))
        assert np.array_equal(r2.words(0, purpose, (50,)), r0.words(0, purpose, (50,)))
    drawn = np.concatenate(
        [held.words(i, purpose, (50,)) for i, held in enumerate(sets()) for purpose in Purpose]
    )
    assert len(np.unique(drawn)) == len(drawn)


def test_a_component_that_is_not_held_has_no_words():
    with pytest.raises(KeyError):
        sets()[0].words(2, Purpose.MASK_WORDS, (1,))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20_000)), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_filling_an_array_and_drawing_one_take_from_the_same_stream(draws):
    whole = SeedStream(KEY).words((sum(count for _, count in draws),))
    stream = SeedStream(KEY)
    parts = []
    for into, count in draws:
        part = np.empty(count, dtype=np.int64)
        if into:
            stream.fill(part)
        else:
            part = stream.words((count,))
        parts.append(part)
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("secret", [SeedStream(KEY), sets()[0]])
def test_seeds_hide_and_are_not_serialised(secret):
    assert "hidden" in repr(secret)
    assert KEY.hex() not in repr(secret)
    with pytest.raises(TypeError, match="not serialised"):
        copy.deepcopy(secret)
