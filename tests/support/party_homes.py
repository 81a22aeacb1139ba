"""Members' folders at every stage, and what they hold, for tests of what commands do to them."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from mpc_party.member.home import PartyHome
from mpc_party.protocol import keystore
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.passphrase import Passphrase
from tests.support.world import PASSPHRASE, World, build_world

NOWHERE = "mqtt://127.0.0.1:9"  # the discard port: nobody listens
SECRET = Passphrase(PASSPHRASE)


@contextmanager
def quick_keystores() -> Iterator[None]:
    """Seal with the least work that the format allows, which is for tests of everything else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keystore, "LOG2_N", 14)
        yield


def make_world(path: Path, count: int = 3, broker: str = NOWHERE) -> World:
    """A complete consortium on disk."""
    with quick_keystores():
        return build_world(path, broker, count=count)


def copy_of(world: World, path: Path) -> World:
    """The same consortium in another place, for a test to change."""
    shutil.copytree(world.path, path, symlinks=True)
    return World(path, world.consortium, world.coordinator, world.identities)


def without(consortium: Consortium, *sections: str) -> Consortium:
    """The consortium file before these sections were added."""
    return msgspec.structs.replace(consortium, **dict.fromkeys(sections))


def at_stage(home: PartyHome, consortium: Consortium, *, key: bool, model: bool) -> PartyHome:
    """Bring a complete folder back to an earlier stage."""
    save_consortium(home.consortium_file, consortium)
    if not key:
        home.key_share_file.unlink()
    if not model:
        home.model_share_file.unlink()
    return home


def contents(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    """Name, mode and bytes of all that is in a folder, hidden files too; for comparison before and after."""
    return {
        str(path.relative_to(folder)): (
            stat.S_IMODE(path.stat().st_mode),
            path.read_bytes() if path.is_file() else None,
        )
        for path in sorted(folder.rglob("*"))
    }
