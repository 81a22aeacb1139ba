"""What others make of a signature: libraries that wallets use, and contracts. For tests of what we sign.

`outside_verifiers()` is entered once for a file of tests (it starts a node); `verifies_everywhere` is then asked as often
as there are signatures, for any key: one that was generated, reshared or recovered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import coincurve
from coincurve.ecdsa import cdata_to_der, deserialize_compact
from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError

from mpc_party.protocol.consortium import evm_address
from mpc_party.signing import verify_signature
from tests.support.chains import anvil_chain
from tests.support.contract_stage import Stage
from tests.support.contract_tools import CONTRACTS, run_tool

PEERS = CONTRACTS / "test" / "peers"
RECOVERER = CONTRACTS / "test" / "support" / "Recoverer.sol"
ERC1271_VALID = bytes.fromhex("1626ba7e")


def peer_program(program: str, *arguments: object) -> Any:
    """What a program of contracts/test/peers prints."""
    done = run_tool("node", str(PEERS / program), *map(str, arguments))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def noble(public_key: bytes, digest: bytes, signature: bytes) -> dict[str, Any]:
    """What npm's @noble/curves says: `lowS` and `anyS` (whether it verifies), and `signer` (recovered, hex)."""
    (said,) = peer_program("verify-noble.mjs", public_key.hex(), digest.hex(), signature.hex())
    return said


@dataclass
class _KeyAlone:
    """As much of a consortium as a ledger is founded on."""

    public_key: bytes

    def __post_init__(self) -> None:
        self.consortium = SimpleNamespace(
            id_bytes=bytes(range(32)), group_address=evm_address(self.public_key)
        )

    def at(self, settlement: object) -> None:
        pass


@dataclass
class OutsideVerifiers:
    """Verifiers on one node; a ledger is founded on each key that is asked about."""

    url: str
    _ledgers: dict[bytes, Stage] = field(default_factory=dict)
    _recoverer: Any = None

    def verdicts(self, public_key: bytes, digest: bytes, signature: bytes) -> dict[str, bool]:
        """Who takes 65 bytes r || s || v as this key's signature of this digest.

        `eth_account` and `coincurve` say what their calls say, no more: the first recovers, and knows no rule for s;
        the second verifies r and s alone, and holds s to the lower half.
        """
        address = evm_address(public_key)
        said = noble(public_key, digest, signature)
        return {
            "this project": verify_signature(public_key, digest, signature),
            "eth_account": Account._recover_hash(digest, signature=signature) == address,
            "coincurve": coincurve.PublicKey(public_key).verify(
                cdata_to_der(deserialize_compact(signature[:64])), digest, hasher=None
            ),
            "@noble/curves": said["lowS"] and said["signer"] == public_key.hex(),
            "the settlement contract": self._ledger_takes(public_key, digest, signature),
            "OpenZeppelin": self.openzeppelin(digest, signature) == address,
        }

    def verifies_everywhere(self, public_key: bytes, digest: bytes, signature: bytes) -> None:
        """Assert that all of `verdicts` take the signature."""
        refusing = [who for who, takes in self.verdicts(public_key, digest, signature).items() if not takes]
        assert not refusing, (
            f"{signature.hex()} of {digest.hex()} by {public_key.hex()}: refused by {refusing}"
        )

    def openzeppelin(self, digest: bytes, signature: bytes) -> str | None:
        """The address that OpenZeppelin's `ECDSA.recover` returns; None where it reverts."""
        if self._recoverer is None:
            self._recoverer = self._deployed_recoverer()
        try:
            return self._recoverer.functions.recover(digest, signature).call()
        except ContractLogicError:
            return None

    def _deployed_recoverer(self) -> Any:
        made = peer_program("compile.mjs", RECOVERER, "Recoverer")
        web3 = Web3(HTTPProvider(self.url))
        built = web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"]).constructor()
        receipt = web3.eth.wait_for_transaction_receipt(built.transact({"from": web3.eth.accounts[0]}))
        return web3.eth.contract(address=receipt["contractAddress"], abi=made["abi"])

    def _ledger_takes(self, public_key: bytes, digest: bytes, signature: bytes) -> bool:
        if public_key not in self._ledgers:
            members = [Account.create().address for _ in range(3)]
            self._ledgers[public_key] = Stage(self.url, _KeyAlone(public_key), members)
        ledger = self._ledgers[public_key].ledger
        return ledger.functions.isValidSignature(digest, signature).call() == ERC1271_VALID


@contextmanager
def outside_verifiers() -> Iterator[OutsideVerifiers]:
    with anvil_chain([]) as url:
        yield OutsideVerifiers(url)
