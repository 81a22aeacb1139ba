from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mpc_party.protocol.card import MemberCard, card_statement, dump_card, load_card, parse_card, save_card
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.identity import Identity

GOLDEN = Path(__file__).parent / "golden"
ALICE = Identity.generate("alice", "127.0.0.1:7000")
BOB = Identity.generate("bob", "127.0.0.1:7001")
CARD = ALICE.card()
TEXT = dump_card(CARD)


def test_a_card_of_version_1_still_loads() -> None:
    assert load_card(GOLDEN / "alice.member.v1.toml").member.name == "alice"


def test_what_is_written_reads_the_same(tmp_path: Path) -> None:
    assert CARD.file_name == "alice.member.toml"
    save_card(tmp_path / CARD.file_name, CARD)
    assert load_card(tmp_path / CARD.file_name) == CARD
    assert CARD.member == ALICE.member


def test_the_statement_is_what_the_document_says() -> None:
    fields = list(msgspec.to_builtins(CARD.member).values())
    assert card_statement(CARD.member) == b"mpc-hedge/member-card/v1" + msgspec.msgpack.encode(fields)


@pytest.mark.parametrize(
    "field", ["name", "signing_key", "encryption_key", "account", "mesh_address", "certificate"]
)
def test_a_card_with_one_field_of_another_is_refused(field: str) -> None:
    member = msgspec.structs.replace(CARD.member, **{field: getattr(BOB.member, field)})
    with pytest.raises(ConfigError, match="proof: not the signature of"):
        parse_card_of(MemberCard(1, CARD.proof, member))


def parse_card_of(card: MemberCard) -> MemberCard:
    """Through the text, without the writer's checks."""
    text = TEXT
    for field in card.member.__struct_fields__:
        text = text.replace(getattr(CARD.member, field), getattr(card.member, field))
    return parse_card(text.replace(CARD.proof, card.proof))


@pytest.mark.parametrize("proof", ["", "00" * 64, "00" * 63, CARD.proof.upper(), BOB.sign(b"x").hex()])
def test_a_bad_proof_is_refused(proof: str) -> None:
    with pytest.raises(ConfigError, match="proof"):
        parse_card(TEXT.replace(CARD.proof, proof))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("version = 1", "version = 2"), "version"),
        (("version = 1", "version = 1\nother = 1"), "unknown field"),
        (("127.0.0.1:7000", "nowhere"), r"member\.mesh_address"),
        (('"alice"', '"coordinator"'), r"member\.name: 'coordinator' is reserved"),
    ],
)
def test_bad_text_is_refused_by_field(change: tuple[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=f"^member card.*{words}") as refused:
        parse_card(TEXT.replace(*change))
    assert "\n" not in str(refused.value)


def test_a_card_that_is_not_valid_is_not_written() -> None:
    with pytest.raises(ConfigError, match="proof"):
        dump_card(msgspec.structs.replace(CARD, proof="00" * 64))
