import pytest

from mpc_party.journal import Journal
from mpc_party.market import HestonMarket, MarketDataError, SimulatedMarket, open_source
from mpc_party.member import running
from mpc_party.member.home import BrokerSettings, DeskSettings, Settings
from mpc_party.member.running import (
    Options,
    broker_credentials,
    desk_view,
    flow_source,
    positions_file,
    run_until_interrupted,
)
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.passphrase import Passphrase
from tests.support.party_homes import SECRET, at_stage, contents, make_world, without

MARKET = Options(market="simulated:3")


def test_the_command_line_comes_before_the_settings():
    settings = Settings(market="simulated:1", desk=DeskSettings("mine", 0.5, 0.02))
    view = desk_view(settings, Options())
    assert isinstance(view.source, SimulatedMarket)
    assert (view.seed, view.coverage, view.noise) == ("mine", 0.5, 0.02)
    view = desk_view(settings, Options("simulated:2", desk_seed="other", coverage=1.0, noise=0.0))
    assert (view.seed, view.coverage, view.noise) == ("other", 1.0, 0.0)


@pytest.mark.parametrize("options", [MARKET, Options("simulated:3", desk_seed="")])
def test_without_a_seed_a_desks_view_is_its_own_and_new(options):
    """Everybody could draw the view of a seed that is written here."""
    seeds = {desk_view(Settings(), options).seed for _ in range(3)}
    assert len(seeds) == 3
    assert all(len(seed) == 32 for seed in seeds)


@pytest.mark.parametrize(
    ("coverage", "noise"), [(0.0, 0.0), (1.1, 0.0), (-1.0, 0.0), (float("nan"), 0.0), (1.0, -0.1), (1.0, 2.0)]
)
def test_numbers_of_no_desk(coverage, noise):
    with pytest.raises(ConfigError, match="coverage must be"):
        desk_view(Settings(), Options("simulated:1", desk_seed="s", coverage=coverage, noise=noise))


def test_no_market_names_the_option():
    with pytest.raises(ConfigError, match="--market"):
        desk_view(Settings(), Options())


def test_credentials_from_the_settings_or_else_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MPC_BROKER_USERNAME", "from the environment")
    monkeypatch.setenv("MPC_BROKER_PASSWORD", "p")
    assert broker_credentials(BrokerSettings(url="mqtt://x")).username == "from the environment"
    (tmp_path / "password").write_text("secret \n")
    monkeypatch.setenv("HOME", str(tmp_path))
    found = broker_credentials(
        BrokerSettings(username="alice", password_file="~/password", ca_file="~/ca.pem")
    )
    assert (found.username, found.password) == ("alice", "secret ")
    assert found.ca_file == str(tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match=r"broker password .*no such file"):
        broker_credentials(BrokerSettings(username="alice", password_file="~/none"))
    with pytest.raises(ConfigError):
        broker_credentials(BrokerSettings(password_file="~/password"))


def refused(home, reason, match, options=MARKET, passphrase=SECRET):
    """Refused before anything is started or written."""
    before = contents(home.path)
    with pytest.raises(ConsortiumError, match=match) as caught:
        run_until_interrupted(home, passphrase, options)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)
    assert contents(home.path) == before


@pytest.mark.parametrize(
    ("drop", "command"),
    [
        (("key", "model", "settlement"), "mpc-party keygen"),
        (("model", "settlement"), "mpc-models deal"),
        (("settlement",), "mpc-coordinator deploy"),
    ],
)
def test_an_incomplete_consortium_names_the_command_that_completes_it(world, drop, command):
    home = at_stage(world.home("bob"), without(world.consortium, *drop), key=True, model=True)
    refused(home, Reason.CONSORTIUM_INCOMPLETE, command)


def test_whatever_is_missing_or_wrong_is_found_before_the_journal_is_made(world, tmp_path):
    other = make_world(tmp_path / "other")
    home, theirs, carol = world.home("bob"), other.home("bob"), world.home("carol")
    refused(home, Reason.PASSPHRASE_WRONG, "passphrase", passphrase=Passphrase("no"))
    refused(home, Reason.CONFIG_INVALID, "no market source", Options())
    refused(home, Reason.CONFIG_INVALID, "no market source 'nonsense'", Options("nonsense"))
    refused(home, Reason.MARKET_DATA_INVALID, "no such file", Options("recorded:/nowhere.csv"))
    for file, copy, reason, match in (
        (home.model_share_file, theirs.model_share_file, Reason.MODEL_MISMATCH, "does not decrypt"),
        (home.key_share_file, theirs.key_share_file, Reason.CONSORTIUM_MISMATCH, "not this member's"),
        (home.key_share_file, carol.key_share_file, Reason.CONSORTIUM_MISMATCH, "not this member's"),
        (home.consortium_file, theirs.consortium_file, Reason.KEY_UNKNOWN, "not that of this identity"),
        (home.identity_file, carol.identity_file, Reason.MODEL_MISMATCH, "does not decrypt"),
    ):
        kept = file.read_bytes()
        file.write_bytes(copy.read_bytes())
        refused(home, reason, match)
        file.unlink()
        with pytest.raises(ConsortiumError):
            run_until_interrupted(home, SECRET, MARKET)
        file.write_bytes(kept)
    home.settings_file.write_text("[broker]\npassword_file = '/nowhere'\nusername = 'x'")
    refused(home, Reason.CONFIG_INVALID, "broker password")
    assert not home.journal_file.exists()


def test_between_two_epochs_or_without_knowing_the_past_a_party_does_not_start(world):
    """Also where the folder's files are of both epochs: what is said is what is the matter."""
    home, consortium = world.home("bob"), world.consortium
    journal = Journal.open(home.journal_file, consortium=consortium.id_bytes, epoch=1)
    with journal:
        journal.distrust(7, "restored")
    for reason, match in (
        (Reason.RESTORED_UNSAFE, "--after-round"),
        (Reason.HANDOVER_UNDECIDED, "mpc-party reshare"),
    ):
        for lost in (False, True):
            with pytest.raises(ConsortiumError, match=match) as caught:
                run_until_interrupted(home, SECRET, MARKET)
            assert caught.value.reason is reason
            if lost:
                break
            home.key_share_file.rename(home.path / "kept")
        (home.path / "kept").rename(home.key_share_file)
        with Journal.open(home.journal_file, consortium=consortium.id_bytes, epoch=1) as journal:
            journal.attest_handover(b"c" * 32, b"p" * 32, 2)


def test_a_file_of_an_epoch_that_is_over_starts_nothing(world):
    """And says so, where the shares of the present epoch would only not fit it."""
    home = world.home("bob")
    with Journal.open(home.journal_file, consortium=world.consortium.id_bytes, epoch=2):
        pass
    home.model_share_file.unlink()
    with pytest.raises(
        ConsortiumError, match="has seen epoch 2, the consortium file is of epoch 1"
    ) as caught:
        run_until_interrupted(home, SECRET, MARKET)
    assert caught.value.reason is Reason.CONSORTIUM_MISMATCH


def test_a_broker_that_is_not_there_ends_the_party_with_its_journal_closed(world, monkeypatch):
    """Nothing listens there; a real bus tries, for less time than it does for members."""
    monkeypatch.setattr(running, "BROKER_PATIENCE", 0.2)
    home = world.home("bob")
    for _ in range(2):  # the second time, nothing of the first is in the way
        with pytest.raises(ConsortiumError) as caught:
            run_until_interrupted(home, SECRET, MARKET)
        assert caught.value.reason is Reason.BROKER_UNREACHABLE
    assert home.journal_file.exists()


def test_a_wrong_broker_url_is_refused(world):
    for options in (Options("simulated:3", broker_url="http://x"), Options("simulated:3", listen="x")):
        with pytest.raises(ConfigError):
            run_until_interrupted(world.home("bob"), SECRET, options)


def test_order_flow_comes_from_the_feed_named_else_from_the_market():
    market, plain = open_source("heston:3"), open_source("simulated:3")
    named, own = flow_source(Settings(flow="heston:4"), Options(), market)
    assert (type(named), own) == (HestonMarket, True)
    assert named is not market
    assert flow_source(Settings(), Options(), market) == (market, False)
    assert flow_source(Settings(), Options(), plain) == (None, False)
    over, _ = flow_source(Settings(flow="nowhere:1"), Options(flow="heston:5"), plain)
    assert isinstance(over, HestonMarket)
    with pytest.raises(MarketDataError, match="no order flow"):
        flow_source(Settings(flow="nowhere:1"), Options(), plain)


def test_a_positions_file_is_read_before_anything_starts(tmp_path):
    file = tmp_path / "held.csv"
    assert positions_file(Settings(), Options()) is None
    file.write_text("instrument,contracts\n")
    assert positions_file(Settings(positions=str(file)), Options()) == file
    file.write_text("nothing of the kind\n")
    with pytest.raises(MarketDataError, match="line 1"):
        positions_file(Settings(), Options(positions=str(file)))
