"""The evidence of disputes, in the member's folder: `evidence/<epoch>-<round or ceremony>-<kind>.evidence`.

Kinds are keygen, nonce, approval, signature: how far this member had come. Files are for their owner alone (mode 0600) and go to whom
the member shows them: `mpc-party evidence verify` judges one without keys. They hold nothing of a living key.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from mpc_party.protocol.errors import ConfigError, ConsortiumError
from mpc_party.protocol.files import read_limited, write_atomic
from mpc_party.signing import Evidence, SigningError
from mpc_party.signing.evidence import MAX_EVIDENCE
from mpc_party.signing.judges import case_of

FOLDER = "evidence"
SUFFIX = ".evidence"
_MOST_ALIKE = 100  # files of one name; a round has one nonce phase, so more than one is odd already
log = structlog.get_logger("mpc_party")


def keep_evidence(home: Path, evidence: Evidence) -> Path | None:
    """Write evidence into the member's folder, durably, and log where; None, and a warning, where that fails.

    Nothing raises here: the failure that the evidence is about must not be hidden by a full disk.
    """
    try:
        path = _written(home / FOLDER, f"{case_of(evidence).label}-{evidence.stage}", evidence.encode())
    except ConsortiumError as error:
        log.warning("evidence not kept", reason=error.message)
        return None
    log.warning("evidence kept", file=str(path), remedy=f"mpc-party evidence verify {path}")
    return path


@contextmanager
def evidence_kept(home: Path) -> Iterator[None]:
    """Keep the evidence of a `SigningError` that passes through, and let it pass."""
    try:
        yield
    except SigningError as error:
        if error.evidence is not None:
            keep_evidence(home, error.evidence)
        raise


def read_evidence(path: Path) -> Evidence:
    """Read an evidence file. What it says is not judged here.

    Raises:
        ConfigError: it is missing, too large, or no evidence file.
    """
    return Evidence.decode(read_limited(path, MAX_EVIDENCE, "evidence"))


def _written(folder: Path, name: str, data: bytes) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror}") from None
    for number in range(1, _MOST_ALIKE):
        path = folder / (name + (f"-{number}" if number > 1 else "") + SUFFIX)
        if not path.exists():
            write_atomic(path, data, secret=True, overwrite=False)
            return path
    raise ConfigError(f"{folder / name}: there are {_MOST_ALIKE} files of this name", remedy="move them away")
