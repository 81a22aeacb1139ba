import msgspec
import pytest
from web3 import Web3

from mpc_party.member.deciding import (
    in_words,
    membership,
    parameters,
    read_salt,
    require_in_time,
    require_ours,
    rotation,
    settlement_of,
    sign_action,
)
from mpc_party.protocol.actions import (
    CancelAction,
    LedgerConfig,
    RotateGroupKey,
    SetMembers,
    SetParameters,
    Tolerances,
    Unpause,
)
from mpc_party.protocol.consortium import Settlement
from mpc_party.protocol.errors import ConfigError, Reason
from tests.support.signed_group import EXAMPLE, SignedGroup

FEED = EXAMPLE.contract
MEMBERS = Web3.to_checksum_address("0x" + "b2" * 20)
OTHER = Web3.to_checksum_address("0x" + "c3" * 20)
SALT, DEADLINE = b"\x07" * 32, 1_800_000_000


@pytest.fixture(scope="module")
def group():
    made = SignedGroup()
    made.at(EXAMPLE)
    return made


def test_a_salt_is_fresh_unless_it_is_given():
    assert len({read_salt(None) for _ in range(10)}) == 10
    assert read_salt("0x" + "ab" * 32) == b"\xab" * 32
    for wrong in ("", "0x", "ab", "zz" * 32, "ab" * 33):
        with pytest.raises(ConfigError, match="--salt"):
            read_salt(wrong)


@pytest.mark.parametrize(
    ("key", "epoch", "overlap", "match"),
    [
        (OTHER.lower(), 2, 0, "checksum"),
        ("0x" + "00" * 20, 2, 0, "zero"),
        ("nonsense", 2, 0, "address"),
        (OTHER, 1, 0, "epoch"),
        (OTHER, 2, 86_401, "overlap"),
        (OTHER, 2, -1, "overlap"),
    ],
)
def test_rotations_that_no_ledger_takes(key, epoch, overlap, match):
    with pytest.raises(ConfigError, match=match):
        rotation(FEED, key, epoch, overlap, SALT, DEADLINE)
    assert rotation(FEED, OTHER, 2, 86_400, SALT, DEADLINE).new_group_key == OTHER


@pytest.mark.parametrize(
    ("accounts", "quorum", "match"),
    [
        ([], 1, "members"),
        ([OTHER, OTHER], 1, "twice"),
        ([OTHER, FEED], 0, "quorum"),
        ([OTHER, FEED], 3, "quorum"),
        ([OTHER, "x"], 1, "address"),
        ([Web3.to_checksum_address(f"0x{n:040x}") for n in range(1, 34)], 2, "33 members"),
    ],
)
def test_memberships_that_no_contract_takes(accounts, quorum, match):
    with pytest.raises(ConfigError, match=match):
        membership(accounts, quorum, SALT, DEADLINE)


CONFIG = "[config]\nmax_age=1\nmax_future_skew=2\nmax_validity=3\nchallenge_window=4\nmax_instruments=5\nmax_jump=6\njump_horizon=7\n"
TOLERANCES = "[tolerances]\ndelta=1\ngamma=2\nvega=3\npremium=4\nvol=5\nhedge_reach=6\nhedge_slack=7\n"


def test_parameters_out_of_a_file(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(CONFIG + TOLERANCES)
    made = parameters(FEED, path, SALT, DEADLINE)
    assert made.config == LedgerConfig(1, 2, 3, 4, 5, 6, 7)
    assert made.tolerances == Tolerances(1, 2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (CONFIG, "tolerances"),
        (TOLERANCES, "config"),
        (CONFIG + TOLERANCES.replace("gamma=2\n", ""), "gamma"),
        (CONFIG.replace("max_age=1\n", "") + TOLERANCES, "max_age"),
        (CONFIG + TOLERANCES + "more=1\n", "more"),
        (CONFIG + TOLERANCES.replace("delta=1", "delta='1'"), "delta"),
        ("[", "parameters file"),
    ],
)
def test_a_parameters_file_says_everything_and_nothing_more(tmp_path, text, match):
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=match):
        parameters(FEED, path, SALT, DEADLINE)


def test_only_what_is_about_ones_own_contracts_is_signed(group):
    identity = group.identities[0]
    file = sign_action(identity, Unpause(FEED, SALT, DEADLINE), EXAMPLE.chain_id, MEMBERS)
    file.require_account_signature()
    assert file.signer == identity.account
    require_ours(file, EXAMPLE, MEMBERS)
    require_ours(
        msgspec.structs.replace(file, action=SetMembers((OTHER,), 1, SALT, DEADLINE)), EXAMPLE, MEMBERS
    )
    for settlement, members, match in (
        (Settlement(1, FEED), MEMBERS, "chain"),
        (EXAMPLE, OTHER, "members' contract"),
        (Settlement(EXAMPLE.chain_id, OTHER), MEMBERS, "feed"),
    ):
        with pytest.raises(ConfigError, match=match):
            require_ours(file, settlement, members)


def test_what_no_contract_could_hold_is_not_signed(group):
    action = RotateGroupKey(FEED, OTHER, 2**64, 0, SALT, DEADLINE)
    with pytest.raises(ConfigError, match="cannot be"):
        sign_action(group.identities[0], action, EXAMPLE.chain_id, MEMBERS)


def test_deadlines():
    require_in_time(Unpause(FEED, SALT, DEADLINE), DEADLINE)
    require_in_time(CancelAction(SALT), DEADLINE)
    with pytest.raises(ConfigError, match="2027-01-15"):
        require_in_time(Unpause(FEED, SALT, DEADLINE), DEADLINE + 1)


def test_a_file_without_contracts(group):
    with pytest.raises(ConfigError) as caught:
        settlement_of(msgspec.structs.replace(group.consortium, settlement=None))
    assert caught.value.reason is Reason.CONSORTIUM_INCOMPLETE


def test_the_words_say_all_that_is_signed(group):
    account = group.identities[0].account
    config = LedgerConfig(11, 12, 13, 14, 15, 16, 17)
    for action, wanted in (
        (RotateGroupKey(FEED, OTHER, 5, 77, SALT, DEADLINE), [FEED, OTHER, "epoch 5", "77 more"]),
        (
            SetMembers((account, OTHER), 2, SALT, DEADLINE),
            [f"{account} (alpha)", OTHER, "2 members", "2 decide"],
        ),
        (
            SetParameters(FEED, config, Tolerances(21, 22, 23, 24, 25, 26, 27), SALT, DEADLINE),
            [FEED, *(f"= {n}" for n in (*range(11, 18), *range(21, 28)))],
        ),
        (Unpause(FEED, SALT, DEADLINE), [FEED]),
    ):
        text = "\n".join(in_words(action, group.consortium))
        for part in (*wanted, SALT.hex(), "2027-01-15T08:00:00Z"):
            assert part in text
    assert SALT.hex() in in_words(CancelAction(SALT))[0]
    far = "\n".join(in_words(Unpause(FEED, SALT, 2**200)))
    assert str(2**200) in far
