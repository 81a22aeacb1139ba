"""A network with latency for kernels without netem: a namespace per party, and this process carries their packets.

    python -m tests.benchmarks.engine.relay DELAY_MS

Each namespace has a TUN device; a packet read from one is written to another DELAY_MS later (one way). Prints one line
of JSON, the paths of the three namespaces, and works until its input ends. Needs root and iproute2.

Nothing is left behind however it ends: the namespaces have no names and the devices are not persistent, so that both
go with the last process that holds them.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

PARTIES = 3
INTERFACE = "mesh0"
SUBNET = "10.203.7"
# Large packets, as on loopback: what is measured is the delay, and not this program's speed per packet.
MTU = 65_000
QUEUE = 10_000  # packets that wait for this process; none is dropped
# Windows that hold a delay's worth of data from the start, and that do not shrink between repetitions.
SETTINGS = {
    "net.ipv4.tcp_rmem": "4096 6291456 6291456",
    "net.ipv4.tcp_wmem": "4096 4194304 4194304",
    "net.ipv4.tcp_slow_start_after_idle": "0",
    "net.ipv6.conf.all.disable_ipv6": "1",
}

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PR_SET_PDEATHSIG = 1
_DESTINATION = 19  # the last byte of the destination in an IPv4 header


def address(party: int) -> str:
    """The party's address in its namespace."""
    return f"{SUBNET}.{party + 1}"


def make_namespace(party: int) -> tuple[int, int]:
    """Move this process into a new namespace with a device: descriptors of the namespace and of the device."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no network namespace")
    namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", INTERFACE.encode(), _IFF_TUN | _IFF_NO_PI))
    for name, value in SETTINGS.items():
        path = Path("/proc/sys") / name.replace(".", "/")
        if path.exists():  # a kernel without IPv6 has nothing to switch off
            path.write_text(value)
    for command in (
        "link set lo up",
        f"link set {INTERFACE} mtu {MTU} txqueuelen {QUEUE} up",
        f"address add {address(party)}/24 dev {INTERFACE}",
    ):
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)
    return namespace, device


def carry(devices: list[int], delay: float, control: int) -> None:
    """Carry packets, each `delay` seconds late, until `control` is at its end."""
    waiting: deque[tuple[float, int, bytes]] = deque()  # in order, for all are delayed alike
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([*devices, control], [], [], timeout)
        if control in ready:
            return
        for device in ready:
            while (packet := _read(device)) is not None:
                target = (
                    packet[_DESTINATION] - 1 if len(packet) > _DESTINATION and packet[0] >> 4 == 4 else -1
                )
                if 0 <= target < len(devices):
                    waiting.append((time.monotonic() + delay, devices[target], packet))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, device, packet = waiting.popleft()
            os.write(device, packet)


def _read(device: int) -> bytes | None:
    try:
        return os.read(device, MTU + 64)
    except BlockingIOError:
        return None


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    namespaces, devices = zip(*(make_namespace(party) for party in range(PARTIES)), strict=True)
    print(json.dumps([f"/proc/{os.getpid()}/fd/{descriptor}" for descriptor in namespaces]), flush=True)  # noqa: T201
    carry(list(devices), float(sys.argv[1]) / 1e3, sys.stdin.fileno())


if __name__ == "__main__":
    main()
