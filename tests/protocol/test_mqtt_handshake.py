"""The packets; the exchange itself is in tests/integration/test_bus_access.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.mqtt_handshake import connack_refusal, connect_packet


def test_a_connect_packet_byte_by_byte() -> None:
    """MQTT 3.1.1, section 3.1, as in the example of figure 3.6 without the will."""
    assert connect_packet("abc", "desk", "pw") == (
        b"\x10\x19"  # CONNECT, 25 bytes follow
        b"\x00\x04MQTT\x04"  # protocol, level 4
        b"\xc2"  # user name, password, clean session
        b"\x00\x0a"  # keep alive: 10 s
        b"\x00\x03abc\x00\x04desk\x00\x02pw"
    )
    assert connect_packet("abc") == b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x0a\x00\x03abc"


@given(st.text(min_size=0, max_size=30_000))
def test_the_remaining_length_is_that_of_the_rest(password: str) -> None:
    packet = connect_packet("abc", "desk", password.encode("utf-8", "replace").decode())
    length, shift, at = 0, 0, 1
    while True:
        length |= (packet[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not packet[at - 1] & 0x80:
            break
    assert length == len(packet) - at


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (b"\x20\x02\x00\x00", 0),
        (b"\x20\x02\x01\x00", 0),  # a session was present
        (b"\x20\x02\x00\x05", 5),
        (b"\x20\x02\x02\x00", None),
        (b"\x20\x03\x00\x00", None),
        (b"\x30\x02\x00\x00", None),
        (b"HTTP", None),
        (b"", None),
        (b"\x20\x02\x00", None),
        (b"\x20\x02\x00\x00\x00", None),
    ],
)
def test_connack(packet: bytes, code: int | None) -> None:
    assert connack_refusal(packet) == code
