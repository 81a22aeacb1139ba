"""Rounds of three real party processes, one of which is killed at a random message or journal write.

    python -m tests.support.kill_rounds --rounds 1000 [--seed N] [--folder DIRECTORY]

This process has everything loaded and forks the parties anew for each round: every one of them starts from what is on
its disk. It plays the coordinator: the session begins when all have accepted. The last line is one of JSON.
"""

# ruff: noqa: T201 - the summary goes to standard output
from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import os
import secrets
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mpc_party.mesh import FrameKind, Mesh, deadline_in
from mpc_party.protocol.errors import ConsortiumError
from mpc_party.signing import MessageKeys, SigningError
from tests.support.kill_episodes import KEY_FILE, Episode, Ledger, Member, Signing, heard_approval
from tests.support.kill_points import MOMENTS, Draws, Kill, KillingExchange, KillSwitch
from tests.support.mesh_parties import Members, members
from tests.support.signing_parties import key_shares

SIZE = 3
DEADLINE = 20.0  # for one round; it takes a hundredth of it
EVERYONE = tuple(range(SIZE))


class PartyProcess:
    """A forked party: lines of JSON come from it, `go` and `stop` go to it."""

    def __init__(self, program: Any) -> None:
        from_child, to_parent = os.pipe()
        from_parent, to_child = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(from_child)
            os.close(to_child)
            run_and_exit(program, from_parent, to_parent)
        os.close(to_parent)
        os.close(from_parent)
        self.output, self.control = from_child, to_child
        self.rest, self.said, self.ended = b"", [], False
        self.status = 0

    def read(self) -> list[dict[str, Any]]:
        data = os.read(self.output, 1 << 16)
        self.ended = not data
        *lines, self.rest = (self.rest + data).split(b"\n")  # a killed process may leave half a line
        new = [json.loads(line) for line in lines]
        self.said += new
        return new

    def tell(self, word: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended; its output will say how
            os.write(self.control, word)

    def has(self, what: str) -> bool:
        return any(what in said for said in self.said)

    def reap(self, *, force: bool = False) -> None:
        if force:
            os.kill(self.pid, signal.SIGKILL)
        self.status = os.waitpid(self.pid, 0)[1]
        os.close(self.output)
        os.close(self.control)

    @property
    def killed(self) -> bool:
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL


def run_and_exit(program: Any, control: int, output: int) -> NoReturn:
    """The child's whole life: nothing of the parent's stack is unwound in it."""

    def say(**what: Any) -> None:
        os.write(output, json.dumps(what).encode() + b"\n")

    code = 1
    try:
        program(control, say)
        code = 0
    except BaseException:  # noqa: BLE001 - told to the parent, which fails
        say(broken=traceback.format_exc())
    finally:
        os._exit(code)


@dataclass
class World:
    """The consortium: folders, identities and the ports of its members."""

    folders: list[Path]
    everyone: Members
    identities: list[Ed25519PrivateKey] = field(
        default_factory=lambda: [Ed25519PrivateKey.generate() for _ in EVERYONE]
    )

    def __post_init__(self) -> None:
        for folder, key in zip(self.folders, key_shares(SIZE, 1), strict=True):
            folder.mkdir()
            (folder / KEY_FILE).write_bytes(key.encode())

    def party(self, episode: Episode, own: int, number: int, attempt: int, kill: Kill | None) -> PartyProcess:
        keys = {member: key.public_key().public_bytes_raw() for member, key in enumerate(self.identities)}
        approver = MessageKeys(self.identities[own].sign, keys)
        switch = KillSwitch(kill if kill is not None and kill.member == own else None)
        session_id = hashlib.sha256(f"session {number}/{attempt}".encode()).digest()

        def program(control: int, say: Any) -> None:
            member = Member(own, self.folders[own], approver, switch)
            with Mesh(self.everyone.config(own)) as mesh:
                try:
                    episode.begin(member, number, attempt)
                    say(began=True)
                    if os.read(control, 4) == b"go\n\n":
                        stop_when_told(mesh, session_id, control)
                        result = in_session(episode, member, mesh, session_id, say)
                        say(done=result, events=switch.events)
                except ConsortiumError as error:
                    say(error=error.reason, message=error.message, cheat=isinstance(error, SigningError))
            member.journal.close()

        def in_session(
            episode: Episode, member: Member, mesh: Mesh, session_id: bytes, say: Any
        ) -> dict[str, str]:
            def heard(peer: int, kind: FrameKind, data: bytes) -> None:
                if (approval := heard_approval(kind, data)) is not None:
                    say(approval=approval, peer=peer)
                elif kind is FrameKind.SIGNATURE:
                    say(share=True, peer=peer)

            try:
                with mesh.session(session_id, EVERYONE, deadline_in(DEADLINE)) as session:
                    say(joined=True)
                    return episode.run(member, KillingExchange(session, switch, heard), number, attempt)
            except ConsortiumError:
                episode.failed(member, number)
                raise

        return PartyProcess(program)


def stop_when_told(mesh: Mesh, session_id: bytes, control: int) -> None:
    """Peers that will never come are not waited for: the coordinator says so."""

    def wait() -> None:
        if os.read(control, 4):
            mesh.abort(session_id)

    threading.Thread(target=wait, daemon=True).start()


def run_round(
    world: World, ledger: Ledger, episode: Episode, number: int, attempt: int = 0, kill: Kill | None = None
) -> list[PartyProcess]:
    """All three begin; if all have begun, they go on; until all have ended, one way or the other."""
    parties = [world.party(episode, own, number, attempt, kill) for own in EVERYONE]
    deadline = time.monotonic() + DEADLINE
    asked = False
    while running := {party.output: party for party in parties if not party.ended}:
        ready, _, _ = select.select(list(running), [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            for party in running.values():
                party.reap(force=True)
            raise AssertionError(f"round {number} hangs: {[party.said for party in parties]}, {kill}")
        for own, party in enumerate(parties):
            if party.output in ready:
                for said in party.read():
                    ledger.note(own, number, said)
        lost = any(party.ended for party in parties)
        if not asked and (lost or all(party.has("began") for party in parties)):
            asked = True
            for party in parties:
                party.tell(b"stop" if lost else b"go\n\n")
        elif asked and lost:
            for party in parties:
                if not party.ended and not party.has("joined"):
                    party.tell(b"stop")
    for party in parties:
        party.reap()
    broken = [said["broken"] for party in parties for said in party.said if "broken" in said]
    assert not broken, broken[0]
    # Whoever dies is gone, and nobody is taken for a cheat.
    assert not any(said.get("cheat") for party in parties for said in party.said), [p.said for p in parties]
    return parties


def run_rounds(world: World, rounds: int, seed: int, episode: Episode) -> dict[str, Any]:
    """One round without a kill, `rounds` with one, and a last one without. Returns what happened."""
    draws, ledger = Draws(seed), Ledger(world.folders)
    first = run_round(world, ledger, episode, 1)
    assert all(party.has("done") for party in first), [party.said for party in first]
    (events,) = {tuple(said["events"]) for party in first for said in party.said if "events" in said}
    deck: list[tuple[int, str]] = []
    kills: Counter[str] = Counter()
    released = escaped = 0
    for number in range(2, rounds + 2):
        # Every event and moment comes up equally often, in random order, at a random member.
        deck = deck or draws.shuffled([(event, moment) for event in range(len(events)) for moment in MOMENTS])
        event, moment = deck.pop()
        kill = Kill(draws.below(SIZE), event, moment, draws.below(1000))
        parties = run_round(world, ledger, episode, number, kill=kill)
        assert all(party.killed == (own == kill.member) for own, party in enumerate(parties)) or (
            moment == "sometime" and not any(party.killed for party in parties)
        ), (kill, [party.status for party in parties])
        killed = parties[kill.member].killed
        kills[f"{event} {events[event]} {moment}"] += killed
        escaped += not killed
        released += any(party.has("done") for party in parties)
        if draws.below(4) == 0:
            # The round is proposed again, for another digest: whoever promised it, or approved in it, refuses.
            again = run_round(world, ledger, episode, number, attempt=1)
            assert not any(party.has("done") for party in again)
            assert all(party.has("error") for own, party in enumerate(again) if own != kill.member)
    last = run_round(world, ledger, episode, rounds + 2)
    assert all(party.has("done") for party in last), [party.said for party in last]
    ledger.check()
    return {
        "seed": seed,
        "events": events,
        "kills": dict(sorted(kills.items())),
        "escaped": escaped,
        "rounds with a signature released": released,
    }


def main(episode: Episode | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--folder", type=Path, help="an empty directory; a temporary one by default")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr, flush=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary, members(SIZE) as everyone:
        folder = arguments.folder or Path(temporary)
        world = World([folder / f"member-{own}" for own in EVERYONE], everyone)
        result = run_rounds(world, arguments.rounds, arguments.seed, episode or Signing())
    print(json.dumps(result | {"seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main()
