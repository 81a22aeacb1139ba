import pytest

from mpc_party.protocol.errors import Reason
from mpc_party.signing.echo import compare_echoes, hash_broadcasts
from mpc_party.signing.errors import SigningError

NAMES = ("ann", "bob", "cat")
HEARD = hash_broadcasts({0: [b"a"], 1: [b"b"], 2: [b"c"]})
OTHER = hash_broadcasts({0: [b"x"], 1: [b"y"], 2: [b"z"]})


def outcome(echoes):
    with pytest.raises(SigningError) as raised:
        compare_echoes(0, (0, 1, 2), HEARD, echoes, NAMES)
    assert raised.value.reason is Reason.ECHO_MISMATCH
    return raised.value


def test_equal_views_pass():
    compare_echoes(0, (0, 1, 2), HEARD, {1: HEARD, 2: HEARD}, NAMES)


def test_a_peer_that_misreports_what_this_member_said_is_at_fault():
    assert outcome({1: HEARD, 2: (OTHER[0], *HEARD[1:])}).culprit == "cat"


def test_a_peer_that_contradicts_itself_is_at_fault():
    assert outcome({1: HEARD, 2: (*HEARD[:2], OTHER[2])}).culprit == "cat"


def test_two_peers_that_disagree_about_a_third_name_no_culprit_but_both_suspects():
    error = outcome({1: (*HEARD[:2], OTHER[2]), 2: HEARD})
    assert error.culprit is None
    assert "cat" in error.message
    assert "bob" in error.message


def test_a_certain_culprit_is_named_before_a_doubtful_one():
    assert outcome({1: (*HEARD[:2], OTHER[2]), 2: (OTHER[0], *HEARD[1:])}).culprit == "cat"


@pytest.mark.parametrize("count", [0, 2, 4])
def test_an_echo_of_another_length_is_refused(count):
    assert outcome({1: (*HEARD, HEARD[0])[:count], 2: HEARD}).culprit == "bob"


def test_the_hash_of_several_messages_does_not_depend_on_where_one_ends():
    assert hash_broadcasts({0: [b"ab", b"c"]}) != hash_broadcasts({0: [b"a", b"bc"]})
    assert hash_broadcasts({0: [b"abc"]}) != hash_broadcasts({0: [b"ab", b"c"]})


def test_members_are_hashed_in_ascending_order():
    assert hash_broadcasts({2: [b"c"], 0: [b"a"], 1: [b"b"]}) == HEARD
