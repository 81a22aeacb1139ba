"""Frames: golden bytes, any split of the stream, and everything that must be refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.mesh.exchange import FrameKind
from mpc_party.mesh.frames import (
    CONTROL_LIMIT,
    HEADER,
    HEADER_SIZE,
    MAX_SEQUENCE,
    Frame,
    FrameDecoder,
    FrameEncoder,
    FrameError,
)
from mpc_party.mesh.handshake import encode_hello
from mpc_party.mesh.refusal import Cause, Refusal
from mpc_party.mesh.rendezvous import encode_session

GOLDEN = Path(__file__).parent / "golden" / "frames-v1.hex"
CARRIERS = sorted(set(FrameKind) - {FrameKind.HELLO, FrameKind.SESSION, FrameKind.REFUSAL})

frames = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(CARRIERS), st.binary(max_size=3000)),
        st.tuples(st.sampled_from([FrameKind.SESSION, FrameKind.REFUSAL]), st.binary(max_size=CONTROL_LIMIT)),
    ),
    max_size=12,
)


def stream_of(sent: list[tuple[FrameKind, bytes]]) -> bytes:
    encoder = FrameEncoder(4096)
    return b"".join(encoder.header(kind, len(payload)) + payload for kind, payload in sent)


def golden_stream() -> list[tuple[str, bytes]]:
    encoder = FrameEncoder()
    sent = [
        ("hello of member 1", FrameKind.HELLO, encode_hello(1, bytes(range(32)))),
        ("session of members 0, 1, 4", FrameKind.SESSION, encode_session(bytes([7] * 32), {4, 0, 1})),
        ("two words", FrameKind.WORDS, (1).to_bytes(8, "little") + (2**64 - 2).to_bytes(8, "little")),
        ("empty check", FrameKind.CHECK, b""),
        ("aborted, blaming member 2", FrameKind.REFUSAL, Refusal(Cause.SESSION_ABORTED, 2).encode()),
    ]
    return [(what, encoder.header(kind, len(data)) + data) for what, kind, data in sent]


def test_bytes_on_the_wire_are_those_of_version_1():
    expected = [line.split("  # ") for line in GOLDEN.read_text().splitlines()]
    assert [(what, data.hex()) for what, data in golden_stream()] == [(what, hexa) for hexa, what in expected]


@given(frames, st.data())
def test_any_split_of_the_stream_decodes_the_same(sent, data):
    stream = stream_of(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    decoder = FrameDecoder(4096)
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        decoder.feed(stream[start:end])
    assert [(frame.kind, frame.payload) for frame in decoder.ready] == sent
    assert decoder.queued == len(stream)


def test_byte_by_byte_nothing_is_ready_before_the_last_byte():
    stream = stream_of([(FrameKind.WORDS, b"12345678")])
    decoder = FrameDecoder()
    for index in range(len(stream)):
        assert not decoder.ready
        decoder.feed(stream[index : index + 1])
    assert list(decoder.ready) == [Frame(FrameKind.WORDS, 0, b"12345678")]


@given(st.binary(min_size=HEADER_SIZE, max_size=200))
def test_random_bytes_never_raise_anything_but_frame_errors(data):
    decoder = FrameDecoder(4096)
    try:
        decoder.feed(data)
    except FrameError:
        with pytest.raises(FrameError):
            decoder.feed(b"")


def test_sequence_numbers_count_and_a_session_starts_anew():
    encoder = FrameEncoder()
    kinds = [
        FrameKind.HELLO,
        FrameKind.SESSION,
        FrameKind.WORDS,
        FrameKind.BITS,
        FrameKind.SESSION,
        FrameKind.WORDS,
    ]
    sequences = [HEADER.unpack(encoder.header(kind, 0))[2] for kind in kinds]
    assert sequences == [0, 0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER.pack(0, 0, 0), "unknown frame kind 0"),
        (HEADER.pack(0, 200, 0), "unknown frame kind 200"),
        (HEADER.pack(4097, FrameKind.WORDS, 0), "exceeds the limit of 4096"),
        (HEADER.pack(2**32 - 1, FrameKind.WORDS, 0), "exceeds the limit of 4096"),
        (HEADER.pack(CONTROL_LIMIT + 1, FrameKind.SESSION, 0), f"exceeds the limit of {CONTROL_LIMIT}"),
        (HEADER.pack(0, FrameKind.WORDS, 1), "sequence number 1 instead of 0"),
        (HEADER.pack(0, FrameKind.SESSION, 5), "sequence number 5 instead of 0"),
    ],
)
def test_a_bad_header_is_refused_before_its_payload_arrives(header, words):
    with pytest.raises(FrameError, match=words):
        FrameDecoder(4096).feed(header)


def test_a_replayed_or_skipped_frame_is_refused_and_earlier_ones_stay():
    first = HEADER.pack(1, FrameKind.WORDS, 0) + b"a"
    for second in (first, HEADER.pack(1, FrameKind.WORDS, 2) + b"b"):
        decoder = FrameDecoder()
        with pytest.raises(FrameError, match="instead of 1"):
            decoder.feed(first + second)
        assert [frame.payload for frame in decoder.ready] == [b"a"]
        with pytest.raises(FrameError):
            decoder.feed(b"more")


def test_the_encoder_keeps_the_same_bounds():
    encoder = FrameEncoder(4096)
    with pytest.raises(FrameError, match="limit of 4096"):
        encoder.header(FrameKind.WORDS, 4097)
    with pytest.raises(FrameError, match=f"limit of {CONTROL_LIMIT}"):
        encoder.header(FrameKind.REFUSAL, CONTROL_LIMIT + 1)
    encoder._next = MAX_SEQUENCE
    encoder.header(FrameKind.WORDS, 0)
    with pytest.raises(FrameError, match="used up"):
        encoder.header(FrameKind.WORDS, 0)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_large_frames_are_written_where_they_stay(data):
    """Frames below and above the size from which that is done, in pieces of any size, some written by the caller itself."""
    sizes = data.draw(
        st.lists(st.sampled_from([0, 5, 32_767, 32_768, 50_000, 100_000]), min_size=1, max_size=5)
    )
    kinds = data.draw(
        st.lists(st.sampled_from([FrameKind.WORDS, FrameKind.BITS, FrameKind.CEREMONY]), min_size=5)
    )
    payloads = [bytes([n + 1]) * size for n, size in enumerate(sizes)]
    encoder, decoder = FrameEncoder(), FrameDecoder()
    stream = b"".join(
        encoder.header(kind, len(payload)) + payload for kind, payload in zip(kinds, payloads, strict=False)
    )
    offset = 0
    while offset < len(stream):
        piece = stream[offset : offset + data.draw(st.sampled_from([1, 9, 1000, 16_384, 60_000]))]
        room = decoder.room
        if room and data.draw(st.booleans()):
            piece = piece[: len(room)]
            room[: len(piece)] = piece
            decoder.wrote(len(piece))
        else:
            decoder.feed(piece)
        offset += len(piece)
        complete = sum(HEADER_SIZE + len(frame.payload) for frame in decoder.ready)
        assert complete <= decoder.queued <= offset
    assert [(frame.kind, bytes(frame.payload)) for frame in decoder.ready] == list(
        zip(kinds, payloads, strict=False)
    )
    assert [frame.sequence for frame in decoder.ready] == list(range(len(payloads)))


def test_a_huge_announced_length_allocates_nothing():
    decoder = FrameDecoder(64 * 1024 * 1024)
    decoder.feed(HEADER.pack(64 * 1024 * 1024, FrameKind.WORDS, 0))
    assert decoder.queued == HEADER_SIZE


if __name__ == "__main__":  # python tests/mesh/test_frames.py: writes the golden file of the present version
    GOLDEN.write_text("".join(f"{data.hex()}  # {what}\n" for what, data in golden_stream()))
