from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.addresses import Address, BrokerUrl, parse_address, parse_broker_url
from mpc_party.protocol.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:7000", Address("127.0.0.1", 7000)),
        ("mesh.alice.example.org:65535", Address("mesh.alice.example.org", 65535)),
        ("localhost:1", Address("localhost", 1)),
        ("desk_1:80", Address("desk_1", 80)),
        ("[::1]:7000", Address("::1", 7000)),
    ],
)
def test_addresses(text: str, expected: Address) -> None:
    assert parse_address(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    [
        "", ":", ":1", "host", "host:", "host:0", "host:65536", "host:-1", "host:+1", "host:1x", "host:٣",
        "host:01", "::1:7000", "[::1]", "[host]:1", "[fe80::1%eth0]:1", "1.2.3:1", "1.2.3.400:1", "a b:1",
        "a\n:1", "-a:1", "a..b:1", "user@host:1", "host:1/path", "host:1\n", "x" * 300 + ":1",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^mesh_address: ") as refused:
        parse_address(text, "mesh_address")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mqtt://127.0.0.1", BrokerUrl("127.0.0.1", 1883, tls=False)),
        ("mqtts://broker.example.org", BrokerUrl("broker.example.org", 8883, tls=True)),
        ("mqtts://broker.example.org:1/", BrokerUrl("broker.example.org", 1, tls=True)),
        ("mqtt://[::1]:1883", BrokerUrl("::1", 1883, tls=False)),
    ],
)
def test_broker_urls(text: str, expected: BrokerUrl) -> None:
    assert parse_broker_url(text) == expected
    assert parse_broker_url(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "host", "host:1883", "http://host", "mqtt://", "mqtt:///x", "mqtt://host:0", "mqtt://host:x",
        "mqtt://host:99999", "mqtt://host/topic", "mqtt://host?x", "mqtt://host#x", "mqtt://[::1", "mqtt://a b",
        "ws://host", "mqtt://[fe80::1%25x]",
    ],
)  # fmt: skip
def test_what_is_no_broker_url(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^broker: ") as refused:
        parse_broker_url(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["mqtt://desk:hunter2@host", "mqtt://hunter2@host", "mqtt://host/hunter2@x"])
def test_credentials_in_a_url_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="no credentials") as refused:
        parse_broker_url(text)
    assert "hunter2" not in str(refused.value)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for parse in (parse_address, parse_broker_url):
        with contextlib.suppress(ConfigError):  # and nothing else
            assert isinstance(parse(text), tuple)
