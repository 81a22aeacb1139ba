"""A new consortium out of its members' cards, and the next file of one that changes."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from mpc_party.protocol.card import load_card
from mpc_party.protocol.consortium import Consortium, Program
from mpc_party.protocol.consortium_file import dump_consortium, load_consortium, parse_consortium
from mpc_party.protocol.consortium_rules import VERSION
from mpc_party.protocol.errors import ConfigError
from mpc_party.resharing.successor import successor

FIRST_EPOCH = 1
NEXT_FILE = "consortium.next.toml"


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


def create_successor(
    previous: Path,
    *,
    cards: Sequence[Path],
    keep: Sequence[str],
    remove: Sequence[str],
    threshold: int | None,
    broker: str | None,
    coordinator: str,
) -> Consortium:
    """The file of the next epoch, for `mpc-party reshare`: the same consortium, other members, threshold, broker or coordinator.

    Args:
        previous: the consortium file in force, with its key.
        cards: of members that join, after those that stay, in this order; a card of a member that stays renews its entry.
        keep: names of the members that stay; none given: all but those of `remove`.
        remove: names of the members that leave.
        threshold: None keeps it.
        broker: None keeps it.
        coordinator: Ed25519 public key, hex.

    Raises:
        ConfigError: a card, the file or a rule is broken; a name is no member's, or in both lists.
    """
    old = load_consortium(previous)
    for name in (*keep, *remove):
        old.index_of(name)  # raises where there is none
    both = set(keep) & set(remove)
    if both:
        raise ConfigError(f"--keep, --remove: {', '.join(sorted(both))} cannot stay and leave")
    if keep and remove and set(keep) | set(remove) != set(old.names):
        unsaid = [name for name in old.names if name not in {*keep, *remove}]
        raise ConfigError(
            f"--keep, --remove: nothing is said of {', '.join(unsaid)}",
            remedy="give one of the two, or all names",
        )
    staying = set(keep) if keep else set(old.names) - set(remove)
    new = successor(
        old,
        keep=staying,
        joining=[load_card(path).member for path in cards],
        threshold=threshold,
        broker=broker,
        coordinator=coordinator,
    )
    return parse_consortium(dump_consortium(new))
