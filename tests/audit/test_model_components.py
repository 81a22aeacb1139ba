"""The model put together from disclosed shares: any t + 1 members' give the weights dealt."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.protocol.model_share import ModelShareError, check_share, reconstruct, share_content
from tests.support.model_shares import decryptor, make_dealt

WORDS = [0, 1, -1, 65_536, -(2**63), 2**63 - 1]


def contents(dealt):
    pairs = zip(dealt.files, dealt.identities, strict=True)
    return [share_content(file, decryptor(identity)) for file, identity in pairs]


def checked(dealt):
    return [
        check_share(content, member=member, commitment=dealt.commitment)
        for member, content in enumerate(contents(dealt))
    ]


@pytest.mark.parametrize(("members", "threshold"), [(3, 1), (4, 1), (5, 2), (7, 3)])
def test_any_quorum_gives_the_weights_and_fewer_do_not(members, threshold):
    shares = checked(make_dealt(members, threshold, WORDS))
    for quorum in itertools.combinations(shares, threshold + 1):
        assert reconstruct(quorum) == WORDS
    for few in itertools.combinations(shares, threshold):
        with pytest.raises(ModelShareError, match=f"{threshold + 1} members"):
            reconstruct(few)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
def test_all_ring_integers_come_back(words):
    assert reconstruct(checked(make_dealt(3, 1, words))[1:]) == words


def test_shares_of_two_models_are_not_mixed():
    first, second = checked(make_dealt(3, 1, WORDS)), checked(make_dealt(3, 1, WORDS))
    with pytest.raises(ModelShareError, match="several models"):
        reconstruct([first[0], second[1]])
    with pytest.raises(ModelShareError, match="none"):
        reconstruct([])


def test_a_changed_bit_anywhere_is_refused():
    """Content that decodes at all fails at its component's hash, or at the commitment."""
    dealt = make_dealt(3, 1, [5, -7])
    content = contents(dealt)[0]
    for at in range(len(content)):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        with pytest.raises(ModelShareError):
            check_share(changed, member=0, commitment=dealt.commitment)


def test_content_is_for_its_member_only():
    dealt = make_dealt(3, 1, WORDS)
    with pytest.raises(ModelShareError, match="for member 0, not 1"):
        check_share(contents(dealt)[0], member=1, commitment=dealt.commitment)
    with pytest.raises(ModelShareError, match="does not decrypt"):
        share_content(dealt.files[0], decryptor(dealt.identities[1]))
