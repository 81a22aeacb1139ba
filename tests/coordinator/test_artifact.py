import msgspec
import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from coordinator import artifact as module
from coordinator.artifact import load_artifact
from mpc_party.protocol.errors import ConfigError


def test_a_custom_error_is_told_by_name_with_its_arguments_and_what_to_do():
    artifact = load_artifact()
    selector = next(s for s, (name, _) in artifact.errors.items() if name == "RoundNotNewer")
    text, remedy = artifact.explain(selector + encode(["uint256", "uint256"], [3, 7]))
    assert text == "RoundNotNewer(round=3, latest=7)"
    assert "this round or a later one" in remedy


@pytest.mark.parametrize("name", ["HedgeSettlement", "ConsortiumMembers", "ConsortiumBond", "ReportJudge"])
def test_code_is_recognised_whatever_its_immutables_and_nothing_else(name):
    artifact = load_artifact(name)
    code = bytearray(artifact.deployed)
    for start, length in artifact.immutables:
        code[start : start + length] = b"\xab" * length
    assert artifact.matches(bytes(code))
    inside = {at for start, length in artifact.immutables for at in range(start, start + length)}
    for position in {0, len(code) - 1, *(start - 1 for start, _ in artifact.immutables)} - inside:
        code[position] ^= 1
        assert not artifact.matches(bytes(code))
        code[position] ^= 1
    assert not artifact.matches(bytes(code[:-1]))
    assert not artifact.matches(b"")


def test_the_ledger_and_the_members_have_immutables_and_the_judge_none():
    counts = {
        name: len(load_artifact(name).immutables)
        for name in ("HedgeSettlement", "ConsortiumMembers", "ReportJudge")
    }
    assert counts["HedgeSettlement"] > counts["ConsortiumMembers"] > counts["ReportJudge"] == 0


def test_immutables_that_are_not_where_the_artifact_says_are_damage(tmp_path, monkeypatch):
    raw = {
        "abi": [],
        "bytecode": "0x6001",
        "deployedBytecode": "0x60016002",
        "immutableReferences": {"0": [{"start": 1, "length": 2}]},
    }
    (tmp_path / "Odd.json").write_bytes(msgspec.json.encode(raw))
    monkeypatch.setattr(module, "_folder", lambda: tmp_path)
    with pytest.raises(ConfigError, match="missing or damaged"):
        load_artifact.__wrapped__("Odd")


def test_an_interface_has_no_code_to_load():
    with pytest.raises(ConfigError, match="holds no code"):
        load_artifact("IHedgeFeed")
    assert module.has_artifact("HedgeSettlement")
    assert not module.has_artifact("Nothing")


def test_every_remedy_is_for_an_error_that_a_contract_has():
    contracts = ("HedgeSettlement", "ConsortiumMembers", "ConsortiumBond")
    names = {name for contract in contracts for name, _ in load_artifact(contract).errors.values()}
    assert set(module._REMEDIES) <= names


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no reason given"),
        (bytes.fromhex("08c379a0") + encode(["string"], ["too late"]), "too late"),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]), "Panic(0x11)"),
        (bytes.fromhex("08c379a0") + b"\xff" * 64, "undecodable error 0x08c379a0"),
        (b"\x01\x02\x03\x04", "unknown error 0x01020304"),
    ],
)
def test_other_refusals(data, text):
    assert load_artifact().explain(data)[0].startswith(text)


@given(st.binary(max_size=200), st.sampled_from(sorted(load_artifact().errors)))
def test_no_revert_data_is_too_much(body, selector):
    for data in (body, selector + body):
        text, _ = load_artifact().explain(data)
        assert len(text) < 1000


@pytest.mark.parametrize(
    "content", [None, b"", b"{}", b"[]", b'{"abi": [], "bytecode": "zz", "deployedBytecode": ""}']
)
def test_a_damaged_artifact_is_one_clear_error(tmp_path, monkeypatch, content):
    if content is not None:
        (tmp_path / f"{module.LEDGER}.json").write_bytes(content)
    monkeypatch.setattr(module, "_folder", lambda: tmp_path)
    with pytest.raises(ConfigError, match="missing or damaged"):
        load_artifact.__wrapped__()
