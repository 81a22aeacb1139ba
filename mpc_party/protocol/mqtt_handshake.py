"""The first exchange of MQTT 3.1.1, by hand: finds out why a broker does not let one in.

The MQTT library reports a refused certificate, a wrong password and a broker that hangs as much the same
timeout. This connects as a guest of its own (a random client id, a clean session that ends at once), asks for a
session with the given credentials, and says exactly what went wrong.
"""

import asyncio
import secrets
import socket
import ssl
import struct
from typing import Final

from mpc_party.protocol.addresses import BrokerUrl
from mpc_party.protocol.broker_access import BrokerCredentials, BrokerError
from mpc_party.protocol.errors import Reason

DISCONNECT: Final = b"\xe0\x00"
CONNACK_LENGTH: Final = 4
ALERT_DEADLINE: Final = 1.0  # seconds
# MQTT 3.1.1, table 3.1
_REFUSALS: Final = {
    1: "does not speak MQTT 3.1.1",
    2: "refuses the client id",
    3: "is not available",
    4: "refuses the user name or password",
    5: "refuses this client: not authorised",
}
_TEMPORARY: Final = 3


def connect_packet(client_id: str, username: str | None = None, password: str | None = None) -> bytes:
    """A CONNECT packet: protocol level 4, clean session, keep-alive of 10 s (MQTT 3.1.1, section 3.1)."""
    flags = 0x02 | (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    fields = [client_id, *(text for text in (username, password) if text is not None)]
    payload = b"".join(_string(text) for text in fields)
    body = _string("MQTT") + struct.pack(">BBH", 4, flags, 10) + payload
    length, header = len(body), bytearray(b"\x10")
    while True:  # section 2.2.3: seven bits at a time, least significant first
        length, digit = divmod(length, 128)
        header.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(header) + body


def connack_refusal(packet: bytes) -> int | None:
    """The return code of a CONNACK packet, 0 if accepted; None if the bytes are no CONNACK."""
    if len(packet) != CONNACK_LENGTH or packet[:2] != b"\x20\x02" or packet[2] > 1:
        return None
    return packet[3]


def _string(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return struct.pack(">H", len(data)) + data


async def check_broker(url: BrokerUrl, credentials: BrokerCredentials, deadline: float = 5.0) -> None:
    """Connect, be accepted, disconnect.

    Args:
        url: the broker.
        credentials: what it may ask for.
        deadline: seconds for all of it.

    Raises:
        BrokerError: BROKER_UNREACHABLE if there is no network path or no trusted TLS, BROKER_REFUSED if the
            broker says no; in one line, with what to do.
        ConfigError: the credentials' files are not usable.
    """
    context = credentials.tls_context(url)
    try:
        async with asyncio.timeout(deadline):
            answer = await _handshake(url, credentials, context)
    except TimeoutError:
        raise BrokerError(f"broker {url}: no answer within {deadline:g} s") from None
    except ssl.SSLError as error:
        raise _tls_error(url, error) from None
    except socket.gaierror:
        raise BrokerError(f"broker {url}: no address for this host name") from None
    except (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError):
        if context is not None:
            await _listen_for_alert(url, context, deadline)
        raise BrokerError(
            f"broker {url}: closed the connection instead of answering",
            remedy="check that the URL's scheme (mqtt:// or mqtts://) and port belong together",
        ) from None
    except ConnectionRefusedError:
        raise BrokerError(
            f"broker {url}: nothing listens there", remedy="check that it runs, and the URL"
        ) from None
    except OSError as error:
        raise BrokerError(
            f"broker {url}: {(error.strerror or str(error)).lower()}",
            remedy="check that it runs, and the URL",
        ) from None
    code = connack_refusal(answer)
    if code is None:
        raise BrokerError(f"broker {url}: what answers there is no MQTT broker", permanent=True)
    if code:
        raise BrokerError(
            f"broker {url}: {_REFUSALS.get(code, f'refuses with code {code}')}",
            reason=Reason.BROKER_REFUSED,
            remedy="check user name, password and client certificate",
            permanent=code != _TEMPORARY,
        )


async def _handshake(url: BrokerUrl, credentials: BrokerCredentials, context: ssl.SSLContext | None) -> bytes:
    reader, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
    try:
        name = f"mpcprobe{secrets.token_hex(6)}"
        writer.write(connect_packet(name, credentials.username, credentials.password))
        answer = await reader.readexactly(CONNACK_LENGTH)
        if connack_refusal(answer) == 0:
            writer.write(DISCONNECT)
            await writer.drain()
        return answer
    finally:
        writer.transport.abort()  # no goodbye of TLS to wait for


async def _listen_for_alert(url: BrokerUrl, context: ssl.SSLContext, deadline: float) -> None:
    """Connect once more and say nothing.

    In TLS 1.3 a client learns that its certificate is refused only after its side of the handshake is done, and
    if it has sent something by then, the reset of the connection may overtake the alert that says so.
    """
    try:
        async with asyncio.timeout(min(deadline, ALERT_DEADLINE)):
            reader, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
            try:
                await reader.read(1)
            finally:
                writer.transport.abort()
    except ssl.SSLError as error:
        raise _tls_error(url, error) from None
    except OSError:  # TimeoutError is one: no alert, so that the first finding stands
        return


def _tls_error(url: BrokerUrl, error: ssl.SSLError) -> BrokerError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return BrokerError(
            f"broker {url}: its certificate is not trusted: {error.verify_message}",
            remedy="check the CA file and the host name",
            permanent=True,
        )
    reason = (error.reason or "").upper()
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "HANDSHAKE" in reason):
        return BrokerError(
            f"broker {url}: refuses the client certificate, or asks for one ({reason.lower().replace('_', ' ')})",
            reason=Reason.BROKER_REFUSED,
            remedy="check the client certificate and key",
            permanent=True,
        )
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return BrokerError(f"broker {url}: does not speak TLS on this port", permanent=True)
    return BrokerError(f"broker {url}: TLS fails: {reason.lower().replace('_', ' ') or 'closed'}")
