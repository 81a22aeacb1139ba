"""A disclosure's file: for one auditor, from one member, of one version, and never with the positions."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pyrage
import pytest

from mpc_party.audit.auditor_key import AuditorKey
from mpc_party.audit.disclosure import DOMAIN, Disclosure, _Signed, open_disclosure, seal_disclosure
from mpc_party.audit.errors import AuditError
from mpc_party.protocol.consortium import Member
from mpc_party.protocol.errors import ConfigError, Reason
from tests.audit.golden.regenerate import readable

GOLDEN = Path(__file__).parent / "golden"
FIELDS = Disclosure.__struct_fields__


def refused(data, key, members, *, match, culprit=None):
    with pytest.raises(AuditError, match=match) as caught:
        open_disclosure(data, key, members)
    assert caught.value.reason is Reason.DISCLOSURE_INVALID
    assert caught.value.culprit == culprit
    assert "\n" not in str(caught.value)


def wrapped(scene, body, signature):
    """Encrypted to the auditor, whatever it is."""
    recipient = pyrage.x25519.Recipient.from_str(scene.auditor.recipient)
    return pyrage.encrypt(msgspec.msgpack.encode(_Signed(body, signature)), [recipient])


def test_the_golden_file_opens():
    expected = json.loads((GOLDEN / "disclosure-v1.json").read_text())
    key = AuditorKey.load(GOLDEN / "auditor.key")
    members = [Member(name, signing, "", "", "", "") for name, signing in expected["members"]]
    disclosure = open_disclosure((GOLDEN / "disclosure-v1.age").read_bytes(), key, members)
    assert readable(disclosure) == expected["disclosure"]
    assert disclosure.commitment().hex() == expected["commitment"]


def test_a_disclosure_comes_back_as_it_was(scene):
    disclosure = scene.disclosure(2)
    assert scene.opened(disclosure) == disclosure
    assert disclosure.commitment() == scene.commitments[1]
    assert repr(disclosure) == "<Disclosure>"


def test_positions_are_in_no_field(scene):
    opening, disclosure = scene.opening(2), scene.disclosure(2)
    encoded = msgspec.msgpack.encode(disclosure)
    assert opening.market in encoded  # what is looked for would be found
    assert opening.positions not in encoded
    assert opening.positions[:16] not in encoded
    assert opening.positions_salt not in encoded
    assert disclosure.positions_leaf == opening.positions_leaf()


def test_another_auditors_key_does_not_open_it(scene):
    data = scene.sealed(scene.disclosure(2))
    refused(data, AuditorKey.generate(), scene.consortium.members, match="does not open with this auditor")


def test_an_auditor_cannot_pass_it_on_as_made_for_another(scene):
    """The body names its auditor: encrypting it again does not change whom it was signed for."""
    second = AuditorKey.generate()
    plain = scene.auditor.decrypt(scene.sealed(scene.disclosure(2)))
    recipient = pyrage.x25519.Recipient.from_str(second.recipient)
    refused(pyrage.encrypt(plain, [recipient]), second, scene.consortium.members, match="for another auditor")


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_is_signed(scene, field):
    """A change after the signature is refused and convicts nobody: whoever has the key could have made it."""
    made = scene.disclosure(2)
    body = msgspec.msgpack.encode(made)
    value = getattr(made, field)
    changed = {
        int: lambda v: v + 1,
        str: lambda v: v + "x",
        bytes: lambda v: bytes([v[0] ^ 1]) + v[1:],
        tuple: lambda v: v[::-1],
    }[type(value)](value)
    altered = msgspec.msgpack.encode(msgspec.structs.replace(made, **{field: changed}))
    assert altered != body
    data = wrapped(scene, altered, scene.identities[2].sign(DOMAIN + body))
    refused(data, scene.auditor, scene.consortium.members, match="signature|version 2")


def test_somebody_elses_signature_convicts_nobody(scene):
    data = scene.sealed(scene.disclosure(2), signer=3)
    refused(
        data, scene.auditor, scene.consortium.members, match="charlie's, whose signature it does not bear"
    )


def test_a_signature_in_another_domain_is_none(scene):
    body = msgspec.msgpack.encode(scene.disclosure(2))
    for statement in (body, b"mpc-hedge/envelope/v1" + body):
        data = wrapped(scene, body, scene.identities[2].sign(statement))
        refused(data, scene.auditor, scene.consortium.members, match="signature")


def test_a_later_version_is_refused(scene):
    data = scene.sealed(scene.disclosure(2, version=2))
    refused(data, scene.auditor, scene.consortium.members, match="version 2")


def test_a_member_that_does_not_exist_is_refused(scene):
    data = scene.sealed(scene.disclosure(3))
    refused(data, scene.auditor, scene.consortium.members[:3], match="member 3 of 3")


@pytest.mark.parametrize("market", [b"", bytes(8), bytes(25)])
def test_market_words_of_an_odd_length_name_who_signed_them(scene, market):
    data = scene.sealed(scene.disclosure(2, market=market))
    refused(data, scene.auditor, scene.consortium.members, match="bytes of market words", culprit="charlie")


@pytest.mark.parametrize("plain", [b"", b"\xc0", b"\x93\x01\x02\x03"])
def test_what_is_no_disclosure_is_refused(scene, plain):
    recipient = pyrage.x25519.Recipient.from_str(scene.auditor.recipient)
    data = pyrage.encrypt(plain, [recipient])
    refused(data, scene.auditor, scene.consortium.members, match="not a disclosure")


def test_another_encoding_of_the_same_disclosure_is_refused(scene):
    body = msgspec.msgpack.encode(scene.disclosure(2))
    assert body[0] == 0x9D  # an array of 13
    longer = b"\xdc\x00\x0d" + body[1:]
    data = wrapped(scene, longer, scene.identities[2].sign(DOMAIN + longer))
    refused(data, scene.auditor, scene.consortium.members, match="canonical")


@pytest.mark.parametrize("auditor", ["", "age1", "not a key", "AGE1QQ"])
def test_an_auditor_that_is_no_recipient_is_refused(scene, auditor):
    with pytest.raises(ConfigError, match="age recipient"):
        seal_disclosure(scene.disclosure(2, auditor=auditor), scene.identities[2])
