import json
import socket

import httpx
import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.chain import ChainServer, EmbeddedChain, JsonRpc
from coordinator.chain.evm import TRANSACTION_GAS_CAP
from coordinator.chain.server import MAX_BODY
from mpc_party.protocol.errors import ConfigError
from tests.support.signed_group import CHAIN_START

KEY = Account.from_key(b"\x07" * 32)
SOMEBODY = "0x" + "01" * 20
# mstore(0, 1); revert(0, 32)
REVERTS = "0x600160005260206000fd"
# sstore(0, timestamp); stop
KEEPS_TIME = "0x4260005500"
# emit a log with one topic (0x2a) and the data 0x..07
LOGS = "0x6007600052602a60206000a100"
LOOPS = "0x5b600056"


@pytest.fixture
def rpc():
    return JsonRpc(EmbeddedChain(fund=[KEY.address], start_time=CHAIN_START))


@pytest.fixture(scope="module")
def shared_rpc():
    return JsonRpc(EmbeddedChain(fund=[KEY.address], start_time=CHAIN_START))


def ask(rpc, method, *parameters, whole=False):
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
    answer = json.loads(rpc.answer(json.dumps(body).encode()))
    assert answer["id"] == 1
    return answer if whole else answer["result"]


def error(rpc, method, *parameters):
    return ask(rpc, method, *parameters, whole=True)["error"]


def send(rpc, **changes):
    nonce = int(ask(rpc, "eth_getTransactionCount", KEY.address), 16)
    transaction = {
        "chainId": 31_337, "nonce": nonce, "gas": 200_000, "maxFeePerGas": 3 * 10**9,
        "maxPriorityFeePerGas": 10**9, "value": 0, **changes,
    }  # fmt: skip
    signed = KEY.sign_transaction(transaction)
    return ask(rpc, "eth_sendRawTransaction", "0x" + signed.raw_transaction.hex(), whole=True)


def test_the_chain_begins_at_its_start_time_with_its_funds_and_no_known_keys(rpc):
    block = ask(rpc, "eth_getBlockByNumber", "0x0", False)
    assert CHAIN_START <= int(block["timestamp"], 16) <= CHAIN_START + 60
    assert int(ask(rpc, "eth_getBalance", KEY.address, "latest"), 16) == 10**24
    known = Account.from_key((1).to_bytes(32, "big")).address
    assert ask(rpc, "eth_getBalance", known) == "0x0"
    assert ask(rpc, "eth_accounts") == []
    assert ask(rpc, "eth_chainId") == "0x7a69"
    assert ask(rpc, "net_version") == "31337"


def test_a_transaction_is_in_a_block_of_its_own_at_once(rpc):
    sent = send(rpc, to=SOMEBODY, value=5)["result"]
    receipt = ask(rpc, "eth_getTransactionReceipt", sent)
    assert (receipt["status"], receipt["blockNumber"], receipt["gasUsed"]) == ("0x1", "0x1", "0x5208")
    assert ask(rpc, "eth_getTransactionByHash", sent)["value"] == "0x5"
    block = ask(rpc, "eth_getBlockByHash", receipt["blockHash"], True)
    assert [t["hash"] for t in block["transactions"]] == [sent]
    assert ask(rpc, "eth_getBlockByNumber", "latest", False)["transactions"] == [sent]
    assert ask(rpc, "eth_getBalance", SOMEBODY) == "0x5"
    assert ask(rpc, "eth_getBalance", SOMEBODY, "0x0") == "0x0"


def test_what_the_chain_does_not_take_leaves_it_as_it_was(rpc):
    send(rpc, to=SOMEBODY)
    for changes in (
        {"nonce": 0},
        {"nonce": 9},
        {"maxFeePerGas": 1, "maxPriorityFeePerGas": 0},
        {"value": 10**25},
    ):
        assert send(rpc, to=SOMEBODY, **changes)["error"]["code"] == -32_000
    assert send(rpc, to=SOMEBODY, chainId=1)["error"]["code"] == -32_000
    assert ask(rpc, "eth_blockNumber") == "0x1"
    assert "result" in send(rpc, to=SOMEBODY)
    assert ask(rpc, "eth_blockNumber") == "0x2"


@pytest.mark.parametrize("raw", ["0x", "0x00", "0x02ff", "0xc0", "0x" + "ff" * 100])
def test_bytes_that_are_no_transaction_are_refused(shared_rpc, raw):
    answer = error(shared_rpc, "eth_sendRawTransaction", raw)
    assert answer["code"] == -32_000
    assert "no signed transaction" in answer["message"]


def test_a_transaction_that_reverts_is_in_a_block_with_status_0(rpc):
    receipt = ask(rpc, "eth_getTransactionReceipt", send(rpc, data=REVERTS)["result"])
    assert receipt["status"] == "0x0"


def test_revert_data_reaches_the_caller(shared_rpc):
    for method in ("eth_call", "eth_estimateGas"):
        answer = error(shared_rpc, method, {"data": REVERTS, "from": KEY.address})
        assert answer["code"] == 3
        assert answer["data"] == "0x" + "00" * 31 + "01"


def test_a_call_that_never_ends_runs_out_of_gas(shared_rpc):
    answer = error(shared_rpc, "eth_call", {"data": LOOPS, "gas": hex(10**6)})
    assert answer["message"] == "execution failed: OutOfGas"


def test_gas_is_capped_as_on_the_main_chain(rpc):
    answer = error(rpc, "eth_estimateGas", {"data": "0x" + "60005a" * 10 + LOOPS[2:]})
    assert "execution failed" in answer["message"]
    assert TRANSACTION_GAS_CAP == 16_777_216


def test_an_estimate_is_enough_and_not_much_more(rpc):
    call = {"from": KEY.address, "data": KEEPS_TIME}
    estimate = int(ask(rpc, "eth_estimateGas", call), 16)
    receipt = ask(rpc, "eth_getTransactionReceipt", send(rpc, data=KEEPS_TIME, gas=estimate)["result"])
    assert receipt["status"] == "0x1"
    assert estimate <= int(receipt["gasUsed"], 16) * 1.05


def test_a_value_that_the_sender_does_not_have_fails_in_a_call_too(shared_rpc):
    call = {"from": SOMEBODY, "to": KEY.address, "value": "0x1"}
    assert "error" in ask(shared_rpc, "eth_call", call, whole=True)


def test_the_clock_runs_can_be_set_and_never_goes_back(rpc):
    at = CHAIN_START + 86_400
    assert ask(rpc, "evm_setNextBlockTimestamp", at) is None
    assert int(ask(rpc, "eth_getBlockByNumber", "pending", False)["timestamp"], 16) == at
    send(rpc, to=SOMEBODY)
    assert int(ask(rpc, "eth_getBlockByNumber", "latest", False)["timestamp"], 16) == at
    ask(rpc, "evm_increaseTime", 3600)
    ask(rpc, "evm_mine")
    then = int(ask(rpc, "eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    assert at + 3600 <= then <= at + 3700
    for bad in (then, at, 0, 2**41):
        assert error(rpc, "evm_setNextBlockTimestamp", bad)["code"] == -32_000
    ask(rpc, "evm_mine", {"blocks": 3})
    assert ask(rpc, "eth_blockNumber") == "0x5"


def test_logs_are_found_by_address_topic_and_block(rpc):
    creation = "0x" + "6d" + LOGS[2:] + "00" * (14 - len(LOGS[2:]) // 2) + "600052600e6012f3"
    receipt = ask(rpc, "eth_getTransactionReceipt", send(rpc, data=creation)["result"])
    contract = receipt["contractAddress"]
    logged = ask(rpc, "eth_getTransactionReceipt", send(rpc, to=contract)["result"])
    topic = "0x" + "00" * 31 + "2a"
    [entry] = logged["logs"]
    assert (entry["topics"], entry["data"]) == ([topic], "0x" + "00" * 31 + "07")
    found = [
        ask(rpc, "eth_getLogs", {"fromBlock": "0x0", **extra})
        for extra in (
            {"address": contract},
            {"address": [contract, SOMEBODY], "topics": [[topic]]},
            {"toBlock": "latest", "topics": [topic]},
        )
    ] + [ask(rpc, "eth_getLogs", {"blockHash": logged["blockHash"]})]
    assert all([e["transactionHash"] for e in entries] == [logged["transactionHash"]] for entries in found)
    assert ask(rpc, "eth_getLogs", {"fromBlock": "0x0", "topics": ["0x" + "11" * 32]}) == []
    assert ask(rpc, "eth_getLogs", {"fromBlock": "0x99"}) == []
    assert error(rpc, "eth_getLogs", {"fromBlock": "0x2", "toBlock": "0x1"})["code"] == -32_602


def test_fees_are_those_of_the_next_block(rpc):
    send(rpc, to=SOMEBODY)
    history = ask(rpc, "eth_feeHistory", "0x5", "latest", [10, 90])
    assert history["oldestBlock"] == "0x0"
    assert len(history["baseFeePerGas"]) == 3
    assert len(history["reward"]) == len(history["gasUsedRatio"]) == 2
    assert int(ask(rpc, "eth_gasPrice"), 16) > int(ask(rpc, "eth_maxPriorityFeePerGas"), 16)


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("eth_noSuchMethod", [], -32_601),
        ("__class__", [], -32_601),
        ("eth_getBalance", [], -32_602),
        ("eth_getBalance", ["0x12"], -32_602),
        ("eth_getBalance", [SOMEBODY, "newest"], -32_602),
        ("eth_getBalance", [SOMEBODY, "latest", 3], -32_602),
        ("eth_getBalance", [SOMEBODY, "0x99"], -32_000),
        ("eth_getStorageAt", [SOMEBODY, "0x" + "1" * 65], -32_602),
        ("eth_call", [7], -32_602),
        ("eth_call", [{"colour": 1}], -32_602),
        ("eth_call", [{"to": "0x1"}], -32_602),
        ("eth_call", [{"value": True}], -32_602),
        ("eth_call", [{"data": "0xabc"}], -32_602),
        ("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "0x20000"}], -32_602),
        ("eth_getLogs", [{"topics": [[SOMEBODY]]}], -32_602),
        ("eth_getLogs", [{"topics": [None] * 5}], -32_602),
        ("eth_getLogs", [{"blockHash": "0x" + "00" * 32, "fromBlock": "0x0"}], -32_602),
        ("eth_feeHistory", ["0x0", "latest"], -32_602),
        ("evm_mine", [{"blocks": 10**9}], -32_602),
        ("evm_increaseTime", [-5], -32_602),
    ],
)
def test_a_request_that_makes_no_sense_gets_the_protocols_error(shared_rpc, method, parameters, code):
    assert error(shared_rpc, method, *parameters)["code"] == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32_700),
        (b"{", -32_700),
        (b"[" * 100_000, -32_700),
        (b"\xff\xfe", -32_700),
        (b"7", -32_600),
        (b"[]", -32_600),
        (b"{}", -32_600),
        (b'{"id": {}, "method": "eth_chainId"}', -32_600),
        (b'{"id": 1, "method": "eth_chainId", "params": {}}', -32_602),
    ],
)
def test_a_body_that_is_no_request_gets_the_protocols_error(shared_rpc, body, code):
    assert json.loads(shared_rpc.answer(body))["error"]["code"] == code


def test_batches_are_answered_in_order_without_their_notifications_and_are_limited(shared_rpc):
    batch = [
        {"id": 1, "method": "eth_chainId"},
        {"method": "eth_chainId"},
        {"id": "two", "method": "nonsense"},
        5,
    ]
    answers = json.loads(shared_rpc.answer(json.dumps(batch).encode()))
    assert [a["id"] for a in answers] == [1, "two", None]
    assert shared_rpc.answer(b'{"method": "eth_chainId"}') == b""
    many = json.dumps([{"id": 1, "method": "eth_chainId"}] * 101).encode()
    assert json.loads(shared_rpc.answer(many))["error"]["code"] == -32_600


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=20)
    | st.just("latest")
    | st.just(SOMEBODY),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.just("data"), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_parameters_bring_a_method_down(shared_rpc, data):
    method = data.draw(st.sampled_from(sorted(shared_rpc._methods)))
    if method.startswith("evm_"):
        return
    body = {"id": 1, "method": method, "params": data.draw(st.lists(json_values, max_size=4))}
    answer = json.loads(shared_rpc.answer(json.dumps(body).encode()))
    assert answer.get("error", {}).get("code") != -32_603


@pytest.mark.parametrize(
    "address", ["0x12", "", "not an address", KEY.address.swapcase().replace("X", "x"), 5 * "0x"]
)
def test_funds_go_to_real_addresses_only(address):
    with pytest.raises(ConfigError):
        EmbeddedChain(fund=[address])


@pytest.mark.parametrize("start", [0, -1, 2**40])
def test_a_start_time_is_a_time(start):
    with pytest.raises(ConfigError):
        EmbeddedChain(start_time=start)


@pytest.fixture(scope="module")
def server(shared_rpc):
    with ChainServer(shared_rpc, 0) as running:
        yield running


def test_the_endpoint_answers_on_loopback(server):
    answer = httpx.post(server.url, json={"id": 1, "method": "eth_chainId"}, trust_env=False)
    assert answer.json()["result"] == "0x7a69"
    assert server.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "text/plain"}, b"{}", 415),
        ({}, b"{}", 415),
        ({"content-type": "application/json", "host": "evil.example"}, b"{}", 400),
        ({"content-type": "application/json"}, b" " * (MAX_BODY + 1), 413),
        ({"content-type": "application/json; charset=utf-8"}, b'{"method": "eth_chainId"}', 204),
    ],
)
def test_what_a_web_page_could_send_is_refused(server, headers, body, status):
    assert httpx.post(server.url, content=body, headers=headers, trust_env=False).status_code == status


def test_only_posts_are_taken(server):
    assert httpx.get(server.url, trust_env=False).status_code == 405


def test_a_port_in_use_is_one_clear_error(shared_rpc):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="--port"):
            ChainServer(shared_rpc, taken.getsockname()[1])
