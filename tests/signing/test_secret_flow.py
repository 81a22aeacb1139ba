"""That no secret of the signing protocols is a Python integer, whose arithmetic takes time that depends on it.

Read from the source: which functions take a secret out of its type, and that nothing in these modules makes integers
of bytes, or draws them, outside a few places that are public by the protocol.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mpc_party.signing

SOURCES = {path.stem: path for path in Path(mpc_party.signing.__file__).parent.glob("*.py")}

# What takes a secret's bytes out: to the one member it is dealt to, and to the keystore that seals it.
REVEALED = {
    ("keygen", "KeygenParty.deal"),
    ("presign", "NonceParty.deal"),
    ("reshare", "ReshareParty.deal"),
    ("recover", "RecoverParty.deal"),
    ("recover", "RecoverParty.sum"),
    ("keyshare", "KeyShare.encode"),
    ("scalar", "SecretScalar.publish"),
}
# What makes a public integer of a secret: w_i, s_i and the response of a proof, each sent to all in the next line.
PUBLISHED = {
    ("presign", "NonceParty.open"),
    ("sign", "run_signature"),
    ("proof", "prove"),
    ("equality", "prove_equality"),
}
# What makes an integer of bytes that are public already.
DECODED = {
    ("scalar", "SecretScalar.publish"),
    ("keygen_rules", "check_opening"),  # the response of a proof
    ("judge_nonce", "_scalar"),  # what a dispute has disclosed
    ("judge_signature", "SignatureJudge._share"),  # s_i
    ("judge_signature", "SignatureJudge._masked_key"),  # the response of a proof
    ("judge_signature", "SignatureJudge._judge_share"),  # the digest
    ("equality", "EqualityStatement.challenge"),
    ("presign", "NonceParty._scalar"),  # w_i
    ("sign", "_decoded"),  # s_i
    ("sign", "run_signature"),  # the digest
    ("field", "decode_scalar"),
    ("curve", "Point.x"),
    ("proof", "_challenge"),
    ("approval", "_require_fitting"),  # the digest
    ("signature", "verify_signature"),
}
TOUCHED = {"scalar", "curve"}  # where libsecp256k1 is given a secret's memory


def uses(names: set[str]) -> set[tuple[str, str]]:
    """(module, function) of every attribute or name in `names` that is called, or handed on to be called."""
    found = set()
    for module, path in SOURCES.items():
        scope: list[str] = []

        def walk(node: ast.AST, module: str = module, scope: list[str] = scope) -> None:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if named:
                scope.append(node.name)
            used = getattr(node, "attr", None) or (isinstance(node, ast.Name) and node.id)
            if used in names:
                found.add((module, ".".join(scope)))
            for child in ast.iter_child_nodes(node):
                walk(child)
            if named:
                scope.pop()

        walk(ast.parse(path.read_text()))
    return found


@pytest.mark.parametrize(
    ("names", "allowed"),
    [({"reveal"}, REVEALED), ({"publish"}, PUBLISHED), ({"decode_scalar", "from_bytes"}, DECODED)],
    ids=["reveal", "publish", "integers of bytes"],
)
def test_secrets_leave_their_type_only_where_the_protocol_sends_them(names, allowed):
    assert uses(names) == allowed


def test_no_secret_is_drawn_as_an_integer():
    assert (
        uses({"randbelow", "randbits", "randrange", "random_split", "getrandbits", "random_scalar"}) == set()
    )
    assert {module for module, _ in uses({"secrets", "token_bytes", "urandom"})} == {"scalar"}


def test_a_secrets_memory_is_touched_only_by_what_calls_libsecp256k1():
    assert {module for module, _ in uses({"cell"})} == TOUCHED


def test_the_message_fields_of_secrets_are_read_only_into_their_type():
    """A dealt share arrives as bytes: the modules that receive one make a SecretScalar of it and nothing else."""
    for module, reader in (("keygen", "_check_share"), ("presign", "_dealt")):
        (function,) = [
            node
            for node in ast.walk(ast.parse(SOURCES[module].read_text()))
            if isinstance(node, ast.FunctionDef) and node.name == reader
        ]
        assert ast.unparse(function.returns) == "SecretScalar"
        assert any(
            ast.unparse(n.func) == "SecretScalar" for n in ast.walk(function) if isinstance(n, ast.Call)
        )


def test_the_reader_sees_a_leak(monkeypatch, tmp_path):
    leak = tmp_path / "leak.py"
    leak.write_text("class P:\n    def sum(self, x):\n        return int.from_bytes(x.reveal(), 'big')\n")
    monkeypatch.setitem(SOURCES, "leak", leak)
    assert ("leak", "P.sum") in uses({"reveal"})
    assert ("leak", "P.sum") in uses({"from_bytes"})
