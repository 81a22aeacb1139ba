"""How to be let in by the broker: credentials, TLS, and what can go wrong."""

import contextlib
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from mpc_party.protocol.addresses import BrokerUrl
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.secret import Secret

VARIABLES: Final = {
    "username": "MPC_BROKER_USERNAME",
    "password": "MPC_BROKER_PASSWORD",
    "ca_file": "MPC_BROKER_CA",
    "certificate_file": "MPC_BROKER_CERTIFICATE",
    "key_file": "MPC_BROKER_KEY",
}


class BrokerError(ConsortiumError):
    """No session with the broker. `permanent` if trying again without changing something is of no use."""

    default_reason = Reason.BROKER_UNREACHABLE

    def __init__(
        self,
        message: str,
        *,
        reason: Reason = Reason.BROKER_UNREACHABLE,
        remedy: str | None = None,
        permanent: bool = False,
    ) -> None:
        super().__init__(message, reason=reason, remedy=remedy)
        self.permanent = permanent


class BrokerCredentials(Secret):
    """What a broker may ask for: user name and password, a client certificate; and whom to trust as the broker.

    Args:
        username: MQTT user name.
        password: MQTT password.
        ca_file: PEM of the authorities that may vouch for the broker; None for those of the system.
        certificate_file: PEM of the client certificate (and its chain).
        key_file: PEM of its key, unencrypted; None if it is in the certificate's file.
    """

    __slots__ = ("ca_file", "certificate_file", "key_file", "password", "username")

    def __init__(
        self,
        username: str | None = None,
        password: str | None = None,
        ca_file: Path | str | None = None,
        certificate_file: Path | str | None = None,
        key_file: Path | str | None = None,
    ) -> None:
        if password is not None and username is None:
            raise ConfigError("broker: a password without a user name")
        if key_file is not None and certificate_file is None:
            raise ConfigError("broker: a client key without its certificate")
        for field, text in (("user name", username), ("password", password)):
            if text is not None and len(text.encode("utf-8", "surrogateescape")) > 65_535:
                raise ConfigError(f"broker: the {field} is too long")
        self.username = username
        self.password = password
        self.ca_file = ca_file
        self.certificate_file = certificate_file
        self.key_file = key_file

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """From MPC_BROKER_USERNAME, _PASSWORD, _CA, _CERTIFICATE and _KEY, as far as they are set and not empty.

        Raises:
            ConfigError: they do not fit together.
        """
        found = {field: environment.get(variable) or None for field, variable in VARIABLES.items()}
        return cls(**found)

    def tls_context(self, url: BrokerUrl) -> ssl.SSLContext | None:
        """The TLS context for a broker, None for mqtt://. The broker's name is checked against its certificate.

        Raises:
            ConfigError: a file is missing or does not hold what it should, or TLS files without mqtts://.
        """
        if not url.tls:
            if self.ca_file is not None or self.certificate_file is not None:
                raise ConfigError(f"broker {url}: certificates are given, but the URL is not mqtts://")
            return None
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is not None:
            # Only these: a broker of our own is not to be replaced by any that a public authority vouches for.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            with _readable(f"CA file {self.ca_file}", "no certificate in it"):
                context.load_verify_locations(self.ca_file)
        if self.certificate_file is not None:
            files = " and ".join(str(file) for file in (self.certificate_file, self.key_file) if file)
            with _readable(f"client certificate {files}", "not a certificate with its unencrypted key"):
                # An encrypted key must not make OpenSSL ask on the terminal.
                context.load_cert_chain(self.certificate_file, self.key_file, password=lambda: b"")
        return context


@contextlib.contextmanager
def _readable(what: str, otherwise: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError:
        raise ConfigError(f"broker: {what}: {otherwise}") from None
    except OSError as error:
        raise ConfigError(f"broker: {what}: {error.strerror or otherwise}") from None
