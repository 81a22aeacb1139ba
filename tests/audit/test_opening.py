"""What a party keeps of a round: sealed to itself, it opens its commitment and nothing else does."""

from __future__ import annotations

import json
import pickle  # noqa: TID251 - to show that it refuses
import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mpc_party.audit.auditor_key import AuditorKey
from mpc_party.audit.errors import AuditError
from mpc_party.audit.opening import (
    OwnExposure,
    open_exposure,
    open_opening,
    seal_exposure,
    seal_opening,
)
from mpc_party.hedging.exposure import Exposure
from mpc_party.hedging.snapshot import Snapshot
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.identity import encrypt_for
from tests.audit.golden.regenerate import shown_opening
from tests.audit.scene import COMMITTEE, ROUND

GOLDEN = Path(__file__).parent / "golden"
EXPOSURE = OwnExposure(1.5, -2.5, 3.25, 4.0, 7)


def sealed(scene, member=2):
    return seal_opening(scene.consortium, member, scene.proposal, scene.snapshots[member], 12.5)


def encrypted(scene, opening, member=2):
    """An opening that nobody checked when it was made."""
    return encrypt_for(scene.consortium.members[member], msgspec.msgpack.encode(opening))


def refused(data, decrypt, *, match, call=open_opening):
    with pytest.raises(AuditError, match=match) as caught:
        call(data, decrypt)
    assert caught.value.reason is Reason.DISCLOSURE_INVALID
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("member", COMMITTEE)
def test_an_opening_opens_its_commitment(scene, member):
    opening = open_opening(sealed(scene, member), scene.identities[member].decrypt)
    snapshot = scene.snapshots[member]
    assert opening.commitment() == snapshot.commitment(scene.consortium.hash, ROUND, member)
    np.testing.assert_array_equal(opening.market_words(), snapshot.market)
    np.testing.assert_array_equal(opening.position_words(), snapshot.positions)
    assert opening.decoded_proposal() == scene.proposal
    assert (opening.position_scale, opening.fraction_bits) == (12.5, 16)


def test_only_its_member_opens_it(scene):
    refused(sealed(scene, 2), scene.identities[3].decrypt, match="does not decrypt")
    refused(
        seal_exposure(scene.consortium.members[2], EXPOSURE),
        scene.identities[3].decrypt,
        match="does not decrypt",
        call=open_exposure,
    )


def test_neither_shows_itself_nor_travels(scene):
    for secret in (scene.opening(2), EXPOSURE):
        shown = repr(secret) + str(secret) + f"{secret}"
        assert shown == 3 * f"<{type(secret).__name__}>"
        with pytest.raises(TypeError):
            pickle.dumps(secret)


def test_the_sealed_opening_is_small_and_says_nothing(scene):
    data = sealed(scene)
    assert len(data) < 4096
    assert scene.snapshots[2].market_salt not in data
    assert sealed(scene) != data  # encrypted anew each time


@pytest.mark.parametrize("at", [0, 30, -40, -1])
def test_a_changed_byte_is_refused(scene, at):
    data = bytearray(sealed(scene))
    data[at] ^= 1
    refused(bytes(data), scene.identities[2].decrypt, match="does not decrypt")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"version": 2}, "version 2"),
        ({"market": bytes(24)}, "do not fit"),
        ({"expiries": 2}, "do not fit"),
        ({"positions": bytes(8)}, "do not fit"),
        ({"positions": bytes(4 * 30 + 1)}, "do not fit"),
        ({"positions": bytes(8 * 30)}, "do not fit"),
        ({"proposal": b"x"}, "damaged"),
        ({"proposal": b""}, "damaged"),
        ({"proposal": zlib.compress(b"x")}, "does not decode"),
        ({"proposal": zlib.compress(bytes(10**7))}, "damaged"),  # not inflated to its end
        ({"market_salt": bytes(31)}, "malformed"),
        ({"fraction_bits": 21}, "malformed"),
        ({"position_scale": 0.0}, "malformed"),
        ({"member": 7}, "malformed"),
    ],
)
def test_what_was_not_made_by_this_program_is_refused(scene, changes, match):
    opening = msgspec.structs.replace(scene.opening(2), **changes)
    refused(encrypted(scene, opening), scene.identities[2].decrypt, match=match)


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xc1", b"\x91\xa7opening", b"\x81\xa4type\xa8exposure"])
def test_what_is_no_opening_is_refused(scene, content):
    data = encrypt_for(scene.consortium.members[2], content)
    refused(data, scene.identities[2].decrypt, match="malformed|cut off")


def test_the_size_says_nothing_of_the_positions(scene):
    """A copy of the journal would show who has none, or how many expiries are held."""
    surface, flow = scene.snapshots[2].market[:-1] / 65536, scene.snapshots[2].market[-1] / 65536
    sizes = set()
    for held in (0, 1, 30):
        positions = np.zeros(30)
        positions[:held] = scene.snapshots[2].positions[:held] / 65536
        snapshot = Snapshot(surface, flow, positions, 16)
        data = seal_opening(scene.consortium, 2, scene.proposal, snapshot, 12.5)
        sizes.add(len(scene.identities[2].decrypt(data)))  # age itself adds some random bytes in front
    assert len(sizes) == 1


@pytest.mark.parametrize("bits", [12, 20])
def test_positions_at_the_ends_of_their_range_come_back(scene, bits):
    positions = np.array([1.0, -1.0, 0.0] * 10)
    snapshot = Snapshot(np.full((3, 3), -2.0), np.full(3, 2.0), positions, bits)
    sealed_opening = seal_opening(scene.consortium, 2, scene.proposal, snapshot, 1.0)
    opening = open_opening(sealed_opening, scene.identities[2].decrypt)
    assert opening.position_words().tolist() == snapshot.positions.tolist()
    assert opening.market_words().tolist() == snapshot.market.tolist()
    assert opening.commitment() == snapshot.commitment(scene.consortium.hash, ROUND, 2)


def test_the_golden_records_open():
    expected = json.loads((GOLDEN / "opening-v1.json").read_text())
    key = AuditorKey.load(GOLDEN / "auditor.key")
    opening = open_opening((GOLDEN / "opening-v1.age").read_bytes(), key.decrypt)
    assert shown_opening(opening) == expected["opening"]
    exposure = open_exposure((GOLDEN / "exposure-v1.age").read_bytes(), key.decrypt)
    assert msgspec.structs.asdict(exposure) == expected["exposure"]


def test_an_exposure_is_no_opening_nor_the_other_way_round(scene):
    member, decrypt = scene.consortium.members[2], scene.identities[2].decrypt
    refused(seal_exposure(member, EXPOSURE), decrypt, match="malformed")
    refused(sealed(scene), decrypt, match="malformed", call=open_exposure)


def test_an_exposure_comes_back(scene):
    decrypt = scene.identities[2].decrypt
    assert open_exposure(seal_exposure(scene.consortium.members[2], EXPOSURE), decrypt) == EXPOSURE
    made = OwnExposure.of(Exposure(1.0, 2.0, 3.0, -4.0), 5)
    assert (made.delta, made.gamma, made.vega, made.scenario_loss, made.positions_left_out) == (
        1,
        2,
        3,
        -4,
        5,
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_exposure_that_is_no_number_is_refused(scene, value):
    data = seal_exposure(scene.consortium.members[2], msgspec.structs.replace(EXPOSURE, vega=value))
    refused(data, scene.identities[2].decrypt, match="no number", call=open_exposure)
