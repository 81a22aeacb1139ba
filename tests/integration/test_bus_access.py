"""What the bus says when a broker does not let it in, on real brokers and on things that are none."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from coordinator.broker import LocalBroker, _free_port
from mpc_party.protocol import (
    BrokerCredentials,
    BrokerError,
    Bus,
    ConfigError,
    ConsortiumError,
    Reason,
    Settled,
)
from mpc_party.protocol import bus as bus_module
from mpc_party.protocol.topics import topic_prefix
from tests.support.brokers import Broker, Security, running_broker
from tests.support.certificates import Authority
from tests.support.consortium import Cast, make_cast

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]
DEADLINE = 20.0
PASSWORDS = {"desk": "s3cret with spaces", "coordinator": "other", "mute": "mute"}


@pytest.fixture(scope="module")
def cast() -> Cast:
    return make_cast()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, authority: Authority, cast: Cast) -> Iterator[Broker]:
    """Mosquitto with TLS, client certificates, passwords and an access list that leaves `mute` out."""
    prefix = topic_prefix(cast.consortium)
    access = "".join(f"user {name}\ntopic readwrite {prefix}/#\n" for name in ("desk", "coordinator"))
    security = Security(authority, PASSWORDS, access)
    with running_broker("mosquitto", tmp_path_factory.mktemp("mosquitto"), security) as broker:
        yield broker


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = {t for t in asyncio.all_tasks() - before - {asyncio.current_task()} if not t.done()}
    assert not left, f"tasks left: {left}"


def credentials(authority: Authority, user: str = "desk", **changes: object) -> BrokerCredentials:
    files = authority.issue(user)
    fields = {
        "username": user,
        "password": PASSWORDS[user],
        "ca_file": authority.ca_file,
        "certificate_file": files.certificate,
        "key_file": files.key,
    }
    return BrokerCredentials(**{**fields, **changes})


async def refusal(
    cast: Cast, url: str, access: BrokerCredentials | None = None, patience: float = 30
) -> ConsortiumError:
    with pytest.raises(ConsortiumError) as refused:
        async with (
            asyncio.timeout(DEADLINE),
            Bus(cast.consortium, cast.members[0], url, access, patience=patience),
        ):
            pass
    assert "\n" not in str(refused.value)
    return refused.value


async def test_tls_with_client_certificates_and_passwords(
    secured: Broker, authority: Authority, cast: Cast
) -> None:
    c = cast.consortium
    async with (
        Bus(c, cast.members[0], secured.url, credentials(authority)) as member,
        Bus(c, cast.coordinator, secured.url, credentials(authority, "coordinator")) as boss,
        asyncio.timeout(DEADLINE),
    ):
        await boss.publish(Settled(1, bytes(32), 1))
        async for received in member.received:
            if isinstance(received.message, Settled):
                break


async def test_a_wrong_password(secured: Broker, authority: Authority, cast: Cast) -> None:
    error = await refusal(cast, secured.url, credentials(authority, password="wrong"))
    assert error.reason is Reason.BROKER_REFUSED
    assert "not authorised" in str(error) or "password" in str(error)
    assert "wrong" not in str(error)


async def test_no_password(secured: Broker, authority: Authority, cast: Cast) -> None:
    error = await refusal(cast, secured.url, credentials(authority, username=None, password=None))
    assert error.reason is Reason.BROKER_REFUSED


async def test_a_broker_that_another_authority_vouches_for(
    secured: Broker, authority: Authority, cast: Cast, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "another authority")
    error = await refusal(cast, secured.url, credentials(authority, ca_file=other.ca_file))
    assert error.reason is Reason.BROKER_UNREACHABLE
    assert "certificate is not trusted" in str(error)


async def test_the_systems_authorities_do_not_vouch_for_ours(
    secured: Broker, authority: Authority, cast: Cast
) -> None:
    error = await refusal(cast, secured.url, credentials(authority, ca_file=None))
    assert "certificate is not trusted" in str(error)


async def test_a_broker_under_another_name(secured: Broker, authority: Authority, cast: Cast) -> None:
    error = await refusal(cast, secured.url.replace("127.0.0.1", "localhost"), credentials(authority))
    assert "certificate is not trusted" in str(error)


async def test_no_client_certificate_is_told_apart_from_a_timeout(
    secured: Broker, authority: Authority, cast: Cast
) -> None:
    error = await refusal(cast, secured.url, credentials(authority, certificate_file=None, key_file=None))
    assert error.reason is Reason.BROKER_REFUSED
    assert "client certificate" in str(error)


async def test_a_client_certificate_of_another_authority(
    secured: Broker, authority: Authority, cast: Cast, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, "another authority").issue("desk")
    access = credentials(authority, certificate_file=foreign.certificate, key_file=foreign.key)
    error = await refusal(cast, secured.url, access)
    assert error.reason is Reason.BROKER_REFUSED
    assert "client certificate" in str(error)


async def test_a_subscription_that_is_granted_but_denied(
    secured: Broker, authority: Authority, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "REQUEST_DEADLINE", 1.5)
    error = await refusal(cast, secured.url, credentials(authority, "mute"))
    assert error.reason is Reason.BROKER_REFUSED
    assert "access list" in str(error)


async def test_files_that_do_not_hold_what_they_should(
    authority: Authority, cast: Cast, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("not a certificate")
    for changes in (
        {"ca_file": junk},
        {"ca_file": tmp_path / "missing"},
        {"certificate_file": junk, "key_file": None},
        {"key_file": junk},
        {"key_file": authority.issue("someone else").key},
    ):
        error = await refusal(cast, "mqtts://127.0.0.1:1", credentials(authority, **changes))
        assert isinstance(error, ConfigError)
    error = await refusal(cast, "mqtt://127.0.0.1:1", credentials(authority))
    assert "not mqtts://" in str(error)


async def test_tls_to_a_plain_port_and_the_other_way(
    secured: Broker, authority: Authority, cast: Cast
) -> None:
    with LocalBroker() as plain:
        tls = plain.url.replace("mqtt:", "mqtts:")
        error = await refusal(cast, tls, patience=0)
        assert error.reason is Reason.BROKER_UNREACHABLE
    error = await refusal(cast, secured.url.replace("mqtts:", "mqtt:"), patience=0)
    assert error.reason is Reason.BROKER_UNREACHABLE
    assert "scheme" in str(error)


async def test_the_local_brokers_password(cast: Cast) -> None:
    with LocalBroker(username="desk", password='q"uo\\te') as broker:
        error = await refusal(cast, broker.url, BrokerCredentials("desk", "wrong"))
        assert error.reason is Reason.BROKER_REFUSED
        async with Bus(
            cast.consortium, cast.members[0], broker.url, BrokerCredentials("desk", 'q"uo\\te')
        ) as bus:
            await bus.flush()


async def test_nothing_listens(cast: Cast) -> None:
    error = await refusal(cast, f"mqtt://127.0.0.1:{_free_port()}", patience=0.3)
    assert error.reason is Reason.BROKER_UNREACHABLE
    assert "nothing listens" in str(error)


async def test_no_such_host(cast: Cast) -> None:
    error = await refusal(cast, "mqtt://broker.invalid", patience=0)
    assert error.reason is Reason.BROKER_UNREACHABLE


@contextlib.asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[str]:
    """A server that answers the first bytes with these, or never."""
    never = asyncio.Event()
    handlers: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
            if answer is None:
                await never.wait()
            else:
                writer.write(answer)
                await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"mqtt://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        never.set()
        listener.close()
        await listener.wait_closed()
        await asyncio.gather(*filter(None, handlers))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no MQTT broker"),
        (b"\x20\x02\x00\x04", "user name or password"),
        (b"\x20\x02\x00\x01", "does not speak MQTT 3.1.1"),
        (b"\x20\x02\x00\x63", "code 99"),
        (b"\x20\x02", "closed the connection"),
        (b"", "closed the connection"),
    ],
)
async def test_odd_answers(cast: Cast, answer: bytes, words: str) -> None:
    async with server(answer) as url:
        assert words in str(await refusal(cast, url, patience=0))


async def test_a_server_that_never_answers(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "REQUEST_DEADLINE", 0.2)
    async with server(None) as url:
        error = await refusal(cast, url, patience=0)
    assert isinstance(error, BrokerError)
    assert "no answer within 0.2 s" in str(error)


async def test_a_broker_that_hangs_after_the_first_handshake(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's own connection then waits in vain, and is cleaned up all the same."""
    monkeypatch.setattr(bus_module, "REQUEST_DEADLINE", 0.2)

    async def passed(*_: object) -> None:
        return

    monkeypatch.setattr(bus_module, "check_broker", passed)
    async with server(None) as url:
        error = await refusal(cast, url, patience=0)
    assert error.reason is Reason.BROKER_UNREACHABLE


@pytest.mark.parametrize("checked", [True, False])
async def test_cancelled_while_entering(cast: Cast, monkeypatch: pytest.MonkeyPatch, checked: bool) -> None:
    reached = asyncio.Event()
    real = bus_module.check_broker

    async def check(*arguments: object) -> None:
        reached.set()
        if not checked:
            await real(*arguments)

    monkeypatch.setattr(bus_module, "check_broker", check)
    monkeypatch.setattr(bus_module, "REQUEST_DEADLINE", 0.5)

    async def enter(url: str) -> None:
        async with Bus(cast.consortium, cast.members[0], url, patience=math.inf):
            raise AssertionError("entered")

    async with server(None) as url:
        task = asyncio.create_task(enter(url))
        async with asyncio.timeout(DEADLINE):
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_patience_waits_for_a_broker_that_starts_later(cast: Cast) -> None:
    port = _free_port()
    broker = LocalBroker(port=port)
    bus = Bus(cast.consortium, cast.members[0], f"mqtt://127.0.0.1:{port}", patience=math.inf)
    entering = asyncio.create_task(bus.__aenter__())
    try:
        await asyncio.to_thread(broker.start)
        async with asyncio.timeout(DEADLINE):
            await entering
        assert bus.connected
        await bus.__aexit__(None, None, None)
        assert not bus.connected
    finally:
        await asyncio.to_thread(broker.close)


async def test_leaving_while_the_broker_is_away_takes_no_longer_than_a_farewell(cast: Cast) -> None:
    broker = LocalBroker()
    await asyncio.to_thread(broker.start)
    try:
        async with asyncio.timeout(DEADLINE), Bus(cast.consortium, cast.members[0], broker.url):
            await asyncio.to_thread(broker.stop)
    finally:
        await asyncio.to_thread(broker.close)
