"""What may differ between two successive consortium files, and who must be there when one follows the other.

A successor is the same consortium one epoch later: `id`, `name`, `program` and `settlement` stay, `epoch` counts up by one;
members, threshold, broker and coordinator may change. It comes without `key` and `model`: the ceremony adds them.

A member is the same in both files where its name and its signing key are. Its other entries may change.
"""

from collections.abc import Collection
from typing import Final

import msgspec

from mpc_party.protocol.consortium import Consortium, GroupKey, Member
from mpc_party.protocol.consortium_rules import check_consortium
from mpc_party.protocol.errors import ConfigError, Reason

STAYS: Final = ("version", "id", "name", "program", "settlement")
ADDED: Final = ("key", "model")


def check_successor(old: Consortium, new: Consortium) -> None:
    """Check that `new` may follow `old`.

    Raises:
        ConfigError: CONSORTIUM_INCOMPLETE, the old one has no key yet; CONSORTIUM_MISMATCH, naming the field that must not
            differ, or must not be there.
    """
    if old.key is None:
        raise ConfigError(
            f"consortium {old.name!a} has no key yet, so there is nothing to hand over",
            reason=Reason.CONSORTIUM_INCOMPLETE,
            remedy="`mpc-party keygen` makes one",
        )
    for field in STAYS:
        if getattr(old, field) != getattr(new, field):
            raise _refuse(f"{field}: stays what it is from one epoch to the next", "make the next file with"
                          " `mpc-coordinator create --previous FILE`")  # fmt: skip
    if new.epoch != old.epoch + 1:
        raise _refuse(
            f"epoch: {new.epoch} does not follow {old.epoch}",
            "make the next file from the one that is in force",
        )
    for field in ADDED:
        if getattr(new, field) is not None:
            raise _refuse(f"{field}: the next file has none; the ceremony adds it", "take the section out")
    _check_identities(old, new)


def _check_identities(old: Consortium, new: Consortium) -> None:
    """One name, one key: a name that passed to another key would make two members of one name meet in the ceremony."""
    for index, member in enumerate(new.members):
        for before in old.members:
            if (member.name == before.name) != (member.signing_key == before.signing_key):
                shared = "name" if member.name == before.name else "signing_key"
                raise _refuse(
                    f"members[{index}].{shared}: was that of another member ({before.name}) in epoch {old.epoch}",
                    "a new member has a name and a signing key of its own",
                )


def _refuse(message: str, remedy: str) -> ConfigError:
    return ConfigError(message, reason=Reason.CONSORTIUM_MISMATCH, remedy=remedy)


def is_same(one: Member, other: Member) -> bool:
    """Whether two entries are of one member."""
    return (one.name, one.signing_key) == (other.name, other.signing_key)


def successor(
    old: Consortium,
    *,
    keep: Collection[str] | None = None,
    joining: Collection[Member] = (),
    threshold: int | None = None,
    broker: str | None = None,
    coordinator: str | None = None,
) -> Consortium:
    """The next file, without key and model.

    Args:
        old: the file in force, with its key.
        keep: names of the members that stay; None keeps all. They keep their order.
        joining: entries of new members, after those that stay. One whose name and key are those of a member that stays
            replaces its entry, for a new address or certificate.
        threshold: None keeps it.
        broker: None keeps it.
        coordinator: None keeps it.

    Raises:
        ConfigError: no such member, or the result breaks a rule.
    """
    names = set(old.names) if keep is None else set(keep)
    for name in sorted(names):
        old.index_of(name)  # raises where there is none
    renewed = {new.name: new for new in joining if any(is_same(new, m) for m in old.members)}
    members = [renewed.get(m.name, m) for m in old.members if m.name in names or m.name in renewed]
    members += [new for new in joining if new.name not in renewed]
    given = {"threshold": threshold, "broker": broker, "coordinator": coordinator}
    new = msgspec.structs.replace(
        old,
        epoch=old.epoch + 1,
        members=tuple(members),
        key=None,
        model=None,
        **{field: value for field, value in given.items() if value is not None},
    )
    check_consortium(new)
    check_successor(old, new)
    return new


def completed(new: Consortium, key: GroupKey, model: str | None) -> Consortium:
    """The next file as the ceremony completes it, checked.

    Raises:
        ConfigError: the key does not fit the members, or is not attested by all of them.
    """
    complete = msgspec.structs.replace(new, key=key, model=model)
    check_consortium(complete)
    return complete


def fewest_old(old: Consortium) -> int:
    """How many old members must take part: t+1 to deal, and so many that those outside cannot make the 2t+1 that sign."""
    n, t = len(old.members), old.threshold
    return max(t + 1, n - 2 * t)


__all__ = ["ADDED", "STAYS", "check_successor", "completed", "fewest_old", "is_same", "successor"]
