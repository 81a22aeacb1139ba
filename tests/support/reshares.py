"""Consortiums on disk that change their members: folders, next files, and the commands run by all at once, in threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mpc_party.journal import read_standing
from mpc_party.member.home import PartyHome
from mpc_party.member.resharing import run_refresh_command, run_reshare_command
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.identity import Identity
from mpc_party.resharing.successor import successor
from mpc_party.signing.field import interpolate
from mpc_party.signing.keyshare import KeyShare
from tests.support.party_homes import SECRET, copy_of, make_world
from tests.support.world import NAMES, World, free_ports

DEADLINE = 60.0
__all__ = ["DEADLINE", "Desks", "copied", "desks"]


@dataclass
class Desks:
    """A complete consortium, and whoever joins it."""

    world: World
    identities: dict[str, Identity]
    said: dict[str, list[str]] = field(default_factory=dict)

    @property
    def old(self) -> Consortium:
        return self.world.consortium

    def home(self, name: str) -> PartyHome:
        return self.world.home(name)

    def next_file(self, *names: str, threshold: int | None = None) -> Path:
        """The next file, with these members."""
        keep = [name for name in self.old.names if name in names]
        joining = [self.identities[name].member for name in names if name not in self.old.names]
        new = successor(self.old, keep=keep, joining=joining, threshold=threshold)
        path = self.world.path / "next.toml"
        save_consortium(path, new)
        return path

    def reshare(
        self, file: Path, *names: str, without: Sequence[str] = (), wait: float = 20.0
    ) -> dict[str, object]:
        """`mpc-party reshare` by these members at once; what each got."""

        def run(name: str) -> object:
            return run_reshare_command(
                self.home(name),
                SECRET,
                file,
                old_file=None if name in self.old.names else self.world.consortium_file,
                without=without,
                wait=wait,
                listen=None,
                say=self.said.setdefault(name, []).append,
            )

        return self.together(run, names)

    def refresh(self, *names: str, to_epoch: int | None = None, wait: float = 20.0) -> dict[str, object]:
        def run(name: str) -> object:
            say = self.said.setdefault(name, []).append
            return run_refresh_command(
                self.home(name), SECRET, to_epoch=to_epoch, wait=wait, listen=None, say=say
            )

        return self.together(run, names or self.old.names)

    def together(self, run, names: Sequence[str]) -> dict[str, object]:
        outcomes: dict[str, object] = {}

        def work(name: str) -> None:
            try:
                outcomes[name] = run(name)
            except BaseException as failure:  # noqa: BLE001 - looked at by the test
                outcomes[name] = failure

        threads = [threading.Thread(target=work, args=(name,), daemon=True, name=name) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert set(outcomes) == set(names), "a member hangs"
        return outcomes

    def key_shares(self, consortium: Consortium, names: Sequence[str]) -> list[KeyShare]:
        return [self.home(name).key_share(SECRET, consortium, consortium.index_of(name)) for name in names]

    def standing(self, name: str, old_epoch: int) -> str:
        """What a folder lets its party sign in: "old", "new" or "neither"."""
        home = self.home(name)
        if not home.journal_file.exists():
            return "old" if name in self.old.names else "neither"
        found = read_standing(home.journal_file)
        if found is None or found.obstacle is not None:
            return "neither"
        if found.epoch > old_epoch:
            return "new"
        return "old" if name in self.old.names else "neither"

    def secret_key(self, consortium: Consortium) -> int:
        """The group's key itself, from t+1 members' folders, as nobody can have it in earnest."""
        shares = self.key_shares(consortium, consortium.names[: consortium.threshold + 1])
        points = tuple(share.index + 1 for share in shares)
        return interpolate(points, [int.from_bytes(share.secret.reveal(), "big") for share in shares])


def copied(scene: Desks, path: Path) -> Desks:
    """The same consortium in another place, for a test to change."""
    return Desks(copy_of(scene.world, path), scene.identities)


def desks(path: Path, count: int = 3, joining: int = 0) -> Desks:
    """A consortium of so many members and threshold 1, and so many more who have keys only."""
    world = make_world(path, count)
    ports = free_ports(joining) if joining else []
    newcomers = [
        Identity.generate(name, f"127.0.0.1:{port}")
        for name, port in zip(NAMES[count : count + joining], ports, strict=True)
    ]
    for identity in newcomers:
        home = world.home(identity.name)
        home.path.mkdir()
        identity.save(home.identity_file, SECRET)
    everyone = {identity.name: identity for identity in (*world.identities, *newcomers)}
    return Desks(world, everyone)
