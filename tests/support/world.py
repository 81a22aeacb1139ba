"""A consortium for integration tests: folders made through the library, parties run as real processes."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from models.deal import deal_model, share_file
from models.model_file import ModelFile
from mpc_party.hedging.model import MINIMUM_VARIANCE
from mpc_party.member.ceremony import attest
from mpc_party.member.home import PURPOSE_KEY_SHARE, PartyHome
from mpc_party.protocol.consortium import Consortium, Program, Settlement
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.files import write_atomic
from mpc_party.protocol.identity import CoordinatorIdentity, Identity
from mpc_party.protocol.keystore import seal
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.signing import KeygenContext, MessageKeys, run_keygen
from tests.support.local_mesh import LocalExchange, local_mesh, run_parties

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")
PASSPHRASE = "correct horse"
WEIGHTS = {"a": -0.25, "b": 0.4, "c": -0.3}
MODEL = ModelFile(MINIMUM_VARIANCE, tuple(WEIGHTS.values()))
READY_SECONDS = 60.0
STOP_SECONDS = 20.0


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@dataclass
class World:
    """A consortium on disk, complete but for whoever calls for its rounds."""

    path: Path
    consortium: Consortium
    coordinator: CoordinatorIdentity
    identities: list[Identity]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def consortium_file(self) -> Path:
        return self.path / "consortium.toml"

    def home(self, name: str) -> PartyHome:
        return PartyHome(self.path / name)

    def log(self, name: str) -> str:
        return (self.path / f"{name}.log").read_text()

    def start(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        """Start `mpc-party run` for a member."""
        command = [sys.executable, "-m", "mpc_party", "run", "--home", str(self.home(name).path), "--json"]
        with (self.path / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"MPC_PASSPHRASE": PASSPHRASE, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait(STOP_SECONDS)

    def freeze(self, name: str) -> None:
        """Stop a party's clock: it stays connected and says nothing."""
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGCONT)

    def interrupt(self, name: str) -> int:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGINT)
        return process.wait(STOP_SECONDS)

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait(STOP_SECONDS)
        self.processes.clear()


def build_world(
    path: Path,
    broker: str,
    count: int = 3,
    program: Program | None = None,
    settle: Callable[[Consortium, CoordinatorIdentity], Settlement] | None = None,
    coordinator: CoordinatorIdentity | None = None,
    model: ModelFile = MODEL,
) -> World:
    """Make identities, a key, a model and all folders, without a process.

    `settle` deploys for a consortium that has its key; without it, the contract is an address that nobody reads.
    """
    path.mkdir(parents=True, exist_ok=True)
    passphrase = Passphrase(PASSPHRASE)
    ports = free_ports(count)
    identities = [
        Identity.generate(name, f"127.0.0.1:{port}") for name, port in zip(NAMES, ports, strict=False)
    ]
    coordinator = coordinator or CoordinatorIdentity.generate()
    consortium = Consortium(
        version=2,
        name="test-desks",
        id=secrets.token_hex(32),
        epoch=1,
        threshold=1,
        broker=broker,
        coordinator=coordinator.signing_key,
        members=tuple(identity.member for identity in identities),
        program=program or Program(),
    )

    def ceremony(exchange: LocalExchange) -> tuple[bytes, Consortium]:
        context = KeygenContext(consortium.roster_hash, 1, 1, consortium.names, bytes(32))
        keys = MessageKeys(
            identities[exchange.own].sign,
            {index: bytes.fromhex(member.signing_key) for index, member in enumerate(consortium.members)},
        )
        share = run_keygen(exchange, context, keys)
        completed = attest(consortium, exchange.own, identities[exchange.own], share, exchange)
        return share.encode(), completed

    results = run_parties(local_mesh(range(count)), ceremony)
    consortium = results[0][1]
    consortium = deal_model(consortium, model, path / "shares")
    settlement = settle(consortium, coordinator) if settle else Settlement(1337, "0x" + "00" * 19 + "01")
    consortium = msgspec.structs.replace(consortium, settlement=settlement)
    world = World(path, consortium, coordinator, identities)
    save_consortium(world.consortium_file, consortium)
    for identity, (share, _) in zip(identities, results, strict=True):
        home = world.home(identity.name)
        home.path.mkdir()
        identity.save(home.identity_file, passphrase)
        save_consortium(home.consortium_file, consortium)
        write_atomic(home.key_share_file, seal(share, passphrase, PURPOSE_KEY_SHARE), secret=True)
        write_atomic(
            home.model_share_file, share_file(path / "shares", identity.name).read_bytes(), secret=True
        )
    return world


@contextmanager
def running(world: World, names: Sequence[str], *options: str) -> Iterator[World]:
    """Start these members' parties, and end them whatever happens."""
    try:
        for name in names:
            world.start(name, "--desk-seed", f"desk of {name}", *options)
        yield world
    finally:
        world.close()


async def settle_within(seconds: float, condition: Callable[[], bool], changed: asyncio.Event) -> None:
    """Wait until `condition` holds, checking whenever `changed` is set."""
    async with asyncio.timeout(seconds):
        while not condition():
            changed.clear()
            await changed.wait()
