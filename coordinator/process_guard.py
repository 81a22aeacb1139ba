"""Runs a program that must not outlive its starter: `python process_guard.py PROGRAM ARGUMENT...`.

The starter holds the other end of this process's standard input. When that closes, because the starter says so
or because it died of whatever cause, SIGKILL included, the program is stopped: SIGTERM, and SIGKILL after a few
seconds. When the program ends by itself, so does the guard, with its exit code.

A process of its own, and not `preexec_fn` with prctl in the starter: that is not safe in a process with threads,
is tied to the thread that starts, and is Linux only. Here, single-threaded at that point, it is safe, and covers
the death of the guard itself where the system offers it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

GRACE = 5.0  # seconds between SIGTERM and SIGKILL
PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(process: "subprocess.Popen[bytes]", grace: float) -> None:
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()


def main(grace: float = GRACE) -> int:
    """Run the program in the arguments until it ends or standard input does.

    Returns:
        its exit code; 128 + n if signal n ended it, as shells say it.
    """
    # The terminal's Ctrl-C goes to the starter, which decides; it does not reach this process group anyway.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = subprocess.Popen(  # noqa: S603 - running what it is told to is what it is for
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads yet
    )
    signal.signal(signal.SIGTERM, lambda _signal, _frame: process.terminate())

    def watch() -> None:
        while os.read(0, 4096):
            pass
        _stop(process, grace)

    threading.Thread(target=watch, daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
