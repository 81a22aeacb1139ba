"""Members that answer a coordinator over an in-memory bus, signing with a group key in one piece."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import msgspec

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.inbox import Received
from mpc_party.protocol.merkle import merkle_root
from mpc_party.protocol.messages import (
    Abort,
    Commitment,
    Message,
    PhaseTimes,
    Proposal,
    Result,
    Status,
    message_hash,
)
from mpc_party.protocol.report import encode_report
from tests.support.signed_group import SignedGroup, flat_market

TIMES = PhaseTimes(1.0, 20.0, 5.0, 2.0, 3.0, 31.0, 1000, 60)
Reply = Callable[["Desks", int, Proposal], list[Message]]


@dataclass
class Desks:
    """The bus as the coordinator sees it, and the members behind it. `replies` overrides what a member answers."""

    group: SignedGroup
    offline: set[int] = field(default_factory=set)
    replies: dict[int, Reply] = field(default_factory=dict)
    published: list[Message] = field(default_factory=list)
    last_round: int = 0

    def __post_init__(self) -> None:
        self._inbox: asyncio.Queue[Received] = asyncio.Queue()
        self.proposed = asyncio.Event()

    @property
    def received(self) -> AsyncIterator[Received]:
        return self._read()

    async def _read(self) -> AsyncIterator[Received]:
        for member in range(self.group.members):
            if member not in self.offline:
                self.say(
                    member,
                    Status(online=True, consortium=self.group.consortium.hash, last_round=self.last_round),
                )
        while True:
            yield await self._inbox.get()

    async def publish(self, message: Message) -> None:
        self.published.append(message)
        if isinstance(message, Proposal):
            self.proposed.set()
            answers = {m: self._answer(m, message) for m in message.committee if m not in self.offline}
            # As over a broker: first everybody's first message, then everybody's second ...
            for step in range(max((len(a) for a in answers.values()), default=0)):
                for member, messages in answers.items():
                    if step < len(messages):
                        self.say(member, messages[step])

    def say(self, member: int, message: Message) -> None:
        self._inbox.put_nowait(Received(self.group.consortium.names[member], message, 1))

    def proposals(self) -> list[Proposal]:
        return [message for message in self.published if isinstance(message, Proposal)]

    def _answer(self, member: int, proposal: Proposal) -> list[Message]:
        return self.replies.get(member, honest)(self, member, proposal)


def commitment(member: int, proposal: Proposal) -> Commitment:
    snapshot = hashlib.sha256(f"{member}/{proposal.round}".encode()).digest()
    return Commitment(proposal.round, message_hash(proposal), snapshot)


def honest(desks: Desks, member: int, proposal: Proposal) -> list[Message]:
    return [commitment(member, proposal), result(desks, proposal)]


def silent(desks: Desks, member: int, proposal: Proposal) -> list[Message]:
    return []


def only_commits(desks: Desks, member: int, proposal: Proposal) -> list[Message]:
    return [commitment(member, proposal)]


def aborts(reason: Reason, culprit: str | None = None) -> Reply:
    def reply(desks: Desks, member: int, proposal: Proposal) -> list[Message]:
        return [Abort(proposal.round, reason, culprit, "as told by the test")]

    return reply


def result(desks: Desks, proposal: Proposal, **changes: object) -> Result:
    """The result of a round; `changes` are fields of the report that differ from the honest ones."""
    leaves = [commitment(m, proposal).snapshot for m in proposal.committee]
    report = msgspec.structs.replace(desks.group.report(proposal), inputs=merkle_root(leaves), **changes)
    digest, signature = desks.group.signed(report)
    return Result(proposal.round, digest, encode_report(report), signature, TIMES)


class Books:
    """A market that stands still, one second later each time."""

    replays = False

    def __init__(self, observed_at: int, strikes: int = 3) -> None:
        self.time, self.strikes = observed_at, strikes

    def continue_after(self, observed_at: int) -> None:
        self.time = max(self.time, observed_at)

    def observe(self, _now: int, *, retry: bool):
        self.time += 0 if retry else 1
        return flat_market(self.time, self.strikes)
