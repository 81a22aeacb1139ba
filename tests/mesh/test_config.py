"""What a mesh is made from, and what does not make one."""

import pickle  # noqa: TID251 - to show that it is refused
from dataclasses import replace

import msgspec
import pytest

from mpc_party.mesh import MeshLimits, mesh_config
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.identity import Identity
from tests.support.mesh_parties import HASH, members

IDENTITIES = [
    Identity.generate(name, f"127.0.0.1:{4000 + index}")
    for index, name in enumerate(("anna", "bert", "carl"))
]


def consortium(*identities):
    return Consortium(
        version=2,
        name="test",
        id="00" * 32,
        epoch=0,
        threshold=1,
        broker="mqtt://127.0.0.1",
        coordinator="00" * 32,
        members=tuple(identity.member for identity in identities),
    )


def test_from_a_consortium_and_an_identity():
    config = mesh_config(consortium(*IDENTITIES), 1, IDENTITIES[1], consortium_hash=HASH)
    assert config.own == 1
    assert config.names == ("anna", "bert", "carl")
    assert config.addresses == (("127.0.0.1", 4000), ("127.0.0.1", 4001), ("127.0.0.1", 4002))
    assert len(set(config.certificates)) == 3
    assert config.consortium_hash == HASH


def test_another_members_identity_is_refused():
    with pytest.raises(ConfigError) as caught:
        mesh_config(consortium(*IDENTITIES), 1, IDENTITIES[2], consortium_hash=HASH)
    assert caught.value.reason is Reason.KEY_UNKNOWN


def test_addresses_and_certificates_that_do_not_parse_are_refused():
    whole = consortium(*IDENTITIES)
    for changes in ({"mesh_address": "nowhere"}, {"certificate": "no PEM"}):
        broken = msgspec.structs.replace(whole.members[0], **changes)
        bad = msgspec.structs.replace(whole, members=(broken, *whole.members[1:]))
        with pytest.raises(ConfigError):
            mesh_config(bad, 1, IDENTITIES[1], consortium_hash=HASH)


@pytest.mark.parametrize(
    "changes",
    [
        {"own": 3},
        {"own": -1},
        {"consortium_hash": bytes(31)},
        {"names": ("anna", "anna", "carl")},
        {"names": ("anna", "bert")},
        {"addresses": ()},
    ],
)
def test_inconsistent_values_are_refused(changes):
    with members(3) as everyone, pytest.raises(ConfigError):
        replace(everyone.config(0), **changes)


def test_two_members_with_one_certificate_are_refused():
    with members(3) as everyone, pytest.raises(ConfigError, match="share"):
        everyone.config(0, certificates=(everyone.credentials[0].der,) * 3)


@pytest.mark.parametrize(
    "changes", [{"max_payload": 10}, {"max_payload": 2**32}, {"handshake_seconds": 0}, {"max_handshakes": 0}]
)
def test_limits_that_make_no_sense_are_refused(changes):
    with pytest.raises(ConfigError):
        MeshLimits(**changes)


def test_a_config_neither_shows_nor_gives_away_how_to_reach_the_key():
    with members(2) as everyone:
        config = everyone.config(0)
        assert "load_credentials" not in repr(config)
        with pytest.raises(TypeError, match="not serialised"):
            pickle.dumps(config)
