"""The control plane: signed messages over any MQTT 3.1.1 broker, through its restarts.

The broker is trusted with nothing but delivery. What the bus does about its weaknesses:

- it says "granted" to a subscription that its access list denies: after each connect, a nonce published to
  oneself must come back through the very subscription that all messages use;
- it lets a second client of the same id evict the first: the retained status tells the evicted one, when it is
  back, that another process speaks under its name, and it stops; the newest process goes on;
- it redelivers (QoS 1, retained messages, a resent publish): each message is accepted once, see `sequence`;
- it may be gone: publishing never waits for it. Messages are signed at once, queued, and sent when it is back,
  byte for byte the same; those that have expired by then are dropped and counted.

What does not decode, verify or fit is dropped, counted and logged (the 1st, 2nd, 4th, 8th... of each reason) and
never reaches the reader. Logs carry names and sizes, no payloads.

From `publish` to the verified message at another bus of the same process (QoS 1, 500 messages, two cores that
were busy with other work too): Mosquitto 2.0 p50 0.63 ms; NATS Server 2.15, which stores on disk before it
acknowledges, p50 1.8 ms. Of that, signing and verifying are 0.03 and 0.11 ms.
"""

import asyncio
import hashlib
import secrets
import time
from types import TracebackType
from typing import Final, Self, get_args

import aiomqtt
import msgspec
import structlog
from paho.mqtt.reasoncodes import ReasonCode

from mpc_party.protocol.addresses import parse_broker_url
from mpc_party.protocol.broker_access import BrokerCredentials, BrokerError
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.envelope import Sealed, open_envelope, seal_envelope
from mpc_party.protocol.errors import ConfigError, ConsortiumError, MessageError, Reason
from mpc_party.protocol.files import one_line
from mpc_party.protocol.identity import Signer
from mpc_party.protocol.inbox import Inbox, Received
from mpc_party.protocol.messages import Message, Status
from mpc_party.protocol.mqtt_client import mqtt_session
from mpc_party.protocol.mqtt_handshake import check_broker
from mpc_party.protocol.outbox import Outbox, Outgoing
from mpc_party.protocol.sequence import DropCounts, ReplayGuard, Sequencer, session_of
from mpc_party.protocol.topics import probe_topic, subscription, topic_of, topic_prefix

REQUEST_DEADLINE: Final = 5.0  # seconds for each answer of the broker
FAREWELL_DEADLINE: Final = 2.0  # seconds for the last messages when closing
BACKOFF_FIRST: Final = 0.25  # seconds; doubled up to BACKOFF_MOST, of which a random half to all is waited
BACKOFF_MOST: Final = 15.0
SUBSCRIPTION_FAILED: Final = 0x80  # MQTT 3.1.1, section 3.9.3


class _NewSession(Exception):  # noqa: N818 - not an error
    """The session's numbers are used up, or an earlier process of this identity had a later one: begin again."""


class Bus:
    """One process's place on the control plane. Use as an asynchronous context manager, in one event loop.

    Entering connects and announces the process as online (retained; the last will says offline); leaving sends
    what is waiting, announces it as offline and disconnects. In between the bus reconnects by itself, for ever.

    Args:
        consortium: its broker, its id and epoch for the topics, its hash and keys for the signatures.
        signer: a member's identity or the coordinator's.
        url: of another broker than the consortium file's.
        credentials: what the broker may ask for.
        last_round: for the status: the highest round that this process has promised.
        patience: seconds for which entering tries again while the broker is unreachable. A broker that refuses
            is not tried again. `math.inf` waits for ever.

    Raises (on entering):
        BrokerError: BROKER_UNREACHABLE or BROKER_REFUSED, in one line with what to do.
        ConfigError: the URL or the credentials' files are not usable.
    """

    def __init__(
        self,
        consortium: Consortium,
        signer: Signer,
        url: str | None = None,
        credentials: BrokerCredentials | None = None,
        *,
        last_round: int = 0,
        patience: float = 10.0,
    ) -> None:
        self._consortium = consortium
        self._signer = signer
        self._url = parse_broker_url(consortium.broker if url is None else url)
        self._credentials = BrokerCredentials() if credentials is None else credentials
        self._patience = patience
        self._client_id = client_id(consortium, signer.name)
        self._prefix = topic_prefix(consortium)
        own = (topic_of(consortium, signer.name, kind) for kind in get_args(Message) if kind is not Status)
        self._own_topics = {topic for topic in own if topic is not None}
        self._probe_topic = probe_topic(consortium, signer.name)
        self._status = Status(online=True, consortium=consortium.hash, last_round=last_round)
        self._status_is_new = True
        self._sequencer = Sequencer()
        self._guard = ReplayGuard()
        self._inbox = Inbox()
        self._outbox = Outbox()
        self._connected = asyncio.Event()
        self._announced = 0  # our last session that published anything
        self._begun: set[int] = set()  # our sessions since then, whose wills the broker may have published
        self._own_seen = 0  # the latest session of another process under this name, as the status tells
        self._runner: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._state = ""
        self._log = structlog.get_logger(__name__).bind(broker=str(self._url), name=signer.name)
        self.drops = DropCounts()

    # For whoever uses the bus

    @property
    def connected(self) -> bool:
        """Whether the broker is there at the moment, as far as one knows."""
        return self._connected.is_set()

    @property
    def received(self) -> Inbox:
        """The verified messages of the others, each once; iterate in one task.

        Ends when the bus is closed. Raises ALREADY_RUNNING when another process has taken over this identity.
        """
        return self._inbox

    async def publish(self, message: Message) -> None:
        """Sign a message and queue it; returns without waiting for the broker.

        A `Status` replaces the retained one, and is announced again after each reconnect.

        Raises:
            MessageError: this sender may not say this, a field is out of bounds, or it is too large.
            BrokerError: 256 messages are waiting already.
            ConsortiumError: the bus has failed for good, see `received`.
        """
        if self._runner is None:
            raise RuntimeError("the bus is not open")
        self._check_alive()
        sealed = self._seal(message)
        if isinstance(message, Status):
            self._status, self._status_is_new = message, True
            self._outbox.touch()
            return
        for item in self._outbox.put(Outgoing(sealed, type(message).__name__), _now_ms()):
            self._dropped("expired-unsent", kind=item.kind)

    async def flush(self, timeout: float = REQUEST_DEADLINE) -> None:  # noqa: ASYNC109 - a bound, not a cancel
        """Wait until the broker has acknowledged all that was published.

        Raises:
            BrokerError: it has not within `timeout` seconds; the messages stay queued.
            ConsortiumError: the bus has failed for good, see `received`.
        """
        self._check_alive()
        try:
            async with asyncio.timeout(timeout):
                await self._outbox.wait_empty()
        except TimeoutError:
            raise BrokerError(f"{len(self._outbox)} messages not acknowledged within {timeout:g} s") from None

    def _check_alive(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run(), name=f"bus of {self._signer.name}")
        waiting = asyncio.create_task(self._connected.wait())
        try:
            await asyncio.wait({self._runner, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if self._runner.done():
                self._runner.result()
        except BaseException:
            await self._stop()
            raise
        finally:
            waiting.cancel()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.connected and self._failure is None:
                self._status = msgspec.structs.replace(self._status, online=False)
                self._status_is_new = True
                self._outbox.touch()
                await self.flush(FAREWELL_DEADLINE)
        except BrokerError as problem:
            self._log.warning("left without a farewell", problem=problem.message)
        finally:
            await self._stop()

    async def _stop(self) -> None:
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        self._inbox.close()

    # The connection

    async def _run(self) -> None:
        """Connect, serve, and again, until cancelled or until there is no point."""
        try:
            await self._keep_connected()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._failure = error
            self._inbox.close(error)
            raise

    async def _keep_connected(self) -> None:
        give_up = asyncio.get_running_loop().time() + self._patience
        delay = BACKOFF_FIRST
        while True:
            served = self._announced
            try:
                await self._connect_and_serve()
            except _NewSession:
                continue
            except ConfigError as error:  # files that were there when it began may be gone later
                if not self._announced:
                    raise
                problem = BrokerError(error.message, reason=error.reason, remedy=error.remedy)
            except BrokerError as error:
                problem = error
            except aiomqtt.MqttError as error:
                problem = BrokerError(f"broker {self._url}: {one_line(str(error)).lower()}")
            if self._announced != served:
                delay = BACKOFF_FIRST
            hopeless = problem.permanent or asyncio.get_running_loop().time() >= give_up
            if not self._announced and hopeless:
                raise problem
            self._note(problem.message, "broker not available, trying again", reason=problem.reason)
            await asyncio.sleep(delay * (0.5 + secrets.randbelow(500) / 1000))
            delay = min(2 * delay, BACKOFF_MOST)

    async def _connect_and_serve(self) -> None:
        # First by hand, which takes a few milliseconds and tells what is wrong, if anything is.
        await check_broker(self._url, self._credentials, REQUEST_DEADLINE)
        will_sequence = self._sequencer.begin_session(_now_ms(), above=self._own_seen)
        self._begun.add(self._sequencer.session)
        offline = msgspec.structs.replace(self._status, online=False)
        sealed = self._seal(offline, will_sequence)
        will = aiomqtt.Will(sealed.topic, sealed.raw, qos=1, retain=True)
        async with mqtt_session(
            self._url, self._credentials, self._client_id, will, REQUEST_DEADLINE
        ) as client:
            await self._establish(client)
            self._announced = self._sequencer.session
            self._begun.clear()  # all of them are now at most the one announced
            self._status_is_new = True
            self._outbox.touch()
            self._note("connected", "broker connected")
            self._connected.set()
            try:
                await self._serve(client)
            finally:
                self._connected.clear()

    async def _establish(self, client: aiomqtt.Client) -> None:
        """Subscribe, and see that the broker really delivers."""
        topics = subscription(self._consortium)
        for code in await client.subscribe(topics, qos=1):
            if (code.value if isinstance(code, ReasonCode) else code) >= SUBSCRIPTION_FAILED:
                raise self._denied(f"denies the subscription to {topics}")
        nonce = secrets.token_bytes(16)
        await client.publish(self._probe_topic, nonce, qos=1)
        try:
            async with asyncio.timeout(REQUEST_DEADLINE):
                async for message in client.messages:
                    if message.topic.value == self._probe_topic and message.payload == nonce:
                        break
                    self._take(message)
        except TimeoutError:
            raise self._denied("accepts messages but does not deliver them") from None
        # A broker delivers retained messages before the nonce that was published after the subscription.
        if self._announced and self._own_seen > self._announced:
            raise ConsortiumError(
                f"another process speaks as {self._signer.name} on this broker",
                reason=Reason.ALREADY_RUNNING,
                remedy="run one process per identity",
            )
        if self._own_seen >= self._sequencer.session:
            raise _NewSession

    def _denied(self, what: str) -> BrokerError:
        return BrokerError(
            f"broker {self._url}: {what}",
            reason=Reason.BROKER_REFUSED,
            remedy=f"its access list must let this client read and write {self._prefix}/#",
            permanent=True,
        )

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Send and receive until the connection breaks."""
        tasks = [asyncio.create_task(self._send(client)), asyncio.create_task(self._receive(client))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, client: aiomqtt.Client) -> None:
        """One message at a time, each until it is acknowledged: their order is the sequence numbers'."""
        while not self._sequencer.exhausted:
            if self._status_is_new:
                self._status_is_new = False
                # Signed now and not when it was published: a status of an earlier session is below its will.
                sealed = self._seal(self._status)
                await client.publish(sealed.topic, sealed.raw, qos=1, retain=True)
            elif (item := self._outbox.head()) is not None:
                if item.sealed.expiry < _now_ms():
                    self._dropped("expired-unsent", kind=item.kind)
                else:
                    await client.publish(item.sealed.topic, item.sealed.raw, qos=1)
                self._outbox.done(item)
            else:
                await self._outbox.wait_changed()
        raise _NewSession

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            self._take(message)

    # Messages

    def _seal(self, message: Message, sequence: int | None = None) -> Sealed:
        if sequence is None:
            sequence = self._sequencer.next()
        return seal_envelope(message, self._signer, self._consortium, sequence=sequence, now_ms=_now_ms())

    def _take(self, message: aiomqtt.Message) -> None:
        """Verify one message and hand it to the reader, or drop it."""
        topic = message.topic.value
        raw = message.payload if isinstance(message.payload, bytes) else b""
        if topic in self._own_topics or topic.startswith(f"{self._prefix}/probe/"):
            return  # our own words come back, for MQTT 3.1.1 cannot leave them out of a subscription
        try:
            opened = open_envelope(raw, topic, self._consortium, _now_ms())
            if opened.sender == self._signer.name:  # on none of our other topics: it is a status
                self._see_own(session_of(opened.sequence))
                return
            if not self._guard.check(topic, opened.sequence, opened.signature):
                self.drops.add("duplicate")
                return
        except MessageError as error:
            self._dropped(error.reason, topic=one_line(topic, 128), problem=error.message, size=len(raw))
            return
        if not self._inbox.put(Received(opened.sender, opened.message, opened.sequence)):
            self._dropped("overflow", sender=opened.sender, kind=type(opened.message).__name__)

    def _see_own(self, session: int) -> None:
        """Take note of a status under this name, unless this process (its will, that is) said it."""
        if session > self._announced and session not in self._begun:
            self._own_seen = max(self._own_seen, session)

    def _dropped(self, reason: str, **fields: object) -> None:
        self.drops.add(reason)
        count = self.drops[reason]
        if count & (count - 1) == 0:  # 1, 2, 4, 8...: a flood does not fill the disk
            self._log.warning("message dropped", reason=str(reason), count=count, **fields)

    def _note(self, state: str, event: str, **fields: object) -> None:
        """Log a change of state, once."""
        if state == self._state:
            return
        self._state = state
        if fields:
            self._log.warning(event, problem=state, **{key: str(value) for key, value in fields.items()})
        else:
            self._log.info(event)


def client_id(consortium: Consortium, name: str) -> str:
    """The MQTT client id that names a sender's persistent session.

    23 of [0-9a-z], which is what MQTT 3.1.1 obliges every broker to accept: "mpc" and 20 hex digits of
    SHA-256 over the consortium's id, epoch and the sender's name.
    """
    text = f"{consortium.id}/{consortium.epoch}/{name}"
    return "mpc" + hashlib.sha256(text.encode("ascii")).hexdigest()[:20]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
