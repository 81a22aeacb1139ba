"""contracts/examples/typescript: type-checked, compiled, and run on reports that verify and reports that do not."""

import json
import shutil
import time

import msgspec
import pytest
from eth_hash.auto import keccak

from coordinator.report_file import dump_report_file, make_report_file, parse_report_file
from mpc_party.protocol.eip712 import domain_separator, report_struct_hash, typed_digest
from mpc_party.protocol.words import unpack_instrument, unpack_param
from tests.support.contract_tools import CONTRACTS, run_tool, tool
from tests.support.signed_group import EXAMPLE, SignedGroup, book_words

pytestmark = pytest.mark.integration

FOLDER = CONTRACTS / "examples" / "typescript"


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    """The example, type-checked and compiled beside the checkout."""
    folder = tmp_path_factory.mktemp("typescript")
    done = run_tool(str(tool("tsc")), "--project", str(FOLDER), "--outDir", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(FOLDER / "package.json", folder)
    (folder / "node_modules").symlink_to(CONTRACTS / "node_modules")
    return folder / "verify-report.js"


@pytest.fixture(scope="module")
def signed():
    group = SignedGroup()
    group.at(EXAMPLE)
    proposal = group.proposal(5)
    report = group.report(proposal)
    _, signature = group.signed(report)
    file = make_report_file(report, book_words(proposal), signature, EXAMPLE.chain_id, EXAMPLE.contract)
    return group, json.loads(dump_report_file(file))


def example(verifier, path, group, **expected):
    options = {
        "group-key": group.consortium.group_address,
        "chain-id": EXAMPLE.chain_id,
        "contract": EXAMPLE.contract,
        **{name.replace("_", "-"): value for name, value in expected.items()},
    }
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    done = run_tool("node", str(verifier), str(path), *flags)
    assert "at file:" not in done.stderr, done.stderr
    return done


def test_the_typescript_example_verifies_an_exported_report(verifier, signed, tmp_path):
    group, file = signed
    (tmp_path / "report.json").write_text(json.dumps(file))
    done = example(verifier, tmp_path / "report.json", group)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert file["digest"] in done.stdout
    assert "EXPIRED" in done.stdout
    rows = lines[lines.index("") + 2 :]
    assert len(rows) == len(file["instruments"])
    for row, word, packed in zip(rows, file["instruments"], file["report"]["params"], strict=True):
        instrument, param = (
            unpack_instrument(bytes.fromhex(word[2:])),
            unpack_param(bytes.fromhex(packed[2:])),
        )
        cells = row.split()
        assert cells[:2] == ["BTC", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instrument.expiry))]
        assert cells[2:4] == [str(instrument.strike // 10**8), "C" if instrument.call else "P"]
        fields = (param.iv, param.bs_delta, param.hedge_delta, param.gamma)
        assert [round(float(cell) * 1e6) for cell in cells[5:9]] == list(fields)
        assert [round(float(cell) * 1e8) for cell in cells[9:11]] == [param.vega, param.premium]
        assert cells[11:] == ["-", "-"]


def test_the_typescript_example_takes_a_lower_case_contract(verifier, signed, tmp_path):
    group, file = signed
    (tmp_path / "report.json").write_text(json.dumps(file))
    done = example(verifier, tmp_path / "report.json", group, contract=EXAMPLE.contract.lower())
    assert done.returncode == 0, done.stderr


def swapped(words):
    return [words[1], words[0], *words[2:]]


def foreign_signature(file):
    return "0x" + SignedGroup().sign(bytes.fromhex(file["digest"][2:])).hex()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f["report"].update(round=6), "digest is 0x"),
        (lambda f: f["report"].update(params=swapped(f["report"]["params"])), "digest is 0x"),
        (lambda f: f.update(digest="0x" + "00" * 32), "the file says 0x00"),
        (lambda f: f.update(instruments=swapped(f["instruments"])), "hash differs"),
        (lambda f: f.update(signature=foreign_signature(f)), "'s, not the group key's"),
        (lambda f: f.update(signature="0x" + "00" * 64 + "1b"), "of no key"),
        (lambda f: f.update(signature=f["signature"][:-2] + "01"), "v = 1"),
        (lambda f: f.update(signature=f["signature"][:66] + "f" * 64 + "1b"), "high s"),
        (lambda f: f.update(chain_id=1), "on chain 1, not for"),
        (lambda f: f.update(contract="0x" + "ab" * 20), "not for"),
        (lambda f: f.update(version=2), "version 2"),
        (lambda f: f.pop("digest"), "lacks digest"),
        (lambda f: f.update(more=1), "unknown fields: more"),
        (lambda f: f["report"].update(round=2**53), "round is no whole number"),
        (lambda f: f["report"].update(round="5"), "round is no whole number"),
        (lambda f: f["report"].update(model="0x12"), "model is not 0x"),
        (lambda f: f["report"].update(params=[]), "params is no list"),
    ],
)  # fmt: skip
def test_the_typescript_example_says_what_does_not_fit(verifier, signed, tmp_path, change, says):
    group, file = signed
    altered = json.loads(json.dumps(file))
    change(altered)
    (tmp_path / "report.json").write_text(json.dumps(altered))
    done = example(verifier, tmp_path / "report.json", group)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("verify-report: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def put(word, byte, text):
    """A word with other bytes from `byte` on."""
    start = 2 + 2 * byte
    return word[:start] + text + word[start + len(text) :]


@pytest.mark.parametrize(
    ("part", "change", "says"),
    [
        ("params", lambda w: [put(w[0], 31, "01"), *w[1:]], "param word 0 has reserved bits set"),
        (
            "params",
            lambda w: [w[0], put(w[1], 0, "00000000"), *w[2:]],
            "param word 1 has a volatility of zero",
        ),
        (
            "params",
            lambda w: [put(w[0], 23, "000001"), *w[1:]],
            "param word 0 has one margin without the other",
        ),
        ("params", lambda w: [put(w[0], 23, "000002000001"), *w[1:]], "an initial one below maintenance"),
        ("params", lambda w: w[:-1], "instruments, the report"),
        ("forwards", lambda w: [put(w[0], 0, "01"), *w[1:]], "forward word 0 has reserved bits set"),
        ("forwards", lambda w: [put(w[0], 20, "00" * 12), *w[1:]], "zero expiry or forward"),
        ("forwards", swapped, "not strictly ascending"),
        ("forwards", lambda w: w[1:], "instrument 0 has an expiry without a forward"),
        ("instruments", lambda w: [put(w[0], 12, "03"), *w[1:]], "instrument word 0 is no option"),
        ("instruments", lambda w: [put(w[0], 0, "62"), *w[1:]], "instrument word 0 is no option"),
        ("instruments", lambda w: [put(w[0], 31, "01"), *w[1:]], "instrument word 0 has reserved bits set"),
    ],
)
def test_the_typescript_example_refuses_words_that_the_group_key_signed(
    verifier, signed, tmp_path, part, change, says
):
    """A signature does not make a word of one that no contract takes."""
    group, file = signed
    altered = json.loads(json.dumps(file))
    holder = altered if part == "instruments" else altered["report"]
    holder[part] = change(holder[part])
    words = {
        name: bytes.fromhex("".join(word[2:] for word in altered["report"][name]))
        for name in ("forwards", "params")
    }
    book = bytes(keccak(bytes.fromhex("".join(word[2:] for word in altered["instruments"]))))
    report = msgspec.structs.replace(parse_report_file(json.dumps(file)).hedge_report(), book=book, **words)
    separator = domain_separator(EXAMPLE.chain_id, EXAMPLE.contract)
    digest = typed_digest(separator, report_struct_hash(report))
    altered["report"]["book"] = "0x" + book.hex()
    altered["digest"] = "0x" + digest.hex()
    altered["signature"] = "0x" + group.sign(digest).hex()
    (tmp_path / "report.json").write_text(json.dumps(altered))
    done = example(verifier, tmp_path / "report.json", group)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr


def test_the_typescript_example_says_what_it_was_not_given(verifier, signed, tmp_path):
    group, file = signed
    path = tmp_path / "report.json"
    assert "ENOENT" in example(verifier, path, group).stderr
    path.write_text("[")
    assert "is not JSON" in example(verifier, path, group).stderr
    path.write_text(json.dumps(file))
    other = SignedGroup().consortium.group_address
    for wrong, says in (
        ({"group_key": other}, "not the group key's"),
        ({"group_key": "0x12"}, "no address"),
        ({"contract": EXAMPLE.contract.swapcase().replace("0X", "0x")}, "checksum"),
        ({"chain_id": "one"}, "no chain id"),
        ({"chain_id": 1}, "not for"),
    ):
        done = example(verifier, path, group, **wrong)
        assert done.returncode == 1
        assert says in done.stderr
    bare = run_tool("node", str(verifier))
    assert (bare.returncode, bare.stdout) == (1, "")
    assert "usage: verify-report" in bare.stderr
