"""What may differ between two consortium files, and who takes part when one follows the other."""

from __future__ import annotations

import msgspec
import pytest

from mpc_party.protocol.consortium import Program, Settlement
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.resharing.cast import cast_of
from mpc_party.resharing.successor import check_successor, fewest_old, successor
from tests.support.ceremonies import founded, identities, next_of

replace = msgspec.structs.replace


def test_a_successor_changes_what_may_change():
    old = founded()
    new = successor(
        old,
        keep=["alice", "carol"],
        joining=[identities()[3].member, identities()[4].member],
        broker="mqtts://elsewhere:8883",
        coordinator="11" * 32,
    )
    assert new.names == ("alice", "carol", "dave", "erin")
    assert (new.epoch, new.threshold, new.key, new.model) == (2, 1, None, None)
    assert (new.id, new.name, new.program, new.settlement) == (
        old.id,
        old.name,
        old.program,
        old.settlement,
    )
    check_successor(old, new)


def test_a_refresh_is_the_same_members_an_epoch_later():
    old = founded()
    new = successor(old)
    assert new == replace(old, epoch=2, key=None, model=None)


def test_a_new_card_of_a_member_that_stays_renews_its_entry():
    old = founded()
    moved = replace(identities()[1].member, mesh_address="127.0.0.1:7999")
    new = successor(old, joining=[moved])
    assert new.names == old.names
    assert new.members[1].mesh_address == "127.0.0.1:7999"
    assert cast_of(old, new).members[1].mesh_address == "127.0.0.1:7999"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "22" * 32}, "id"),
        ({"name": "others"}, "name"),
        ({"program": Program(degree=8)}, "program"),
        ({"settlement": None}, "settlement"),
        ({"settlement": Settlement(1, "0x" + "00" * 19 + "02")}, "settlement"),
        ({"epoch": 1}, "epoch"),
        ({"epoch": 3}, "epoch"),
        ({"model": "00" * 32}, "model"),
        ({"key": "old"}, "key"),
    ],
)
def test_a_field_that_must_not_differ_is_named(change, field):
    old = founded()
    if change.get("key") == "old":
        change = {"key": old.key}
    with pytest.raises(ConfigError, match=f"^{field}:") as caught:
        check_successor(old, replace(successor(old), **change))
    assert caught.value.reason is Reason.CONSORTIUM_MISMATCH
    assert caught.value.remedy


@pytest.mark.parametrize("field", ["name", "signing_key"])
def test_a_name_or_a_key_does_not_pass_to_another(field):
    old = founded()
    taken = replace(identities()[3].member, **{field: getattr(old.members[1], field)})
    new = successor(old, keep=["alice", "carol"], joining=[identities()[3].member])
    new = replace(new, members=(*new.members[:2], taken))
    with pytest.raises(ConfigError, match=rf"members\[2\]\.{field}: was that of another member \(bob\)"):
        check_successor(old, new)


def test_without_a_key_there_is_nothing_to_hand_over():
    old = founded()
    with pytest.raises(ConfigError, match="mpc-party keygen") as caught:
        check_successor(replace(old, key=None), successor(old))
    assert caught.value.reason is Reason.CONSORTIUM_INCOMPLETE


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"keep": ["zoe"]}, "zoe"),
        ({"keep": ["alice", "bob"]}, "members: 2"),
        ({"threshold": 2}, "threshold"),
    ],
)
def test_a_successor_keeps_the_rules_of_the_file(arguments, match):
    with pytest.raises(ConfigError, match=match):
        successor(founded(), **arguments)


def test_the_cast_is_the_old_members_then_the_joiners():
    old = founded()
    cast = cast_of(old, next_of(old, ("alice", "carol", "dave", "erin")))
    assert cast.names == ("alice", "bob", "carol", "dave", "erin")
    assert cast.old_index == (0, 1, 2, None, None)
    assert cast.new_index == (0, None, 1, 2, 3)
    assert cast.participants == (0, 1, 2, 3, 4)
    assert cast.dealers(1) == (0, 1)
    assert cast.seat_of(identities()[3].member) == 3


def test_absent_members_leave_their_seats_empty():
    old = founded()
    new = next_of(old, ("bob", "carol", "dave"))
    cast = cast_of(old, new, ["alice"])
    assert (cast.participants, cast.present_old, cast.dealers(1)) == ((1, 2, 3), (1, 2), (1, 2))
    assert cast.absent == ("alice",)
    assert cast.meeting(old, new) != cast_of(old, new).meeting(old, new)
    with pytest.raises(ConfigError, match="takes no part"):
        cast.seat_of(identities()[0].member)


def test_the_absent_could_not_sign_on():
    """2t+1 of them could: so with five members and t = 1, three must take part, and with three, two that deal."""
    assert [fewest_old(founded(count)) for count in (3, 4, 5)] == [2, 2, 3]
    old = founded(5)
    new = next_of(old, ("alice", "bob", "carol"))
    cast_of(old, new, ["dave", "erin"])
    three = founded()
    with pytest.raises(ConfigError, match="1 members of epoch 1 take part, at least 2 of 3 must"):
        cast_of(three, next_of(three, ("carol", "dave", "erin")), ["alice", "bob"])


def test_who_is_in_the_next_epoch_cannot_be_absent():
    old = founded()
    with pytest.raises(ConfigError, match="alice is in the next file"):
        cast_of(old, successor(old), ["alice"])
    with pytest.raises(ConfigError, match="zoe"):
        cast_of(old, successor(old), ["zoe"])


def test_a_joiner_does_not_meet_a_leaver_at_its_address():
    old = founded()
    there = replace(identities()[3].member, mesh_address=old.members[1].mesh_address)
    new = successor(old, keep=["alice", "carol"], joining=[there])
    with pytest.raises(ConfigError, match=r"members\.mesh_address"):
        cast_of(old, new)
    cast_of(old, new, ["bob"])  # who is absent is not met
