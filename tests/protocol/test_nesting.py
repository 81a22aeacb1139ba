import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.nesting import MAX_DEPTH, decode_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_json_writes_is_read(value):
    assert decode_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        decode_json(data)
    except ValueError:
        return


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 101 + b"]" * 101, b'["\\"",' * 5000]
)
def test_deep_nesting_is_refused(text):
    with pytest.raises(ValueError, match="deep"):
        decode_json(text)


def test_wide_is_not_deep_and_brackets_in_strings_do_not_count():
    assert decode_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    assert len(decode_json(b"[" + b",".join([b"[]"] * 5000) + b"]")) == 5000
    assert decode_json(json.dumps(['["{' * 500]).encode()) == ['["{' * 500]


def test_it_holds_where_a_library_has_lifted_the_recursion_limit():
    script = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from mpc_party.protocol.nesting import decode_json\n"
        "try: decode_json(b'[' * 1_000_000)\n"
        "except ValueError: sys.exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 7
