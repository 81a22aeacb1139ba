"""A member's card: its public keys and address in a file of its own, signed by itself, to be sent around.

`mpc-party init` writes one, `mpc-coordinator create` collects them into the consortium file.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import tomli_w
from cryptography.exceptions import InvalidSignature

from mpc_party.protocol.consortium import Member
from mpc_party.protocol.consortium_rules import check_member, check_signing_key
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import read_text_limited, write_atomic
from mpc_party.protocol.hexadecimal import check_hex
from mpc_party.protocol.toml import convert, parse_toml

CARD_PREFIX: Final = b"mpc-hedge/member-card/v1"
VERSION: Final = 1
MAX_CARD: Final = 16 * 1024
WHAT: Final = "member card"


class MemberCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member's public data with its own Ed25519 signature over all of it.

    The signature proves that whoever made the card holds the signing key, and that no field was changed on
    the way. Whether the key is who it says is for people to check, by comparing the key over another channel.
    """

    version: int
    proof: str  # Ed25519 signature over `card_statement`, hex
    member: Member

    @property
    def file_name(self) -> str:
        """Where it is saved by convention."""
        return f"{self.member.name}.member.toml"


def card_statement(member: Member) -> bytes:
    """What the proof signs: the prefix, then the MessagePack array of the member's fields."""
    fields: tuple[Any, ...] = msgspec.structs.astuple(member)
    return CARD_PREFIX + msgspec.msgpack.encode(fields)


def check_card(card: MemberCard, what: str = WHAT) -> None:
    """Check every field and the proof.

    Raises:
        ConfigError: naming the field.
    """
    if card.version != VERSION:
        raise ConfigError(f"{what}: version: this program reads version {VERSION} only")
    try:
        check_member(card.member, "member")
        key = check_signing_key(card.member.signing_key, "member.signing_key")
        signature = check_hex(card.proof, 64, "proof")
    except ConfigError as error:
        raise ConfigError(f"{what}: {error.message}") from None
    try:
        key.verify(signature, card_statement(card.member))
    except InvalidSignature:
        raise ConfigError(
            f"{what}: proof: not the signature of {card.member.name} over this card",
            remedy="a field was changed after it was made; ask the member for the file again",
        ) from None


def parse_card(text: str, what: str = WHAT) -> MemberCard:
    """Read and check the text of a card.

    Raises:
        ConfigError: naming the field.
    """
    card = convert(parse_toml(text, what), MemberCard, what)
    check_card(card, what)
    return card


def load_card(path: Path | str) -> MemberCard:
    """Read and check a card file.

    Raises:
        ConfigError: with the path and the field.
    """
    return parse_card(read_text_limited(path, MAX_CARD, WHAT), f"{WHAT} {path}")


def dump_card(card: MemberCard) -> str:
    """The text of a card file, checked.

    Raises:
        ConfigError: the card breaks a rule.
    """
    check_card(card)
    return tomli_w.dumps(msgspec.to_builtins(card), multiline_strings=True)


def save_card(path: Path | str, card: MemberCard) -> None:
    """Check, and write the file in one step.

    Raises:
        ConfigError: the card breaks a rule, or the file cannot be written.
    """
    write_atomic(path, dump_card(card).encode("utf-8"))
