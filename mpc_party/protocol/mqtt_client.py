"""One MQTT connection on aiomqtt, opened and closed without a trace, however it is interrupted.

All that this project knows of aiomqtt's and paho's inside is here. aiomqtt connects in a worker thread, which
cannot be cancelled, and leaves the socket, its reader and a task behind when the broker does not answer.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import aiomqtt

from mpc_party.protocol.addresses import BrokerUrl
from mpc_party.protocol.broker_access import BrokerCredentials

KEEP_ALIVE = 15  # seconds; a broker publishes the will of a client that is silent for 1.5 times that
MAX_INCOMING = 512  # messages waiting to be verified


@contextlib.asynccontextmanager
async def mqtt_session(
    url: BrokerUrl, credentials: BrokerCredentials, client_id: str, will: aiomqtt.Will, deadline: float
) -> AsyncIterator[aiomqtt.Client]:
    """A connection with a persistent session; closed in order on the way out, so that no will is published.

    Args:
        url: the broker.
        credentials: what it may ask for.
        client_id: names the persistent session.
        will: what the broker publishes if the connection breaks.
        deadline: seconds for each request to the broker.

    Raises:
        aiomqtt.MqttError: no connection, or it broke.
        ConfigError: the credentials' files are not usable.
    """
    client = aiomqtt.Client(
        url.host,
        url.port,
        username=credentials.username,
        password=credentials.password,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V311,
        will=will,
        clean_session=False,
        timeout=deadline,
        keepalive=KEEP_ALIVE,
        max_queued_incoming_messages=MAX_INCOMING,
        tls_context=credentials.tls_context(url),
        # Without it each QoS 1 message waits 40 ms and more for a delayed TCP acknowledgement.
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except BaseException:
        # Cancelled: the thread that connects goes on all the same, so wait for it and undo what it did.
        with contextlib.suppress(aiomqtt.MqttError, asyncio.CancelledError):
            await entering
            await client.__aexit__(None, None, None)
        await _release(client)
        raise
    try:
        yield client
    finally:
        try:
            with contextlib.suppress(aiomqtt.MqttError):  # closed already, or does not say goodbye in time
                await client.__aexit__(None, None, None)
        finally:
            await _release(client)


async def _release(client: aiomqtt.Client) -> None:
    """Close the socket if it is still open, stop aiomqtt's task, take note of its exceptions."""
    client._client._sock_close()  # noqa: SLF001 - paho has no public way to close without a handshake
    task = client._misc_task  # noqa: SLF001 - nor has aiomqtt one to end its housekeeping task
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    for future in (client._connected, client._disconnected):  # noqa: SLF001 - "exception was never retrieved"
        if future.done() and not future.cancelled():
            future.exception()
