from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import structlog

from mpc_party.console import configure_logging
from mpc_party.daemon.round_job import PartyContext, Preparation, prepare
from mpc_party.journal import Journal
from mpc_party.market import DeskView, SimulatedMarket
from mpc_party.member.connecting import open_mesh
from mpc_party.protocol.committees import next_round
from mpc_party.protocol.messages import Proposal, message_hash
from mpc_party.protocol.model_share import ModelShare
from mpc_party.signing import KeyShare, MessageKeys
from tests.support import world as worlds
from tests.support.joint import make_proposal
from tests.support.mesh_parties import reserved_ports
from tests.support.party_homes import NOWHERE, SECRET, make_world
from tests.support.party_in_hand import Party
from tests.support.world import World

MOMENT = 1_795_000_000  # the tests' clock stands here
MARKET = SimulatedMarket(11)
DEADLINE = 60.0


@pytest.fixture(scope="package")
def world(tmp_path_factory) -> Iterator[World]:
    """Four members whose mesh ports nobody else is given."""
    with reserved_ports(4) as ports:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worlds, "free_ports", lambda _: ports)
            made = make_world(tmp_path_factory.mktemp("world") / "w", count=4, broker=NOWHERE)
        yield made


@dataclass
class Parties:
    """Members of one consortium, each with its own journal, mesh and desk, in one process."""

    world: World
    contexts: dict[int, PartyContext]

    def names(self, *members: int) -> list[str]:
        return [self.world.consortium.names[member] for member in members]

    def prepare(self, proposal: Proposal, last_observed: int = 0) -> dict[int, Preparation]:
        digest = message_hash(proposal)
        return {
            member: prepare(self.contexts[member], proposal, digest, last_observed)
            for member in proposal.committee
        }

    def together(self, members: Sequence[int], job: Callable[[int], object]) -> dict[int, object]:
        """Run the job of each of these members in a thread of its own; what each returned or raised."""
        outcomes: dict[int, object] = {}

        def work(member: int) -> None:
            try:
                outcomes[member] = job(member)
            except BaseException as failure:  # noqa: BLE001 - looked at by the test
                outcomes[member] = failure

        threads = [
            threading.Thread(target=work, args=(member,), name=f"party {member}", daemon=True)
            for member in members
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert set(outcomes) == set(members), "a party hangs"
        return outcomes


@pytest.fixture(scope="package")
def shares(world) -> dict[int, tuple[KeyShare, ModelShare]]:
    """What the members' folders hold, opened once."""
    opened = {}
    for own, identity in enumerate(world.identities):
        home = world.home(identity.name)
        opened[own] = (
            home.key_share(SECRET, world.consortium, own),
            home.model_share(identity, world.consortium, own),
        )
    return opened


@contextmanager
def seated(
    world: World, shares: dict[int, tuple[KeyShare, ModelShare]], folder: Path, members: Sequence[int]
) -> Iterator[Parties]:
    consortium = world.consortium
    keys = {index: bytes.fromhex(m.signing_key) for index, m in enumerate(consortium.members)}
    with ExitStack() as stack:
        contexts = {}
        for own in members:
            identity, (key, model) = world.identities[own], shares[own]
            contexts[own] = PartyContext(
                consortium=consortium,
                own=own,
                desk=DeskView(MARKET, f"desk {own}"),
                mesh=stack.enter_context(
                    open_mesh(consortium, own, identity, listen=None, consortium_hash=consortium.hash)
                ),
                journal=stack.enter_context(
                    Journal.open(
                        folder / f"{identity.name}.sqlite",
                        consortium=consortium.id_bytes,
                        epoch=consortium.epoch,
                    )
                ),
                key=key,
                model=model,
                approver=MessageKeys(sign=identity.sign, keys=keys),
            )
        yield Parties(world, contexts)


@pytest.fixture
def parties(world, shares, tmp_path, clock) -> Iterator[Parties]:
    with seated(world, shares, tmp_path, range(4)) as seats:
        yield seats


@pytest.fixture
def clock(monkeypatch) -> None:
    monkeypatch.setattr("mpc_party.daemon.round_job.time.time", lambda: float(MOMENT))


@pytest.fixture(scope="package")
def proposals() -> Callable[..., Proposal]:
    """Proposals of a small book."""
    base = make_proposal(MARKET, MOMENT, most=40)

    def make(number: int = 1, **changes: object) -> Proposal:
        return msgspec.structs.replace(base, round=number, **changes)

    return make


@pytest.fixture(scope="package")
def numbered(proposals) -> Callable[..., Proposal]:
    """The same, each with the number of its committee's `nth` round, which alone is accepted."""

    def make(nth: int = 1, **changes: object) -> Proposal:
        proposal = proposals(nth, **changes)
        possible = len(proposal.committee) == 3 and proposal.committee[-1] < 4
        number = next_round(proposal.committee, 4, 4 * nth - 1) if possible else nth
        return msgspec.structs.replace(proposal, round=number)

    return make


@pytest.fixture
def party(world, tmp_path, monkeypatch):
    configure_logging("error")
    yield Party(world, tmp_path, monkeypatch)
    structlog.reset_defaults()
