from pathlib import Path

import msgspec
import pytest

from mpc_party.member.home import PURPOSE_KEY_SHARE, BrokerSettings, DeskSettings, PartyHome, Settings
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.keystore import seal
from mpc_party.protocol.passphrase import Passphrase
from tests.support.party_homes import SECRET


def refused(reason, match, call, *arguments):
    with pytest.raises(ConsortiumError, match=match) as caught:
        call(*arguments)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)


def test_an_empty_folder_names_the_next_command(tmp_path):
    home = PartyHome(tmp_path / "none")
    refused(Reason.CONFIG_INVALID, "mpc-party init", home.identity, SECRET)
    refused(Reason.CONSORTIUM_INCOMPLETE, "mpc-party join", home.consortium)
    assert home.settings() == Settings()
    assert not home.path.exists()


def test_a_home_of_nobody(tmp_path):
    refused(Reason.CONFIG_INVALID, "--home", PartyHome.at, Path("~no-such-user/x"))
    assert PartyHome.at(Path("~/x")).path == Path.home() / "x"


def test_a_complete_folder_opens(world):
    home = world.home("bob")
    identity, consortium = home.identity(SECRET), home.consortium()
    own = identity.require_member(consortium)
    assert (identity.name, own) == ("bob", 1)
    assert home.key_share(SECRET, consortium, own).public_key.hex() == consortium.key.public_key
    assert home.model_share(identity, consortium, own).commitment.hex() == consortium.model


def test_each_ceremony_has_a_pending_folder_of_its_own(world):
    assert world.home("bob").pending_folder(bytes(range(32))) == world.home("bob").path / "pending-00010203"


def test_a_wrong_passphrase(world):
    home = world.home("bob")
    wrong = Passphrase("wrong")
    refused(Reason.PASSPHRASE_WRONG, "passphrase is wrong", home.identity, wrong)
    refused(Reason.PASSPHRASE_WRONG, "passphrase is wrong", home.key_share, wrong, world.consortium, 1)


def test_a_lost_key_share_is_not_answered_with_another_ceremony(world):
    home = world.home("bob")
    home.key_share_file.unlink()
    refused(Reason.CONSORTIUM_INCOMPLETE, "backup", home.key_share, SECRET, world.consortium, 1)


def test_anothers_key_share_is_refused(world):
    home = world.home("bob")
    home.key_share_file.write_bytes(world.home("carol").key_share_file.read_bytes())
    refused(Reason.CONSORTIUM_MISMATCH, "not this member's", home.key_share, SECRET, world.consortium, 1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        lambda data: data + b"\0",
        lambda _: b"",
        lambda _: b"\xff" * 500,
        lambda _: bytes(70_000),
        lambda _: seal(b"not a share", SECRET, PURPOSE_KEY_SHARE),
        lambda _: seal(b"", SECRET, PURPOSE_KEY_SHARE),
        lambda _: seal(b"x", SECRET, "member identity"),
    ],
)
def test_a_damaged_or_hostile_keystore_is_one_line(world, damage):
    home = world.home("bob")
    for file, call in (
        (home.key_share_file, lambda: home.key_share(SECRET, world.consortium, 1)),
        (home.identity_file, lambda: home.identity(SECRET)),
    ):
        file.write_bytes(damage(file.read_bytes()))
        with pytest.raises(ConsortiumError) as caught:
            call()
        assert caught.value.reason in {Reason.CONFIG_INVALID, Reason.PASSPHRASE_WRONG}
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:300] + bytes([data[300] ^ 1]) + data[301:],
        lambda _: b"",
        lambda _: b"age-encryption.org/v1\n-> X25519 x\n",
        lambda _: b"\0" * 10_000,
    ],
)
def test_a_damaged_model_share_is_one_line(world, damage):
    home = world.home("bob")
    home.model_share_file.write_bytes(damage(home.model_share_file.read_bytes()))
    refused(Reason.MODEL_MISMATCH, "model share", home.model_share, world.identities[1], world.consortium, 1)


def test_a_folder_in_place_of_a_file(world):
    home = world.home("bob")
    for file in (home.identity_file, home.key_share_file, home.settings_file, home.consortium_file):
        file.unlink(missing_ok=True)
        file.mkdir()
    for call in (
        lambda: home.identity(SECRET),
        lambda: home.key_share(SECRET, world.consortium, 1),
        home.settings,
        home.consortium,
    ):
        refused(Reason.CONFIG_INVALID, "not a regular file|directory", call)


def settings(tmp_path, text):
    (tmp_path / "party.toml").write_text(text)
    return PartyHome(tmp_path).settings()


def test_settings(tmp_path):
    text = """
market = "recorded:~/chain.csv.gz"
listen = "0.0.0.0:7443"
[desk]
seed = "mine"
coverage = 1
[broker]
url = "mqtts://broker:8883"
username = "alice"
"""
    assert settings(tmp_path, text) == Settings(
        market="recorded:~/chain.csv.gz",
        listen="0.0.0.0:7443",
        desk=DeskSettings("mine", 1.0),
        broker=BrokerSettings("mqtts://broker:8883", "alice"),
    )


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("market = 1", "market"),
        ("markets = 'simulated:1'", "markets"),
        ('market = "recorded:a\\u0000b"', "market"),
        ('market = ""', "market"),
        ('[broker]\nca_file = "a\\u0000"', "ca_file"),
        ('[broker]\npassword_file = "a\\nb"', "password_file"),
        ("[desk]\ncoverage = 'all'", "coverage"),
        ("[desk]\nseed = 7", "seed"),
        ("desk = 1", "desk"),
        ("market = 'a'\nmarket = 'b'", ""),
        ("a" * 3000, "line 1"),
        (f"x = {'[' * 1000}{']' * 1000}", ""),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), ""),
    ],
)
def test_wrong_settings_name_the_field_in_one_line(tmp_path, text, field):
    refused(Reason.CONFIG_INVALID, f"party.toml.*{field}", settings, tmp_path, text)


def test_no_secret_in_a_repr():
    assert "mine" not in repr(DeskSettings("mine"))
    assert "mine" not in repr(Settings(desk=DeskSettings("mine")))


def test_settings_that_are_not_text(tmp_path):
    (tmp_path / "party.toml").write_bytes(b"\xff\xfe")
    refused(Reason.CONFIG_INVALID, "UTF-8", PartyHome(tmp_path).settings)


def test_structs_refuse_what_they_do_not_know():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"seeds": 1}, DeskSettings)
