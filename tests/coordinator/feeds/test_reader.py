import dataclasses
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from eth_abi.abi import encode
from eth_utils import function_signature_to_4byte_selector

from coordinator.artifact import load_abi
from coordinator.feeds.reader import Feed, FeedReading, FeedState, verify_report
from coordinator.report_file import make_report_file
from coordinator.settlement import Patience, SettlementError
from mpc_party.protocol.errors import ConfigError, Reason, ReportError
from mpc_party.protocol.words import InstrumentFields, ParamFields, pack_instrument, pack_param
from tests.support.signed_group import EXAMPLE, SignedGroup, book_words

ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CALL = InstrumentFields("BTC", call=True, expiry=1_806_220_800, strike=90_000 * 10**8)
PARAM = ParamFields(650_000, -512_345, 498_765, 1_234_567, 12_345_678, 4_567_890, 150_000, 200_000)
NOW = 1_767_254_460
WORDS = "(bytes32,uint96,uint32,uint64,uint64,uint64,uint64)"


def reading_words(sequence):
    return encode(
        [WORDS], [(pack_param(PARAM), 91_234 * 10**8, sequence, 3 * sequence, NOW - 60, NOW + 600, NOW - 50)]
    )


def selector(signature):
    return "0x" + function_signature_to_4byte_selector(signature).hex()


class FeedNode:
    """What a node says of a feed with seven final reports of one instrument, written out by another encoder than ours."""

    def __init__(self):
        self.asked = []
        self.code = "0x00"
        self.answers = {
            selector("isLive()"): lambda _: encode(["bool"], [True]),
            selector("latestSequence()"): lambda _: encode(["uint256"], [7]),
            selector("reading(uint256)"): lambda _: reading_words(7),
            selector("readingAt(uint256,uint256)"): lambda data: reading_words(int(data[74:], 16)),
            selector("instrument(uint256)"): lambda _: pack_instrument(CALL),
            selector("idOf(bytes32)"): lambda data: encode(
                ["uint256"], [4 if data[10:] == pack_instrument(CALL).hex() else 0]
            ),
        }

    def result(self, method, parameters):
        if method == "eth_chainId":
            return hex(31_337)
        if method == "eth_getCode":
            return self.code
        if method == "eth_getBlockByNumber":
            number = 12 if parameters[0] == "latest" else int(parameters[0], 16)
            return {"number": hex(number), "timestamp": hex(NOW)}
        assert method == "eth_call"
        call, block = parameters
        self.asked.append((call["data"][:10], block))
        assert call["to"] == ADDRESS
        return "0x" + self.answers[call["data"][:10]](call["data"]).hex()


@contextmanager
def serving(answer):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            result = answer.result(request["method"], request["params"])
            body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def node():
    return FeedNode()


@pytest.fixture
def url(node):
    with serving(node) as where:
        yield where


def test_a_reading_has_its_fields_by_name(url):
    expected = FeedReading(4, PARAM, 91_234 * 10**8, 7, 21, NOW - 60, NOW + 600, NOW - 50)
    feed = Feed(url, ADDRESS)
    assert feed.reading(4) == expected
    assert feed.reading(4, sequence=5) == dataclasses.replace(expected, sequence=5, round=15)


def test_a_block_is_read_as_one(url, node):
    feed = Feed(url, ADDRESS, chain_id=31_337)
    assert feed.state() == FeedState(12, NOW, live=True, latest_sequence=7)
    assert {block for _, block in node.asked} == {"0xc"}
    node.asked.clear()
    assert feed.state(9).block == 9
    feed.reading(4, block=9)
    feed.reading(4, sequence=2, block=9)
    assert {block for _, block in node.asked} == {"0x9"}


def test_instruments_by_number_and_back(url):
    feed = Feed(url, ADDRESS)
    assert feed.instrument(4) == CALL
    assert feed.id_of(CALL) == 4
    assert feed.id_of(msgspec.structs.replace(CALL, call=False)) is None
    with pytest.raises(ReportError, match="underlying"):
        feed.id_of(msgspec.structs.replace(CALL, underlying="btc"))


def test_a_word_that_no_report_holds_is_refused(url, node):
    node.answers[selector("reading(uint256)")] = lambda _: b"\xff" * 32 + reading_words(7)[32:]
    with pytest.raises(ReportError, match="reserved bits"):
        Feed(url, ADDRESS).reading(4)
    node.answers[selector("instrument(uint256)")] = lambda _: bytes(32)
    with pytest.raises(ReportError, match="instrument word"):
        Feed(url, ADDRESS).instrument(4)


@pytest.mark.parametrize("data", [b"", b"\0" * 31, b"\xff" * 7 * 32])
def test_an_answer_that_is_no_reading(url, node, data):
    node.answers[selector("reading(uint256)")] = lambda _: data
    with pytest.raises(SettlementError) as caught:
        Feed(url, ADDRESS).reading(4)
    assert caught.value.reason is Reason.CHAIN_UNREACHABLE


def test_another_chain_or_no_contract(url, node):
    with pytest.raises(SettlementError, match="on chain 31337, the feed on 1") as caught:
        Feed(url, ADDRESS, chain_id=1)
    assert caught.value.reason is Reason.CHAIN_MISMATCH
    node.code = "0x"
    with pytest.raises(SettlementError, match="no contract at") as caught:
        Feed(url, ADDRESS)
    assert caught.value.reason is Reason.CHAIN_MISMATCH


@pytest.mark.parametrize(
    "address", ["", "0x12", ADDRESS.swapcase(), ADDRESS.lower(), ADDRESS[2:], ADDRESS + "00"]
)
def test_what_is_no_address(address):
    with pytest.raises(ConfigError, match="not an EVM address"):
        Feed("http://127.0.0.1:1", address)


def test_an_interface_that_was_not_exported():
    with pytest.raises(ConfigError, match=r"Nothing\.json is missing or damaged"):
        load_abi("Nothing")


def test_a_dead_node():
    with pytest.raises(SettlementError) as caught:
        Feed("http://127.0.0.1:1", ADDRESS, patience=Patience(call=1.0))
    assert caught.value.reason is Reason.CHAIN_UNREACHABLE


@pytest.mark.parametrize(
    ("state", "max_age", "says"),
    [
        (FeedState(1, NOW, live=True, latest_sequence=7), 60, None),
        (FeedState(1, NOW, live=True, latest_sequence=7), 59, "60 seconds old"),
        (FeedState(1, NOW, live=False, latest_sequence=7), 60, "not live"),
        (FeedState(1, NOW, live=True, latest_sequence=8), 60, "the latest final one is 8"),
        (FeedState(1, NOW + 600, live=True, latest_sequence=7), 10**6, None),
        (FeedState(1, NOW + 601, live=True, latest_sequence=7), 10**6, "expired 1 seconds ago"),
        # The market's clock may run ahead of the chain's.
        (FeedState(1, NOW - 70, live=True, latest_sequence=7), 0, None),
    ],
)
def test_what_makes_a_reading_unfit(state, max_age, says):
    reading = FeedReading(4, PARAM, 91_234 * 10**8, 7, 21, NOW - 60, NOW + 600, NOW - 50)
    found = reading.unfit(state, max_age)
    assert found is None if says is None else says in found


@pytest.fixture(scope="module")
def group():
    made = SignedGroup()
    made.at(EXAMPLE)
    return made


@pytest.fixture(scope="module")
def file(group):
    proposal = group.proposal(5)
    report = group.report(proposal)
    _, signature = group.signed(report)
    return make_report_file(report, book_words(proposal), signature, EXAMPLE.chain_id, EXAMPLE.contract)


def verified(file, group, **changes):
    known = {
        "chain_id": EXAMPLE.chain_id,
        "contract": EXAMPLE.contract,
        "group_key": group.consortium.group_address,
    }
    return verify_report(file, **{**known, **changes})


def test_a_report_verifies_by_the_group_keys_address_alone(group, file):
    decoded = verified(file, group)
    assert (decoded.underlying, len(decoded)) == ("BTC", len(file.instruments))
    verified(file, group, contract=EXAMPLE.contract.lower(), group_key=group.consortium.group_address.lower())


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"chain_id": 1}, Reason.CHAIN_MISMATCH),
        ({"contract": "0x" + "ab" * 20}, Reason.CHAIN_MISMATCH),
        ({"group_key": "0x" + "ab" * 20}, Reason.SIGNATURE_INVALID),
        ({"group_key": "nobody"}, Reason.REPORT_INVALID),
        ({"contract": EXAMPLE.contract.swapcase().replace("0X", "0x")}, Reason.REPORT_INVALID),
    ],
)
def test_another_chain_contract_or_key_is_refused(group, file, known, reason):
    with pytest.raises(ReportError) as caught:
        verified(file, group, **known)
    assert caught.value.reason is reason


def test_another_file_is_refused(group, file):
    def changed(**changes):
        return msgspec.structs.replace(file, **changes)

    swapped = [file.instruments[1], file.instruments[0], *file.instruments[2:]]
    for other, says in (
        (changed(report=msgspec.structs.replace(file.report, round=6)), "the file says"),
        (changed(digest="0x" + "00" * 32), "the file says"),
        (changed(instruments=swapped), "book"),
        (changed(signature="0x" + SignedGroup().sign(bytes.fromhex(file.digest[2:])).hex()), "signature is"),
    ):
        with pytest.raises(ReportError, match=says):
            verified(other, group)
