"""Network addresses in files: host and port of a mesh endpoint, URL of the broker."""

import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import one_line

_LABEL: Final = r"[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class Address(NamedTuple):
    """A host (name, IPv4 or IPv6 without brackets) and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class BrokerUrl(NamedTuple):
    """Where the broker listens, and whether it speaks TLS there."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{Address(self.host, self.port)}"


def parse_address(text: str, field: str = "address") -> Address:
    """Parse "host:port", "1.2.3.4:port" or "[ipv6]:port".

    Raises:
        ConfigError: naming the field.
    """
    host, separator, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        valid = _is_ip(host, 6)
    else:
        valid = _is_host(host)
    if not separator or not valid:
        raise ConfigError(f"{field}: not host:port: {one_line(text)!a}")
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII) or int(port) > 65_535:
        raise ConfigError(f"{field}: not a TCP port: {one_line(port)!a}")
    return Address(host, int(port))


def parse_broker_url(text: str, field: str = "broker") -> BrokerUrl:
    """Parse mqtt://host[:port] (default 1883) or mqtts://host[:port] (TLS, default 8883).

    Raises:
        ConfigError: naming the field. A URL with credentials is refused without being shown.
    """
    try:
        url = urlsplit(text)
        credentials = url.username is not None or url.password is not None
        host, port = url.hostname, url.port
    except ValueError:
        raise ConfigError(f"{field}: not a URL") from None
    if credentials or "@" in text:
        raise ConfigError(
            f"{field}: no credentials in the URL",
            remedy="give the user name and the password as this program's own options",
        )
    if url.scheme not in {"mqtt", "mqtts"} or not host:
        raise ConfigError(f"{field}: not an mqtt://host:port or mqtts://host:port URL: {one_line(text)!a}")
    if url.path not in {"", "/"} or url.query or url.fragment:
        raise ConfigError(f"{field}: nothing may follow host and port: {one_line(text)!a}")
    tls = url.scheme == "mqtts"
    if port is None:
        port = 8883 if tls else 1883
    if port == 0 or not (_is_ip(host, 6) or _is_host(host)):
        raise ConfigError(f"{field}: not a host and port: {one_line(text)!a}")
    return BrokerUrl(host, port, tls)


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version and "%" not in text
    except ValueError:
        return False


def _is_host(text: str) -> bool:
    if re.fullmatch(r"[0-9.]+", text):  # looks like IPv4: must be it
        return _is_ip(text, 4)
    return len(text) <= 253 and _HOST.fullmatch(text) is not None
