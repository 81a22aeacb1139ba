"""A new consortium out of its members' cards."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from mpc_party.protocol.card import load_card
from mpc_party.protocol.consortium import Consortium, Program
from mpc_party.protocol.consortium_file import dump_consortium, parse_consortium
from mpc_party.protocol.consortium_rules import VERSION
from mpc_party.protocol.errors import ConfigError

FIRST_EPOCH = 1


def create_consortium(
    *,
    name: str,
    cards: Sequence[Path],
    broker: str,
    threshold: int,
    coordinator: str,
    program: Mapping[str, int | None],
) -> Consortium:
    """Read the cards and put the consortium together, with a fresh identity, without key, model and contract.

    Args:
        name: of the consortium.
        cards: the members' card files; members are numbered in this order.
        broker: URL.
        threshold: t.
        coordinator: Ed25519 public key, hex.
        program: parameters that differ from the defaults; None keeps the default.

    Raises:
        ConfigError: a card or a rule of the consortium file is broken.
    """
    members = tuple(load_card(path).member for path in cards)
    given = {key: value for key, value in program.items() if value is not None}
    try:
        chosen = msgspec.convert(msgspec.to_builtins(Program()) | given, Program)
    except msgspec.ValidationError as error:
        raise ConfigError(f"program: {error}") from None
    consortium = Consortium(
        version=VERSION,
        name=name,
        id=secrets.token_hex(32),
        epoch=FIRST_EPOCH,
        threshold=threshold,
        broker=broker,
        coordinator=coordinator,
        members=members,
        program=chosen,
    )
    # What is written must be what is read.
    return parse_consortium(dump_consortium(consortium))
