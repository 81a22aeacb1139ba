"""The topics of the control plane: who says what, and where.

::

    mpc/<first 16 hex of the consortium's id>/<epoch>/proposal              by the coordinator
    mpc/<...>/<epoch>/settled                                               by the coordinator
    mpc/<...>/<epoch>/commitment/<member>   result/<member>   abort/<member>  by that member
    mpc/<...>/<epoch>/status/<member or "coordinator">                      by that sender, retained, last will
    mpc/<...>/<epoch>/probe/<sender>                                        a sender to itself, see `bus`

Everybody subscribes to `mpc/<...>/<epoch>/#`: one line in a broker's access list grants it, and the probe tests
the very subscription that all messages come by.
"""

from typing import Final

from mpc_party.protocol.consortium import COORDINATOR, Consortium
from mpc_party.protocol.messages import Abort, Commitment, Message, Proposal, Result, Settled, Status

_OF_COORDINATOR: Final[dict[type[Message], str]] = {Proposal: "proposal", Settled: "settled"}
_OF_MEMBER: Final[dict[type[Message], str]] = {Commitment: "commitment", Result: "result", Abort: "abort"}


def topic_prefix(consortium: Consortium) -> str:
    """What all topics of this consortium and epoch begin with, without the last slash."""
    return f"mpc/{consortium.id[:16]}/{consortium.epoch}"


def subscription(consortium: Consortium) -> str:
    """The one topic filter that everybody subscribes to."""
    return f"{topic_prefix(consortium)}/#"


def probe_topic(consortium: Consortium, sender: str) -> str:
    """Where a sender probes whether the broker delivers."""
    return f"{topic_prefix(consortium)}/probe/{sender}"


def status_topic(consortium: Consortium, sender: str) -> str:
    """Where a sender's retained status stands."""
    return f"{topic_prefix(consortium)}/status/{sender}"


def topic_of(consortium: Consortium, sender: str, kind: type[Message]) -> str | None:
    """The one topic on which this sender may publish this type of message; None if it may not at all.

    Args:
        consortium: whose file decides who the members are.
        sender: a member's name or "coordinator"; others get None.
        kind: the message's class.
    """
    if sender != COORDINATOR and sender not in consortium.names:
        return None
    if kind is Status:
        return status_topic(consortium, sender)
    if sender == COORDINATOR:
        word = _OF_COORDINATOR.get(kind)
        return None if word is None else f"{topic_prefix(consortium)}/{word}"
    word = _OF_MEMBER.get(kind)
    return None if word is None else f"{topic_prefix(consortium)}/{word}/{sender}"
