"""Model files: a hedge model's weights as their owner keeps them, TOML, readable by the owner alone.

    kind = "minimum-variance-quadratic"        kind = "quadratic-policy-6-16-16"
    a = -0.25                                  weights = [
    b = 0.4                                        0.1, -0.2, 0.3, 0.4,
    c = -0.3                                       ... 401 numbers, in the order of `mpc_party.hedging.model`
                                               ]

Numbers are written so that they read back as the same float64. What a round does with them is rounded to the
program's fixed point when they are dealt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from mpc_party.hedging.model import COUNTS, MINIMUM_VARIANCE, POLICY, WEIGHTS
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import read_text_limited, write_atomic
from mpc_party.protocol.secret import Secret
from mpc_party.protocol.toml import convert, parse_toml

MAX_MODEL_FILE = 64 * 1024
NUMBERS_A_LINE = 4
_HEADER = "# A hedge model. Secret: whoever reads this file knows the model. Deal it with `mpc-models deal --model FILE`.\n"


@dataclass(frozen=True, repr=False)
class ModelFile(Secret):
    """A model: its kind, and its weights in the order in which they are dealt. The repr shows none."""

    kind: str
    weights: tuple[float, ...]

    def __repr__(self) -> str:
        return f"ModelFile({self.kind!r})"


class _Kind(msgspec.Struct):
    kind: str


class _Quadratic(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    a: float
    b: float
    c: float


class _Policy(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    weights: list[float]


def load_model(path: Path) -> ModelFile:
    """Read a model file.

    Raises:
        ConfigError: not a model file, of a kind that no program reads, or without that kind's number of finite weights.
    """
    what = f"model file {path}"
    data = parse_toml(read_text_limited(path, MAX_MODEL_FILE, "model file"), what)
    kind = convert(data, _Kind, what).kind
    weights: Sequence[float]
    if kind == MINIMUM_VARIANCE:
        quadratic = convert(data, _Quadratic, what)
        weights = [getattr(quadratic, name) for name in WEIGHTS]
    elif kind == POLICY:
        weights = convert(data, _Policy, what).weights
    else:
        raise ConfigError(f"{what}: kind: {kind[:40]!a}", remedy=f"this version has {' and '.join(COUNTS)}")
    return _checked(ModelFile(kind, tuple(weights)), what)


def save_model(path: Path, model: ModelFile, *, overwrite: bool = True) -> None:
    """Write a model file with mode 0600, whole or not at all.

    Raises:
        ConfigError: it does not have its kind's number of finite weights, or cannot be written.
    """
    _checked(model, f"model file {path}")
    lines = [f'kind = "{model.kind}"']
    if model.kind == MINIMUM_VARIANCE:
        lines += [
            f"{name} = {weight!r}" for name, weight in zip(WEIGHTS, map(float, model.weights), strict=True)
        ]
    else:
        numbers = [repr(float(weight)) for weight in model.weights]
        lines.append("weights = [")
        lines += [
            f"    {', '.join(numbers[start : start + NUMBERS_A_LINE])},"
            for start in range(0, len(numbers), NUMBERS_A_LINE)
        ]
        lines.append("]")
    text = _HEADER + "\n".join(lines) + "\n"
    write_atomic(path, text.encode(), secret=True, overwrite=overwrite)


def _checked(model: ModelFile, what: str) -> ModelFile:
    count = COUNTS.get(model.kind)
    if len(model.weights) != count or not np.isfinite(np.array(model.weights, dtype=np.float64)).all():
        raise ConfigError(f"{what}: a {model.kind} model needs {count} finite weights")
    return model
