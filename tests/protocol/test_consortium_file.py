from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc_party.protocol.consortium import Program
from mpc_party.protocol.consortium_file import (
    dump_consortium,
    load_consortium,
    parse_consortium,
    save_consortium,
)
from mpc_party.protocol.errors import ConfigError
from tests.support.consortium import NAMES, complete, make_cast

ROOT = Path(__file__).parents[2]
CAST = make_cast()
COMPLETE = complete(CAST)
TEXT = dump_consortium(COMPLETE)


def test_the_example_loads() -> None:
    example = load_consortium(ROOT / "configs" / "consortium.example.toml")
    assert example.names == ("alice", "bob", "carol")
    assert example.program == Program()  # it says that it shows the defaults


@pytest.mark.parametrize("n", range(3, 8))
def test_what_is_written_reads_the_same(n: int, tmp_path: Path) -> None:
    cast = make_cast(n)
    assert cast.consortium.names == NAMES[:n]
    for consortium in (cast.consortium, complete(cast)):
        save_consortium(tmp_path / "c.toml", consortium)
        again = load_consortium(tmp_path / "c.toml")
        assert again == consortium
        assert again.hash == consortium.hash


def test_layout_and_comments_do_not_count() -> None:
    lines = [
        f"{line}   # a comment" if re.match(r"(epoch|threshold)", line) else line for line in TEXT.split("\n")
    ]
    assert parse_consortium("\r\n".join(["# first", *lines])).hash == COMPLETE.hash


def test_an_error_names_the_file_and_the_field(tmp_path: Path) -> None:
    path = tmp_path / "alpha.toml"
    path.write_text(TEXT.replace("epoch = 1", "epoch = 0"))
    with pytest.raises(ConfigError, match=r"^consortium file .*alpha\.toml: epoch: must be at least 1"):
        load_consortium(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("version = 2", "version = 1"), "version: this program reads version 2 only"),
        (("version = 2", "version = 3"), "version: this program reads version 2 only"),
        (("version = 2\n", ""), "missing required field `version`"),
        (("version = 2", 'version = "2"'), "version: this program reads"),
        (("version = 2", "version = 2\nextra = 2"), "unknown field `extra`"),
        (("epoch = 1", "epoch = 1\nepoch = 1"), "Cannot overwrite a value"),
        (("epoch = 1", "epoch = 1.5"), "epoch: Expected `int`, got `float`"),
        (("epoch = 1", "epoch = true"), "epoch: Expected `int`, got `bool`"),
        (("[program]", "[program]\nsurprise = 1"), "program: .*unknown field `surprise`"),
        (("degree = 12", "degree = 99"), r"program\.degree: Expected `int` <= 16"),
        (("band = 1.4", "band = nan"), r"program\.band: "),
        (("band = 1.4", "band = inf"), r"program\.band: "),
        (('name = "bob"', 'name = "Bob"'), r"members\[1\]\.name: "),
        (('name = "bob"', 'name = "bob\\n"'), r"members\[1\]\.name: "),
    ],
)
def test_bad_text_is_refused_by_field(change: tuple[str, str], words: str) -> None:
    text = TEXT.replace(*change, 1)
    assert text != TEXT
    with pytest.raises(ConfigError, match=words) as refused:
        parse_consortium(text)
    assert "\n" not in str(refused.value)


def test_a_consortium_that_breaks_a_rule_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    save_consortium(path, COMPLETE)
    bad: Any = msgspec.structs.replace(COMPLETE, epoch=0)
    with pytest.raises(ConfigError, match="epoch"):
        save_consortium(path, bad)
    assert load_consortium(path) == COMPLETE


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(TEXT.encode() + b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_consortium(path)
    path.write_bytes(b"#" * (256 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than"):
        load_consortium(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 40), st.text(max_size=4))
def test_a_damaged_file_is_another_valid_one_or_refused(at: int, cut: int, insert: str) -> None:
    text = TEXT[:at] + insert + TEXT[at + cut :]
    with contextlib.suppress(ConfigError):  # and nothing else
        consortium = parse_consortium(text)
        assert parse_consortium(dump_consortium(consortium)).hash == consortium.hash
