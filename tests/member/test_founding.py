import pytest

from mpc_party.member import founding
from mpc_party.member.founding import require_no_identity, store_identity
from mpc_party.member.home import PartyHome
from mpc_party.protocol.card import load_card
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.identity import Identity
from tests.support.party_homes import SECRET, contents


@pytest.fixture(scope="module")
def identity():
    return Identity.generate("alice", "127.0.0.1:7001")


def test_keys_and_card_for_the_owner_alone(identity, tmp_path):
    home = PartyHome(tmp_path / "a" / "b")
    card = store_identity(home, identity, SECRET)
    assert card == home.path / "alice.member.toml"
    assert load_card(card) == identity.card()
    assert home.identity(SECRET).member == identity.member
    assert home.path.stat().st_mode & 0o077 == 0
    assert home.identity_file.stat().st_mode & 0o777 == 0o600
    assert set(contents(home.path)) == {"alice.member.toml", "identity.keystore"}


def test_keys_are_never_replaced(identity, tmp_path):
    home = PartyHome(tmp_path)
    store_identity(home, identity, SECRET)
    before = contents(tmp_path)
    for attempt in (lambda: require_no_identity(home), lambda: store_identity(home, identity, SECRET)):
        with pytest.raises(ConfigError, match="has an identity already; keep it"):
            attempt()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("failure", [ConfigError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("fresh", [True, False])
def test_without_its_card_there_are_no_keys_either(identity, tmp_path, monkeypatch, failure, fresh):
    def fail(*_):
        raise failure

    home = PartyHome(tmp_path / "home")
    if not fresh:
        home.path.mkdir()
        (home.path / "party.toml").write_text("")
    before = contents(tmp_path)
    monkeypatch.setattr(founding, "save_card", fail)
    with pytest.raises(type(failure)):
        store_identity(home, identity, SECRET)
    assert contents(tmp_path) == before


def test_a_second_init_at_the_same_moment_does_not_take_the_firsts_keys(identity, tmp_path, monkeypatch):
    """Both have seen an empty folder; the one that writes later fails and leaves the other's files alone."""
    home = PartyHome(tmp_path)
    other = Identity.generate("alice", "127.0.0.1:7002")
    monkeypatch.setattr(founding, "require_no_identity", lambda _: None)
    store_identity(home, identity, SECRET)
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match="exists already"):
        store_identity(home, other, SECRET)
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_made(identity, tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="cannot make the folder"):
            store_identity(PartyHome(path), identity, SECRET)
    assert list(contents(tmp_path)) == ["file"]
