"""A Safe as one of the members: two owners sign its message (ERC-1271), and it pauses the feed by a transaction of its own."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3

from coordinator.cli import app as coordinator
from mpc_party.cli import app as party
from mpc_party.member.home import PartyHome
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.passphrase import Passphrase
from tests.support.chains import anvil_chain, rpc
from tests.support.command_lines import KEYSTORE_WORDS, call, keystore
from tests.support.contract_stage import DELAY, Stage
from tests.support.party_homes import quick_keystores
from tests.support.safes import Safe, require_safe
from tests.support.signed_group import CHAIN_START, SignedGroup

pytestmark = pytest.mark.integration


class TwoOfTwo(Safe):
    """A Safe of two accounts."""

    def __init__(self, web3):
        self.owners = sorted((Account.create(), Account.create()), key=lambda it: int(it.address, 16))
        super().__init__(web3, [owner.address for owner in self.owners])

    def signatures(self, message, owners=None):
        """What the owners sign, in their addresses' order, as the Safe takes it."""
        return [bytes(owner.sign_message(message).signature) for owner in (owners or self.owners)]

    def digest_message(self, digest):
        """`SafeMessage` of a digest: what `isValidSignature(bytes32, bytes)` asks for."""
        return encode_typed_data(
            self.domain(), {"SafeMessage": [{"name": "message", "type": "bytes"}]}, {"message": digest}
        )


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    require_safe()
    group = SignedGroup()
    home = PartyHome(tmp_path_factory.mktemp("member") / "home")
    with anvil_chain([], CHAIN_START) as url, quick_keystores():
        web3 = Web3(HTTPProvider(url))
        safe = TwoOfTwo(web3)
        stage = Stage(url, group, [group.identities[0].account, group.identities[1].account, safe.address])
        home.make()
        group.identities[0].save(home.identity_file, Passphrase(KEYSTORE_WORDS))
        save_consortium(home.consortium_file, group.consortium)
        yield stage, safe, home


@pytest.fixture
def scene(ground, monkeypatch):
    stage, safe, home = ground
    monkeypatch.setenv("MPC_PASSPHRASE", KEYSTORE_WORDS)
    monkeypatch.setenv("MPC_RPC_URL", stage.url)
    before = rpc(stage.url, "evm_snapshot")
    with quick_keystores():
        yield stage, safe, home
    rpc(stage.url, "evm_revert", before)


def attach(first, safe, signatures, out):
    said = call(
        coordinator, "act", "attach", first, "--signer", safe.address, "--signature", f"0x{b''.join(signatures).hex()}",
        "--out", out,
    )  # fmt: skip
    assert said.status == 0, said.text
    return out


def test_a_safe_pauses_the_feed_and_signs_to_unpause_it(scene, tmp_path):
    stage, safe, home = scene
    pause = stage.governance.encode_abi("pause", [stage.ledger.address])
    transaction = safe.transaction(stage.governance.address, data=HexBytes(pause))
    safe.execute(transaction, safe.signatures(safe.message(transaction)))
    assert stage.ledger.functions.status().call()[6] is True

    first = tmp_path / "action.alpha.json"
    made = call(
        party, "sign-action", "unpause", "--home", home.path, "--deadline", "2099-01-01T00:00Z", "--yes", "--json",
        "--out", first,
    )  # fmt: skip
    assert made.status == 0, made.text
    digest = HexBytes(made.json["digest"])
    payer = ("--keystore", keystore(tmp_path, stage.stranger()), "--json")

    # One owner alone is not the Safe, and an owner's signature over the digest itself is not its message.
    lonely = attach(
        first, safe, safe.signatures(safe.digest_message(digest), safe.owners[:1]), tmp_path / "one.json"
    )
    plain = [bytes(owner.unsafe_sign_hash(digest).signature) for owner in safe.owners]
    bare = attach(first, safe, plain, tmp_path / "bare.json")
    for wrong in (lonely, bare):
        said = call(coordinator, "act", "schedule", first, wrong, *payer)
        assert (said.status, "SignatureInvalid" in said.text) == (1, True)

    both = attach(first, safe, safe.signatures(safe.digest_message(digest)), tmp_path / "action.safe.json")
    said = call(coordinator, "act", "schedule", first, both, *payer)
    assert said.status == 0, said.text
    stage.wait(DELAY)
    done = call(coordinator, "act", "execute", first, *payer)
    assert done.status == 0, done.text
    assert stage.ledger.functions.status().call()[6] is False


def test_a_safes_signature_is_for_one_action_alone(scene, tmp_path):
    stage, safe, home = scene
    files = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.json"
        said = call(
            party, "sign-action", "unpause", "--home", home.path, "--deadline", "2099-01-01T00:00Z", "--yes",
            "--json", "--out", path,
        )  # fmt: skip
        assert said.status == 0, said.text
        files.append((path, HexBytes(said.json["digest"])))
    (_, digest), (second, _) = files
    stolen = attach(second, safe, safe.signatures(safe.digest_message(digest)), tmp_path / "stolen.json")
    payer = ("--keystore", keystore(tmp_path, stage.stranger()))
    said = call(coordinator, "act", "schedule", second, stolen, *payer)
    assert (said.status, "SignatureInvalid" in said.text) == (1, True)
