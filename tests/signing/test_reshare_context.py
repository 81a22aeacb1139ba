"""What a resharing is bound to: what does not fit is refused, and every part changes the session."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.signing import PublicKeyMaterial, ReshareContext, SigningError
from tests.support.consortium import complete, make_cast
from tests.support.reshare_runs import move, shaped
from tests.support.signing_parties import key_shares

CEREMONY = b"\x09" * 32


@pytest.fixture(scope="module")
def files():
    """A file of four members with a key, and one of the next epoch in which erin comes for bob."""
    cast, more = make_cast(4), make_cast(5)
    old = complete(cast)
    members = (old.members[0], old.members[3], more.consortium.members[4], old.members[2])
    return old, msgspec.structs.replace(old, epoch=2, members=members, key=None)


def test_the_cast_has_the_old_members_first_and_then_who_joins(files):
    old, new = files
    context = ReshareContext.between(old, new, CEREMONY)
    assert context.names == ("alice", "bob", "carol", "dave", "erin")
    assert context.old_seats == (0, 1, 2, 3, None)
    assert context.new_seats == (0, None, 3, 1, 2)
    assert context.receivers == (0, 3, 4, 2)
    assert context.dealers == (0, 1)
    assert context.participants == (0, 1, 2, 3, 4)
    assert context.old == PublicKeyMaterial.of_consortium(old)
    assert (context.consortium_hash, context.roster_hash) == (old.hash, new.roster_hash)


def test_an_old_member_may_be_absent_and_others_deal(files):
    old, new = files
    context = ReshareContext.between(old, new, CEREMONY, absent=["bob"])
    assert context.participants == (0, 2, 3, 4)
    assert context.dealers == (0, 2)
    with pytest.raises(SigningError, match="of the new epoch is absent"):
        ReshareContext.between(old, new, CEREMONY, absent=["alice"])


def test_a_name_with_another_signing_key_is_another_member(files):
    old, new = files
    other = make_cast(1).consortium.members[0]
    context = ReshareContext.between(
        old, msgspec.structs.replace(new, members=(other, *new.members[1:])), CEREMONY
    )
    assert context.old_seats == (0, 1, 2, 3, None, None)
    assert context.new_seats == (None, None, 3, 1, 0, 2)


def test_a_file_without_a_key_cannot_be_reshared(files):
    with pytest.raises(ConfigError) as raised:
        ReshareContext.between(files[1], files[1], CEREMONY)
    assert raised.value.reason is Reason.CONSORTIUM_INCOMPLETE


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"threshold": 2}, "2t < n"),
        ({"threshold": 0}, "2t < n"),
        ({"epoch": 3}, "does not follow"),
        ({"dealers": (0,)}, "not t\\+1"),
        ({"dealers": (0, 1, 2)}, "not t\\+1"),
        ({"dealers": (1, 0)}, "ascending"),
        ({"dealers": (0, 4)}, "not t\\+1"),  # a joiner
        ({"participants": (0, 1, 2, 3)}, "is absent"),
        ({"participants": (4, 3, 2, 1, 0)}, "ascending"),
        ({"participants": (0, 1, 2, 3, 4, 5)}, "not of the cast"),
        ({"old_seats": (0, 1, 2, None, None)}, "old seats"),
        ({"old_seats": (0, 1, 2, 2, None)}, "old seats"),
        ({"old_seats": (0, 1, 2)}, "no seats"),
        ({"new_seats": (0, 1, 2, None, 4)}, "2t < n"),
    ],
)
def test_what_the_protocol_cannot_run_on_is_refused(changes, text):
    context = shaped("4/1 -> 4/1, one replaced").context
    with pytest.raises(SigningError, match=text) as raised:
        replace(context, **changes)
    assert raised.value.reason is Reason.RESHARE_FAILED


@pytest.mark.parametrize(
    ("members", "threshold", "absent", "fits"),
    [(3, 1, 1, True), (3, 1, 2, False), (5, 1, 2, True), (5, 1, 3, False), (5, 2, 2, True), (5, 2, 3, False)],
)
def test_the_absent_could_not_sign_by_themselves(members, threshold, absent, fits):
    def attempt():
        newcomers = range(members, members + 3)
        return move(key_shares(members, threshold), newcomers, 1, range(members - absent, members))

    if fits:
        assert absent < 2 * threshold + 1
        attempt()
    else:
        with pytest.raises(SigningError, match=r"take part|not t"):
            attempt()


def test_every_part_changes_the_session():
    context = shaped("4/1 -> 4/1, one replaced").context
    other_key = PublicKeyMaterial.of(key_shares(4, 1)[0])
    changes = [
        {},
        {"consortium_hash": CEREMONY},
        {"old": replace(other_key, epoch=1)},
        {"old": replace(other_key, public_key=key_shares(3, 1)[0].public_key, public_shares=key_shares(3, 1)[0].public_shares),
         "old_seats": (0, 1, 2, None, None)},
        {"roster_hash": CEREMONY},
        {"epoch": 9},
        {"new_seats": (1, 0, 2, None, 3)},
        {"dealers": (0, 2)},
        {"participants": (0, 1, 2, 4)},
        {"ceremony": CEREMONY},
    ]  # fmt: skip
    assert len({replace(context, **change).session for change in changes}) == len(changes)
    wider = move(key_shares(5, 1), range(5), 1).context
    assert wider.session != replace(wider, threshold=2).session


def test_public_material_that_lies_on_no_polynomial_is_refused():
    good = PublicKeyMaterial.of(key_shares(4, 1)[0])
    other = key_shares(3, 1)[0]
    for change in (
        {"public_key": other.public_key},
        {"public_shares": (*good.public_shares[:3], other.public_shares[0])},
        {"threshold": 2},
        {"threshold": 0},
        {"public_key": b"\x02" + bytes(32)},
    ):
        with pytest.raises(ValueError, match=r"do not|not a point"):
            replace(good, **change)
    assert good.fits(key_shares(4, 1)[3])
    assert not good.fits(other)
