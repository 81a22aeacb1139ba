"""Frames on a link: length, kind, sequence number, raw payload. Pure functions of bytes; no sockets.

    offset  size  field
    0       4     length of the payload, unsigned, little-endian
    4       1     kind (`FrameKind`)
    5       4     sequence number, unsigned, little-endian, per link and direction
    9       n     payload, opaque here

The sequence number of a HELLO or SESSION frame is 0 and starts the count anew; every other frame carries one more
than the frame before it. TLS already refuses replayed or reordered records; the count catches a peer whose
program has lost its place, and a frame that was recorded inside one session and injected by its own sender in
another. The length is bounded before anything is kept. Nothing is allocated ahead of the bytes that arrive, except for a
frame of words or bits of up to 16 MiB, one per link: what follows of it can then be decrypted to where it stays.
"""

import struct
from collections import deque
from typing import NamedTuple, cast

from mpc_party.mesh.exchange import FrameKind

HEADER = struct.Struct("<IBI")
HEADER_SIZE = HEADER.size
DEFAULT_MAX_PAYLOAD = 64 * 1024 * 1024
MAX_SEQUENCE = 2**32 - 1

# The mesh's own frames have fixed schemas and are small, whatever the limit for the computation's.
CONTROL_LIMIT = 1024
_CONTROL = frozenset({FrameKind.HELLO, FrameKind.SESSION, FrameKind.REFUSAL})
# Frames of this many bytes are written where they stay; smaller ones are cheaper to cut out of what has arrived.
_LARGE = range(32 * 1024, 16 * 1024 * 1024 + 1)
_RAW = frozenset({FrameKind.WORDS, FrameKind.BITS})  # what is large, and only read as a buffer
_RESTARTS = frozenset({FrameKind.HELLO, FrameKind.SESSION})
_KINDS = {int(kind): kind for kind in FrameKind}


class FrameError(ValueError):
    """Bytes that are no frame, or a frame out of order. The message says which rule they break."""


class Frame(NamedTuple):
    """One decoded frame."""

    kind: FrameKind
    sequence: int
    payload: bytes


class FrameEncoder:
    """Writes headers for one direction of one link."""

    def __init__(self, max_payload: int = DEFAULT_MAX_PAYLOAD) -> None:
        self.max_payload = max_payload
        self._next = 0

    def header(self, kind: FrameKind, length: int) -> bytes:
        """Return the 9 bytes that precede a payload of `length` bytes, and count the frame.

        Raises:
            FrameError: the payload is too long, or 2^32 frames have been sent since the session began.
        """
        limit = CONTROL_LIMIT if kind in _CONTROL else self.max_payload
        if length > limit:
            raise FrameError(f"a payload of {length} bytes exceeds the limit of {limit}")
        sequence = 0 if kind in _RESTARTS else self._next
        if sequence > MAX_SEQUENCE:
            raise FrameError("sequence numbers are used up; begin a new session")
        self._next = sequence + 1
        return HEADER.pack(length, kind, sequence)


class FrameDecoder:
    """Turns one direction of one link back into frames, from pieces of any size.

    Complete frames wait in `ready`. After a `FrameError` the stream has no meaning any more, and every
    further `feed` raises it again.
    """

    def __init__(self, max_payload: int = DEFAULT_MAX_PAYLOAD) -> None:
        self.max_payload = max_payload
        self.ready: deque[Frame] = deque()
        self._next = 0
        self._pieces: list[bytes] = []
        self._held = 0  # bytes in _pieces
        self._wanted = HEADER_SIZE  # bytes until the next decision: a header, or a whole frame
        self._error: FrameError | None = None
        self._large: Frame | None = None  # in progress, its payload not all written yet
        self._room = memoryview(b"")  # the part of it to come

    @property
    def queued(self) -> int:
        """Bytes held: complete frames that nobody has taken, and the frame in progress."""
        arriving = len(self._large.payload) - len(self._room) if self._large else 0
        return self._held + arriving + sum(HEADER_SIZE + len(frame.payload) for frame in self.ready)

    @property
    def room(self) -> memoryview:
        """Where the next bytes of the stream belong, if a large frame is arriving; else empty.

        Who can write them there itself calls `wrote` then, instead of `feed`.
        """
        return self._room

    def wrote(self, count: int) -> None:
        """Take note that the first `count` bytes of `room` have been written."""
        self._room = self._room[count:]
        if not self._room and self._large is not None:
            self.ready.append(self._large)
            self._large = None

    def feed(self, data: bytes) -> None:
        """Take in the next bytes of the stream.

        Raises:
            FrameError: unknown kind, payload above the limit, or wrong sequence number. Frames that were
                complete before the bad one stay in `ready`.
        """
        if self._error is not None:
            raise self._error
        if self._room:
            count = min(len(self._room), len(data))
            self._room[:count] = data[:count]
            self.wrote(count)
            data = data[count:]
            if not data:
                return
        self._pieces.append(data)
        self._held += len(data)
        if self._held < self._wanted:
            return
        # Joining is linear: it happens once when a header is complete and once when its frame is.
        buffer = data if len(self._pieces) == 1 else b"".join(self._pieces)
        try:
            offset = self._decode(buffer)
        except FrameError as error:
            self._error = error
            self._pieces.clear()
            self._held = 0
            raise
        rest = buffer[offset:] if offset else buffer
        self._pieces = [rest] if rest else []
        self._held = len(rest)

    def _decode(self, buffer: bytes) -> int:
        """Decode all complete frames; return how many bytes they took and set what is wanted next."""
        offset, size = 0, len(buffer)
        while True:
            if size - offset < HEADER_SIZE:
                self._wanted = HEADER_SIZE
                return offset
            length, code, sequence = HEADER.unpack_from(buffer, offset)
            kind = _KINDS.get(code)
            if kind is None:
                raise FrameError(f"unknown frame kind {code}")
            limit = CONTROL_LIMIT if kind in _CONTROL else self.max_payload
            if length > limit:
                raise FrameError(f"a {kind.name} frame of {length} bytes exceeds the limit of {limit}")
            expected = 0 if kind in _RESTARTS else self._next
            if sequence != expected:
                raise FrameError(f"{kind.name} frame with sequence number {sequence} instead of {expected}")
            end = offset + HEADER_SIZE + length
            if end > size and length in _LARGE and kind in _RAW:
                self._next = sequence + 1
                payload = bytearray(length)
                here = size - offset - HEADER_SIZE
                payload[:here] = buffer[offset + HEADER_SIZE :]
                # Whoever takes such a frame only reads it as a buffer, which bytes and bytearray both are.
                self._large = Frame(kind, sequence, cast("bytes", payload))
                self._room = memoryview(payload)[here:]
                self._wanted = HEADER_SIZE
                return size
            if end > size:
                self._wanted = HEADER_SIZE + length
                return offset
            self._next = sequence + 1
            self.ready.append(Frame(kind, sequence, buffer[offset + HEADER_SIZE : end]))
            offset = end
