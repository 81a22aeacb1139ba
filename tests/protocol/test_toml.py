from __future__ import annotations

import contextlib
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.toml import MAX_FILE, convert, parse_toml


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    number: int


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    items: tuple[Inner, ...]


@pytest.mark.parametrize(
    "text",
    [
        "a = ",
        "a = 1\na = 2",
        "[a]\n[a]",
        "a = " + "[" * 2000,
        "a" * 3000 + " = 1",
        ".".join("a" * 40) + " = 1",
        "\x00",
        "a = 1\r\rb = 2",
    ],
)
def test_hostile_text_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^test file: ") as refused:
        parse_toml(text, "test file")
    assert "\n" not in str(refused.value)


def test_too_large() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        parse_toml("#\n" * MAX_FILE, "test file")


def test_the_worst_text_within_the_limits_takes_little_memory() -> None:
    """What tomllib alone needs gigabytes for: dotted keys, as deep and as many as the limits let through."""
    code = """
from mpc_party.protocol.toml import MAX_FILE, MAX_DOTS, parse_toml
lines, size = [], 0
while size < MAX_FILE - 100:
    lines.append(f"k{len(lines)}." + ".".join("a" * MAX_DOTS) + "=1")
    size += len(lines[-1]) + 1
parse_toml("\\n".join(lines), "test file")
# Not getrusage: its maximum includes what the starter held before exec.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert int(output.stdout) < 400 * 1024  # KiB; imports included


@given(st.text(max_size=200))
def test_any_text_parses_or_is_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):  # and nothing else
        assert isinstance(parse_toml(text, "test file"), dict)


def test_conversion_names_the_field() -> None:
    assert convert({"items": [{"number": 1}]}, Outer, "f").items[0].number == 1
    for data, words in [
        ({"items": [{"number": 1}, {"number": "x"}]}, r"f: items\[1\].number: Expected `int`, got `str`"),
        ({"items": [{}]}, r"f: items\[0\]: .*missing required field `number`"),
        ({"items": [], "odd\x1b[31m\n": 1}, r"f: .*unknown field `odd\?\[31m\?`"),
        ({"items": 3}, "f: items: Expected `array`"),
    ]:
        with pytest.raises(ConfigError, match=words) as refused:
            convert(data, Outer, "f")
        assert "\n" not in str(refused.value)
