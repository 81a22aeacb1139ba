"""Words of a report: the vectors that Solidity reads too, then everything that does not fit."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.messages import Expiry, Instrument
from mpc_party.protocol.words import (
    MARGIN_ABSENT,
    PARAM_FIELDS,
    ForwardFields,
    InstrumentFields,
    ParamFields,
    book_hash,
    pack_book,
    pack_forward,
    pack_instrument,
    pack_param,
    pack_params,
    split_words,
    unpack_book,
    unpack_forward,
    unpack_forwards,
    unpack_instrument,
    unpack_param,
    unpack_params,
)

ROOT = Path(__file__).resolve().parents[2]
VECTORS = json.loads((ROOT / "contracts" / "test" / "vectors" / "words.json").read_text(encoding="utf-8"))
SOLIDITY_NAMES = {
    "iv": "iv",
    "bs_delta": "bsDelta",
    "hedge_delta": "hedgeDelta",
    "gamma": "gamma",
    "vega": "vega",
    "premium": "premium",
    "maintenance_margin": "maintenanceMargin",
    "initial_margin": "initialMargin",
}
GOOD = ParamFields(650_000, 512_345, -498_765, 1_234_567, 12_345_678, 4_567_890, 150_000, 200_000)


def word_of(vector):
    return bytes.fromhex(vector["word"][2:])


def fields_of(vector):
    row = {name: int(vector[solidity]) for name, solidity in SOLIDITY_NAMES.items()}
    for name in ("maintenance_margin", "initial_margin"):
        row[name] = None if row[name] == MARGIN_ABSENT else row[name]
    return ParamFields(**row)


def columns(**changes):
    base = {name: np.array([getattr(GOOD, name)] * 3, dtype=np.int64) for name in SOLIDITY_NAMES}
    return base | changes


margins = st.one_of(
    st.just((None, None)),
    st.tuples(st.integers(0, MARGIN_ABSENT - 1), st.integers(0, MARGIN_ABSENT - 1)).map(
        lambda pair: tuple(sorted(pair))
    ),
)
params = st.builds(
    lambda numbers, pair: ParamFields(*numbers, *pair),
    st.tuples(*(st.integers(field.lowest, field.highest) for field in PARAM_FIELDS[:6])),
    margins,
)


def test_vectors_are_what_this_code_writes():
    result = subprocess.run(
        [sys.executable, ROOT / "contracts" / "scripts" / "make_vectors.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("vector", VECTORS["params"], ids=lambda vector: vector["word"][:12])
def test_param_vectors(vector):
    assert pack_param(fields_of(vector)) == word_of(vector)
    assert unpack_param(word_of(vector)) == fields_of(vector)


@pytest.mark.parametrize("vector", VECTORS["refusedParams"], ids=lambda vector: vector["breach"])
def test_words_that_the_contract_refuses_are_refused_here(vector):
    with pytest.raises(ReportError) as caught:
        unpack_params(word_of(VECTORS["params"][1]) + word_of(vector))
    assert caught.value.reason is Reason.REPORT_INVALID
    assert " 1 " in caught.value.message or " 1:" in caught.value.message  # the index


def test_margins_that_no_law_allows_are_refused():
    good = bytearray(word_of(VECTORS["params"][1]))
    for low, value in ((26, 149_999), (26, MARGIN_ABSENT), (23, MARGIN_ABSENT)):
        word = bytes(good[:low]) + value.to_bytes(3) + bytes(good[low + 3 :])
        with pytest.raises(ReportError, match="margins of instrument 0"):
            unpack_params(word)


@pytest.mark.parametrize("vector", VECTORS["forwards"], ids=lambda vector: vector["expiry"])
def test_forward_vectors(vector):
    fields = ForwardFields(int(vector["expiry"]), int(vector["forward"]))
    assert pack_forward(fields) == word_of(vector)
    assert unpack_forward(word_of(vector)) == fields


@pytest.mark.parametrize("vector", VECTORS["instruments"], ids=lambda vector: vector["word"][:40])
def test_instrument_vectors(vector):
    fields = InstrumentFields(
        vector["underlying"], vector["call"] == "1", int(vector["expiry"]), int(vector["strike"])
    )
    assert pack_instrument(fields) == word_of(vector)
    assert unpack_instrument(word_of(vector)) == fields


def test_book_vector():
    words = [bytes.fromhex(word[2:]) for word in VECTORS["bookWords"]]
    book = [unpack_instrument(word) for word in words]
    dates = sorted({item.expiry for item in book})
    expiries = [Expiry(date, 1, 500_000) for date in dates]
    instruments = [Instrument(dates.index(item.expiry), item.strike, item.call) for item in book]
    assert pack_book("BTC", expiries, instruments) == b"".join(words)
    assert (
        book_hash("BTC", expiries, instruments)
        == bytes.fromhex(VECTORS["book"][2:])
        == keccak(b"".join(words))
    )


@given(st.lists(params, min_size=1, max_size=20))
def test_columns_and_rows_agree(rows):
    words = pack_params(
        {
            name: np.array(
                [MARGIN_ABSENT if getattr(row, name) is None else getattr(row, name) for row in rows]
            )
            for name in SOLIDITY_NAMES
        }
    )
    assert words == b"".join(pack_param(row) for row in rows)
    assert [unpack_param(word) for word in split_words(words)] == rows
    assert pack_params(unpack_params(words)) == words


@given(st.binary(min_size=32, max_size=32))
def test_a_word_is_refused_or_has_one_reading(word):
    try:
        fields = unpack_param(word)
    except ReportError:
        return
    assert pack_param(fields) == word


def test_margins_left_out_are_absent():
    some = columns()
    del some["maintenance_margin"], some["initial_margin"]
    fields = unpack_param(pack_params(some)[:32])
    assert (fields.maintenance_margin, fields.initial_margin) == (None, None)


def test_narrower_integers_serve():
    narrow = {name: values.astype(np.int32) for name, values in columns().items()}
    unsigned = columns(gamma=np.array([1_234_567] * 3, dtype=np.uint64))
    assert pack_params(narrow) == pack_params(columns()) == pack_params(unsigned)


@pytest.mark.parametrize("field", PARAM_FIELDS, ids=lambda field: field.name)
@pytest.mark.parametrize("above", [True, False])
def test_out_of_range_names_field_and_index(field, above):
    values = columns()[field.name].copy()
    values[2] = field.highest + 1 if above else field.lowest - 1
    with pytest.raises(ReportError, match=rf"`{field.name}` of instrument 2 is {values[2]}"):
        pack_params(columns(**{field.name: values}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iv": np.array([1.5, 2.0, 3.0])}, "`iv` is not a one-dimensional array of integers"),
        ({"vega": np.array([True, False, True])}, "`vega` is not"),
        ({"gamma": np.ones((3, 1), dtype=np.int64)}, "`gamma` is not"),
        ({"gamma": np.array([2**63] * 3, dtype=np.uint64)}, "`gamma` holds a value above 63 bits"),
        ({"premium": np.array([1, 2], dtype=np.int64)}, "`premium` has 2 values, `iv` has 3"),
        ({"theta": np.array([1, 2, 3])}, "theta"),
        ({"initial_margin": np.array([9, 9, 9])}, "margins of instrument 0"),
        ({"initial_margin": np.array([200_000, MARGIN_ABSENT, 200_000])}, "margins of instrument 1"),
    ],
)
def test_columns_that_do_not_fit(changes, message):
    with pytest.raises(ReportError, match=message):
        pack_params(columns(**changes))


@pytest.mark.parametrize("name", ["iv", "premium", "initial_margin"])
def test_a_missing_column(name):
    some = columns()
    del some[name]
    with pytest.raises(ReportError, match=name if name != "initial_margin" else "initial_margin"):
        pack_params(some)


def test_no_instruments():
    with pytest.raises(ReportError, match="empty"):
        pack_params({name: values[:0] for name, values in columns().items()})


def test_an_explicit_all_ones_margin_is_no_number():
    with pytest.raises(ReportError, match="not computed"):
        pack_param(msgspec.structs.replace(GOOD, initial_margin=MARGIN_ABSENT))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_lengths(length):
    for read in (unpack_params, unpack_param, unpack_forward, unpack_forwards, unpack_instrument):
        with pytest.raises(ReportError):
            read(b"\1" * length)


def test_forwards_ascend():
    words = [pack_forward(ForwardFields(day, 5)) for day in (10, 11, 11)]
    assert [item.expiry for item in unpack_forwards(b"".join(words[:2]))] == [10, 11]
    with pytest.raises(ReportError, match="forward word 2: expiries"):
        unpack_forwards(b"".join(words))


@pytest.mark.parametrize("at", range(15))
def test_forward_reserved_bytes(at):
    word = bytearray(pack_forward(ForwardFields(10, 5)))
    word[at] = 1
    with pytest.raises(ReportError, match=r"forward word 0: .*reserved"):
        unpack_forwards(bytes(word))


@pytest.mark.parametrize("fields", [(0, 1), (1, 0), (2**40, 1), (1, 2**96), (-1, 1)])
def test_forward_ranges(fields):
    with pytest.raises(ReportError, match="outside"):
        pack_forward(ForwardFields(*fields))


@pytest.mark.parametrize("name", ["", "btc", "BTC-USD", "ABCDEFGHIJKLM", "BTC\0", "ÄÖ"])
def test_underlyings_that_do_not_fit(name):
    with pytest.raises(ReportError, match="underlying"):
        pack_instrument(InstrumentFields(name, call=True, expiry=1, strike=1))


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (12, 0, "kind 0"),
        (12, 3, "kind 3"),
        (30, 1, "reserved"),
        (31, 1, "reserved"),
        (0, 0, "underlying"),
        (0, 255, "underlying"),
    ],
)
def test_instrument_words_that_are_none(at, value, message):
    word = bytearray(pack_instrument(InstrumentFields("BTC", call=True, expiry=1, strike=1)))
    word[at] = value
    with pytest.raises(ReportError, match=message):
        unpack_instrument(bytes(word))


def test_an_instrument_of_an_expiry_that_is_not_there():
    with pytest.raises(ReportError, match="instrument 0 names expiry 1 of 1"):
        pack_book("BTC", [Expiry(1, 1, 500_000)], [Instrument(1, 1, True)])


def instrument_words():
    fields = [
        InstrumentFields("BTC", True, 1, 1),
        InstrumentFields("BTC", False, 2**40 - 1, 2**96 - 1),
        InstrumentFields("BTC", True, 1_767_258_000, 2**64 + 7),
        InstrumentFields("BTC", False, 1_767_258_000, 88_000 * 10**8),
    ]
    return fields, b"".join(pack_instrument(one) for one in fields)


def test_a_book_is_read_at_once_as_it_is_word_by_word():
    fields, words = instrument_words()
    columns = unpack_book(words)
    assert columns.underlying == "BTC"
    assert columns.call.tolist() == [one.call for one in fields]
    assert columns.expiry.tolist() == [one.expiry for one in fields]
    assert columns.strike.tolist() == pytest.approx([one.strike for one in fields], rel=1e-15)


@pytest.mark.parametrize(
    ("start", "new", "what"),
    [
        (12, b"\0", "neither"),
        (12, b"\3", "neither"),
        (0, b"ETH", "another underlying"),
        (13, bytes(5), "zero expiry"),
        (18, bytes(12), "zero expiry or strike"),
        (30, b"\1", "reserved"),
        (31, b"\1", "reserved"),
    ],
)
def test_a_book_with_a_broken_word_is_refused_and_the_word_named(start, new, what):
    words = bytearray(instrument_words()[1])
    words[64 + start : 64 + start + len(new)] = new
    with pytest.raises(ReportError, match=what) as caught:
        unpack_book(bytes(words))
    assert "word 2" in caught.value.message


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_book_is_a_whole_number_of_words(length):
    with pytest.raises(ReportError, match="book"):
        unpack_book(instrument_words()[1][:length])


def test_an_underlying_that_is_none_is_refused_in_all_words():
    words = bytearray(instrument_words()[1])
    for at in range(0, len(words), 32):
        words[at : at + 3] = b"btc"
    with pytest.raises(ReportError, match="underlying"):
        unpack_book(bytes(words))
