"""`mpc-party sign-action` and `pause`, as far as they need no node."""

import json
import subprocess
import sys

import msgspec
import pytest
from web3 import Web3

from mpc_party.cli import app
from mpc_party.member.home import PartyHome
from mpc_party.protocol.action_file import load_action_file
from mpc_party.protocol.actions import RotateGroupKey
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.passphrase import Passphrase
from tests.support.command_lines import KEYSTORE_WORDS, call
from tests.support.party_homes import quick_keystores
from tests.support.signed_group import EXAMPLE, SignedGroup

MEMBERS = Web3.to_checksum_address("0x" + "b2" * 20)
KEY = Web3.to_checksum_address("0x" + "c3" * 20)


@pytest.fixture(scope="module")
def group():
    made = SignedGroup()
    made.at(EXAMPLE)
    return made


@pytest.fixture
def homes(group, tmp_path, monkeypatch):
    monkeypatch.setenv("MPC_PASSPHRASE", KEYSTORE_WORDS)
    monkeypatch.delenv("MPC_RPC_URL", raising=False)
    made = []
    with quick_keystores():
        for identity in group.identities:
            home = PartyHome(tmp_path / identity.name)
            home.make()
            identity.save(home.identity_file, Passphrase(KEYSTORE_WORDS))
            save_consortium(home.consortium_file, group.consortium)
            made.append(home.path)
        yield made


def sign(home, out, *arguments):
    return call(app, "sign-action", *arguments, "--home", home, "--out", out)


def rotate(home, out, *more):
    return sign(home, out, "rotate", "--group-key", KEY, "--members", MEMBERS, *more)


@pytest.mark.parametrize(
    "command",
    [["sign-action"], *(["sign-action", kind] for kind in ("rotate", "members", "parameters", "unpause", "cancel")), ["pause"]],
)  # fmt: skip
def test_help_is_there(command):
    said = call(app, *command, "--help")
    assert said.status == 0
    assert len(said.out.splitlines()) > 8


def test_help_does_not_wait_for_the_chain_libraries():
    script = "import sys, mpc_party.cli.governing; sys.exit(any(m in sys.modules for m in ('web3', 'torch', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


def test_one_member_makes_an_action_and_another_signs_the_same(homes, tmp_path, group):
    first, second = tmp_path / "one.json", tmp_path / "two.json"
    made = rotate(homes[0], first, "--overlap", 60, "--yes", "--json")
    assert made.status == 0, made.text
    for part in (KEY, "epoch 2", "60 more seconds", MEMBERS, EXAMPLE.contract):
        assert part in made.text or part in made.out or part in first.read_text()
    said = sign(homes[1], second, "--from", first, "--members", MEMBERS, "--yes")
    assert said.status == 0, said.text
    assert f"Proposed and signed by alpha ({group.identities[0].account})" in said.text
    assert KEY in said.text
    one, two = load_action_file(first), load_action_file(second)
    assert one.subject == two.subject
    assert (one.signer, two.signer) == tuple(identity.account for identity in group.identities[:2])
    two.require_account_signature()
    assert isinstance(one.action, RotateGroupKey)
    assert one.action.salt != bytes(32)
    assert json.loads(made.out)["hash"] == f"0x{one.hash.hex()}"


def test_the_salt_is_another_each_time_and_can_be_given(homes, tmp_path):
    paths = [tmp_path / f"{n}.json" for n in range(4)]
    fixed = ("--salt", "ab" * 32, "--deadline", "2099-01-01T00:00Z")
    for path, more in zip(paths, ((), (), fixed, fixed), strict=True):
        assert rotate(homes[0], path, "--yes", *more).status == 0
    hashes = [load_action_file(path).hash for path in paths]
    assert len(set(hashes)) == 3
    assert hashes[2] == hashes[3]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((), "what to sign"),
        (("--from", "nowhere.json"), "no such file"),
        (("rotate", "--group-key", KEY), "members' contract"),
        (("rotate", "--group-key", KEY, "--members", "0x1"), "address"),
        (("rotate", "--group-key", "0x1", "--members", MEMBERS), "address"),
        (("rotate", "--group-key", KEY, "--members", MEMBERS, "--salt", "1"), "--salt"),
        (("rotate", "--group-key", KEY, "--members", MEMBERS, "--deadline", "soon"), "--deadline"),
        (("rotate", "--group-key", KEY, "--members", MEMBERS, "--deadline", "2020-01-01"), "scheduled by"),
        (("rotate", "--group-key", KEY, "--members", MEMBERS, "--new-epoch", "1"), "epoch"),
        (("rotate", "--group-key", KEY, "--members", MEMBERS, "--consortium", "x.toml"), "no such file"),
        (("rotate", "--members", MEMBERS), "--group-key"),
        (("members", "--member", KEY, "--quorum", "2", "--members", MEMBERS), "quorum"),
        (("parameters", "nowhere.toml", "--members", MEMBERS), "no such file"),
        (("cancel", "--members", MEMBERS), "one of them"),
        (("cancel", "--action", "12", "--members", MEMBERS), "--action"),
        (("unpause", "--rpc-url", "http://127.0.0.1:9"), "chain-unreachable"),
        (("unpause", "--rpc-url", "x"), "--rpc-url"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(homes, tmp_path, arguments, match):
    out = tmp_path / "out.json"
    said = sign(homes[0], out, *arguments, "--yes")
    assert said.status in {2, 3}
    assert match in said.text
    assert not out.exists()


def test_nobody_to_say_yes_is_no(homes, tmp_path):
    said = rotate(homes[0], tmp_path / "out.json")
    assert (said.status, "--yes" in said.text) == (2, True)
    assert not (tmp_path / "out.json").exists()


def test_a_file_is_never_written_over(homes, tmp_path):
    out = tmp_path / "out.json"
    assert rotate(homes[0], out, "--yes").status == 0
    before = out.read_bytes()
    assert rotate(homes[0], out, "--yes").status == 2
    assert out.read_bytes() == before


def test_a_wrong_passphrase_signs_nothing(homes, tmp_path, monkeypatch):
    monkeypatch.setenv("MPC_PASSPHRASE", "wrong")
    said = rotate(homes[0], tmp_path / "out.json", "--yes")
    assert (said.status, "passphrase-wrong" in said.text) == (2, True)
    assert not (tmp_path / "out.json").exists()


def test_a_proposal_decides_salt_and_deadline(homes, tmp_path):
    first = tmp_path / "one.json"
    rotate(homes[0], first, "--yes")
    for more in (("--out", "x", "rotate"), ("--from", first, "rotate")):
        said = call(app, "sign-action", *more, "--group-key", KEY, "--out", tmp_path / "two.json")
        assert (said.status, "before a kind" in said.text) == (2, True)


def test_a_proposal_about_other_contracts_is_not_signed(homes, group, tmp_path):
    first, out = tmp_path / "one.json", tmp_path / "two.json"
    assert rotate(homes[0], first, "--yes").status == 0
    said = sign(homes[1], out, "--from", first, "--members", KEY, "--yes")
    assert (said.status, "members' contract" in said.text) == (2, True)
    elsewhere = msgspec.structs.replace(
        group.consortium, settlement=msgspec.structs.replace(EXAMPLE, contract=KEY)
    )
    save_consortium(PartyHome(homes[1]).consortium_file, elsewhere)
    said = sign(homes[1], out, "--from", first, "--members", MEMBERS, "--yes")
    assert (said.status, "feed" in said.text) == (2, True)
    save_consortium(
        PartyHome(homes[1]).consortium_file, msgspec.structs.replace(group.consortium, settlement=None)
    )
    said = sign(homes[1], out, "--from", first, "--members", MEMBERS, "--yes")
    assert (said.status, "consortium-incomplete" in said.text) == (2, True)
    assert not out.exists()


def test_a_proposers_signature_that_is_no_accounts_is_said_to_be_unchecked(homes, tmp_path):
    first = tmp_path / "one.json"
    assert rotate(homes[0], first, "--yes").status == 0
    stored = json.loads(first.read_text())
    stored["signature"] = "0x" + "01" * 130
    first.write_text(json.dumps(stored))
    said = sign(homes[1], tmp_path / "two.json", "--from", first, "--members", MEMBERS, "--yes")
    assert said.status == 0
    assert "only the chain can check" in said.text


def test_cancel_tells_what_it_voids(homes, tmp_path):
    first = tmp_path / "one.json"
    rotate(homes[0], first, "--yes")
    said = sign(homes[0], tmp_path / "no.json", "cancel", "--of", first, "--members", MEMBERS, "--yes")
    assert said.status == 0
    assert KEY in said.text
    assert load_action_file(tmp_path / "no.json").action.action == load_action_file(first).hash
