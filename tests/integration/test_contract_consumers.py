"""Programs of others on what the contracts give: Aave's oracle, viem, ethers and the TypeScript example, on Anvil."""

import importlib.util
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from eth_hash.auto import keccak
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3

from coordinator.artifact import load_abi
from coordinator.reader import Feed
from coordinator.report_file import dump_report_file, make_report_file, parse_report_file
from coordinator.settlement import SettlementError
from mpc_party.protocol.eip712 import domain_separator, report_struct_hash, typed_digest
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.words import split_words, unpack_instrument, unpack_param
from tests.support.chains import anvil_chain, rpc
from tests.support.signed_group import CHAIN_START, EXAMPLE, SignedGroup, book_words

pytestmark = pytest.mark.integration

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
ARTIFACTS = CONTRACTS / "artifacts"
PEERS = CONTRACTS / "test" / "peers"
EXAMPLE_FOLDER = CONTRACTS / "examples" / "typescript"
VECTOR = CONTRACTS / "test" / "vectors" / "report.json"
PRICE = 6  # of the enum Field
WINDOW = 60
VALIDITY = 3600
PATIENCE = 120


def toolchain():
    spec = importlib.util.spec_from_file_location("toolchain", CONTRACTS / "scripts" / "toolchain.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOLS = toolchain()


def run(*command, cwd=CONTRACTS):
    try:
        environment = TOOLS.environment()
    except TOOLS.ToolchainError as error:
        # Where it must be there, its absence is a failure and not a skipped test.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def tool(name):
    try:
        return TOOLS.binary(name)
    except TOOLS.ToolchainError as error:
        return (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


def peer(program, *arguments):
    done = run("node", str(PEERS / program), *map(str, arguments))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class Stage:
    """A feed with one final report on Anvil, and an adapter of one instrument's price."""

    url: str
    feed: str
    adapter: str
    instrument_id: int
    words: list[bytes]
    params: list[bytes]
    report: object
    reader: Feed
    set_live: object


def deploy(web3, abi, bytecode, *arguments):
    built = web3.eth.contract(abi=abi, bytecode=bytecode).constructor(*arguments)
    receipt = web3.eth.wait_for_transaction_receipt(built.transact({"from": web3.eth.accounts[0]}))
    return web3.eth.contract(address=receipt["contractAddress"], abi=abi)


def send(web3, call):
    receipt = web3.eth.wait_for_transaction_receipt(call.transact({"from": web3.eth.accounts[0]}))
    assert receipt["status"] == 1


def publish_on_a_feed(web3, folder, report, words, now):
    """Deploy a feed, give it this report and let its window pass. The one place that knows which contract it is."""
    source = "test/consumers/MockFeed.sol"
    built = run(
        str(tool("forge")), "build", source, "--out", str(folder / "out"), "--cache-path", str(folder / "cache")
    )  # fmt: skip
    assert built.returncode == 0, built.stderr + built.stdout
    artifact = json.loads((folder / "out" / "MockFeed.sol" / "MockFeed.json").read_text())
    feed = deploy(web3, artifact["abi"], artifact["bytecode"]["object"], 8, WINDOW)
    send(web3, feed.functions.register(words))
    send(web3, feed.functions.registerBook(list(range(1, len(words) + 1))))
    rpc(web3.provider.endpoint_uri, "evm_setNextBlockTimestamp", now)
    send(
        web3,
        feed.functions.publish(
            1,
            report.round,
            report.observed_at,
            report.valid_until,
            list(split_words(report.forwards)),
            list(split_words(report.params)),
        ),
    )
    return feed.address, lambda live: send(web3, feed.functions.setLive(live))


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    group = SignedGroup()
    group.at(EXAMPLE)
    with anvil_chain([], CHAIN_START) as url:
        web3 = Web3(HTTPProvider(url))
        observed = CHAIN_START + 300
        proposal = group.proposal(5, observed)
        report = group.report(proposal)
        words = list(split_words(book_words(proposal)))
        feed, set_live = publish_on_a_feed(
            web3, tmp_path_factory.mktemp("feed"), report, words, observed + 10
        )
        factory_file = json.loads((ARTIFACTS / "FeedAdapterFactory.json").read_text())
        factory = deploy(web3, factory_file["abi"], factory_file["bytecode"])
        # The call in the middle of the last expiry: a price far above one unit.
        instrument_id = len(words) - 4
        arguments = (feed, instrument_id, PRICE)
        send(web3, factory.functions.create(*arguments))
        clock(url, observed + 10 + WINDOW)
        yield Stage(
            url,
            feed,
            factory.functions.adapterOf(*arguments).call(),
            instrument_id,
            words,
            list(split_words(report.params)),
            report,
            Feed(url, feed, chain_id=31_337),
            set_live,
        )


def clock(url, timestamp):
    rpc(url, "evm_setNextBlockTimestamp", timestamp)
    rpc(url, "evm_mine")


@pytest.mark.parametrize("library", ["viem", "ethers"])
def test_another_library_has_the_same_digest_and_the_same_signer(library):
    vector = json.loads(VECTOR.read_text())
    said = peer(f"digest-{library}.mjs", ARTIFACTS / "HedgeSettlement.json", VECTOR)
    assert said == {
        "digest": vector["digest"],
        "domainSeparator": vector["domainSeparator"],
        "signer": vector["groupKey"],
    }


@pytest.mark.parametrize("library", ["viem", "ethers"])
def test_one_other_bit_is_another_signer(library, tmp_path):
    vector = json.loads(VECTOR.read_text())
    vector["report"]["params"][-1] = vector["report"]["params"][-1][:-1] + "1"
    (tmp_path / "vector.json").write_text(json.dumps(vector))
    said = peer(f"digest-{library}.mjs", ARTIFACTS / "HedgeSettlement.json", tmp_path / "vector.json")
    assert said["digest"] != vector["digest"]
    assert said["signer"] != vector["groupKey"]


def test_the_reader_reads_what_was_published(stage):
    state = stage.reader.state()
    assert (state.live, state.latest_sequence) == (True, 1)
    for index, word in enumerate(stage.words):
        reading = stage.reader.reading(index + 1, block=state.block)
        assert reading == stage.reader.reading(index + 1, sequence=1)
        assert reading.param == unpack_param(stage.params[index])
        assert stage.reader.instrument(index + 1) == unpack_instrument(word)
        assert stage.reader.id_of(unpack_instrument(word)) == index + 1
    assert (reading.round, reading.observed_at) == (stage.report.round, stage.report.observed_at)
    assert reading.accepted_at == stage.report.observed_at + 10
    assert reading.unfit(state, VALIDITY) is None


def test_the_reader_names_what_is_not_there(stage):
    for ask in (
        lambda: stage.reader.reading(len(stage.words) + 1),
        lambda: stage.reader.reading(1, sequence=2),
        lambda: stage.reader.instrument(0),
    ):
        with pytest.raises(SettlementError) as caught:
            ask()
        assert caught.value.reason is Reason.SETTLEMENT_REVERTED


@pytest.mark.parametrize("library", ["viem", "ethers"])
def test_another_library_reads_what_the_reader_reads(stage, library):
    said = peer(
        f"read-{library}.mjs",
        stage.url,
        ARTIFACTS / "IHedgeFeed.json",
        stage.feed,
        ARTIFACTS / "FeedAdapter.json",
        stage.adapter,
        stage.instrument_id,
    )
    reading = stage.reader.reading(stage.instrument_id)
    theirs = said["reading"]
    assert unpack_param(bytes(HexBytes(theirs["param"]))) == reading.param
    assert {name: int(value) for name, value in theirs.items() if name != "param"} == {
        "forward": reading.forward,
        "sequence": reading.sequence,
        "round": reading.round,
        "observedAt": reading.observed_at,
        "validUntil": reading.valid_until,
        "acceptedAt": reading.accepted_at,
    }
    assert said["live"] is True
    assert int(said["latestSequence"]) == stage.reader.state().latest_sequence
    assert bytes(HexBytes(said["instrument"])) == stage.words[stage.instrument_id - 1]
    assert [int(item) for item in said["round"]] == [
        1, reading.param.premium * reading.forward // 10**8, reading.observed_at, reading.observed_at, 1,
    ]  # fmt: skip
    assert said["decimals"] == 8


def test_the_adapter_says_what_it_is_of(stage):
    instrument = stage.reader.instrument(stage.instrument_id)
    web3 = Web3(HTTPProvider(stage.url))
    adapter = web3.eth.contract(address=stage.adapter, abi=load_abi("FeedAdapter"))
    day = time.strftime("%d-%b-%Y", time.gmtime(instrument.expiry)).upper()
    strike = instrument.strike // 10**8
    kind = "C" if instrument.call else "P"
    assert adapter.functions.description().call() == f"BTC {day} {strike} {kind} / price"
    assert adapter.functions.feed().call() == stage.feed


def test_aaves_oracle_takes_the_adapter_for_a_price_source(stage):
    said = peer("aave-oracle.mjs", stage.url, stage.adapter)
    reading = stage.reader.reading(stage.instrument_id)
    price = reading.param.premium * reading.forward // 10**8
    assert price > 100 * 10**8
    assert said["before"] == "7"  # the fallback's
    assert said["refused"] == {"reverted": "5"}  # Errors.CALLER_NOT_ASSET_LISTING_OR_POOL_ADMIN
    assert said["source"] == stage.adapter
    assert (said["price"], said["unit"]) == (str(price), str(10**8))
    assert said["prices"] == [str(price), str(10**8)]

    def now():
        return peer("aave-price.mjs", stage.url, said["oracle"], said["asset"])

    # Aave asks for the bare number: what must not be relied on stops it, and the fallback is not asked either.
    stage.set_live(False)
    assert now() == {"reverted": "No data present"}
    state = stage.reader.state()
    assert "not live" in stage.reader.reading(stage.instrument_id, block=state.block).unfit(state, VALIDITY)
    stage.set_live(True)
    assert now() == {"price": str(price)}
    snapshot = rpc(stage.url, "evm_snapshot")
    clock(stage.url, stage.report.valid_until + 1)
    assert now() == {"reverted": "No data present"}
    state = stage.reader.state()
    assert "expired" in stage.reader.reading(stage.instrument_id, block=state.block).unfit(state, VALIDITY)
    assert rpc(stage.url, "evm_revert", snapshot) is True
    assert now() == {"price": str(price)}


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    """The example, type-checked and compiled beside the checkout."""
    folder = tmp_path_factory.mktemp("typescript")
    done = run(str(tool("tsc")), "--project", str(EXAMPLE_FOLDER), "--outDir", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(EXAMPLE_FOLDER / "package.json", folder)
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
    done = run("node", str(verifier), str(path), *flags)
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
    bare = run("node", str(verifier))
    assert (bare.returncode, bare.stdout) == (1, "")
    assert "usage: verify-report" in bare.stderr
