"""The demo's processes: commands that end, and programs that go on until the stage closes. No orphan is left.

Programs that go on run behind `coordinator.process_guard`, which ends them when this process is gone, of whatever
cause.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mpc_party.console import stderr
from mpc_party.protocol.errors import ConsortiumError, Reason

COMMAND_SECONDS = 180.0
START_SECONDS = 90.0
STOP_SECONDS = 15.0
_GUARD = Path(__file__).parent.parent / "process_guard.py"


class DemoError(ConsortiumError):
    """A step of the demo did not do what it should."""

    default_reason = Reason.INTERNAL


class Stage:
    """A folder, an environment, and the processes that run in them. Context manager.

    Attributes:
        folder: where all members' folders, logs and reports are.
    """

    def __init__(self, folder: Path, passphrase: str) -> None:
        self.folder = folder
        self._environment = os.environ | {
            "MPC_PASSPHRASE": passphrase,
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
        }
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, program: str, *arguments: object) -> Any:  # noqa: ANN401 - what its --json says
        """Run a command to its end; gives its JSON output.

        Raises:
            DemoError: it failed; with its own last line.
        """
        finished = subprocess.run(  # noqa: S603 - our own programs
            [sys.executable, "-m", program, *map(str, arguments), "--json"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if finished.returncode != 0:
            lines = finished.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
            raise DemoError(
                f"`{program} {arguments[0]}` ended with status {finished.returncode}: {lines[-1]}"
            )
        return json.loads(finished.stdout)

    def together(self, commands: Sequence[tuple[object, ...]]) -> list[Any]:
        """Run several commands at the same time; all have ended when this returns or raises."""
        with ThreadPoolExecutor(max_workers=len(commands)) as pool:
            running = [pool.submit(self.command, *map(str, command)) for command in commands]
        return [future.result() for future in running]

    def program(self, name: str, program: str, *arguments: object) -> subprocess.Popen[bytes]:
        """Start a program that goes on until the stage closes; its standard error goes to `NAME.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                [sys.executable, str(_GUARD), sys.executable, "-m", program, *map(str, arguments)],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._programs[name] = process
        return process

    def next_line(self, name: str, seconds: float = START_SECONDS) -> Mapping[str, Any]:
        """The next line that a program prints, as JSON: where it listens, or a round.

        Raises:
            DemoError: it ended, or said nothing in time; with its log's last line.
        """
        process = self._programs[name]
        timer = threading.Timer(seconds, process.kill)
        # An interrupt may come before the timer is cancelled: it must not keep the program from ending.
        timer.daemon = True
        timer.start()
        try:
            line = process.stdout.readline() if process.stdout else b""
        finally:
            timer.cancel()
        if not line:
            raise DemoError(f"{name} ended, or said nothing for {seconds:.0f} s: {self.last_line(name)}")
        said: Mapping[str, Any] = json.loads(line)
        return said

    def ended(self, name: str, seconds: float = STOP_SECONDS) -> None:
        """Wait for a program that ends by itself.

        Raises:
            DemoError: it goes on, or failed; with its log's last line.
        """
        try:
            status = self._programs[name].wait(seconds)
        except subprocess.TimeoutExpired:
            raise DemoError(f"{name} does not end: {self.last_line(name)}") from None
        if status != 0:
            raise DemoError(f"{name} ended with status {status}: {self.last_line(name)}")

    def last_line(self, name: str) -> str:
        """The last line of a program's log."""
        lines = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, _interrupt)  # ends as Ctrl-C does, so that all is closed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is KeyboardInterrupt:
            stderr.print("Interrupted: stopping all processes ...")
        with ExitStack() as stack:
            for process in self._programs.values():
                stack.callback(_wait, process)
            for process in self._programs.values():
                if process.stdin is not None:
                    process.stdin.close()  # the guard ends the program


def free_ports(count: int) -> list[int]:
    """TCP ports on loopback that were free a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
