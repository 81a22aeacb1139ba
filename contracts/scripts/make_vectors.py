#!/usr/bin/env python3
"""Writes the vectors that hold Solidity and Python together, and the golden files of the report's encoding.

Run it in the project's virtual environment. Everything follows from fixed labels, so that two runs write the same bytes;
with `--check` it compares, writes nothing and exits with 1 on a difference. Changing a vector is changing a format:
consortiums in service hold reports in the old one.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
from coincurve import PrivateKey
from mpc_party.protocol import eip712
from mpc_party.protocol.actions import (
    Action,
    CancelAction,
    LedgerConfig,
    RotateGroupKey,
    SetMembers,
    SetParameters,
    Tolerances,
    Unpause,
    action_digest,
    action_hash,
)
from mpc_party.protocol.compact import compact, compact_signature
from mpc_party.protocol.merkle import merkle_root
from mpc_party.protocol.messages import Expiry, Instrument
from mpc_party.protocol.report import HedgeReport, encode_report
from mpc_party.protocol.words import (
    LOWEST_VOL,
    PARAM_FIELDS,
    ForwardFields,
    InstrumentFields,
    ParamFields,
    book_hash,
    pack_book,
    pack_forward,
    pack_instrument,
    pack_param,
    split_words,
    unpack_instrument,
)

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "contracts" / "test" / "vectors"
GOLDEN = ROOT / "tests" / "protocol" / "golden"

CHAIN_ID = 31337
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
MEMBERS_CONTRACT = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
MEMBERS, QUORUM = 4, 3
OBSERVED_AT = 1_767_254_400  # 2026-01-01T08:00:00Z
DAY = 86_400
ONE = 10**8  # of the quote currency
STREAMED = 10_000
ALL_ONES = (1 << 256) - 1


def label(text: str) -> bytes:
    """Give 32 bytes that stand for something."""
    return hashlib.sha256(b"mpc-hedge/test-vector/" + text.encode()).digest()


def hexed(value: bytes) -> str:
    """Give bytes as 0x and hex."""
    return "0x" + value.hex()


def camel(name: str) -> str:
    """Give a Python field's name in Solidity."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def strings(fields: msgspec.Struct) -> dict[str, str]:
    """Give a struct's integers as decimal strings, for parsers that stop at 53 bits; absent margins as all ones."""
    return {
        camel(name): str(
            0xFFFFFF if value is None else int(value) if isinstance(value, (int, bool)) else value
        )
        for name, value in msgspec.structs.asdict(fields).items()
    }


def streamed_params(count: int) -> list[ParamFields]:
    """Give params with every field spread over its range, from a hash stream; every third without margins."""
    rows = []
    for index in range(count):
        row: dict[str, int] = {}
        for field in PARAM_FIELDS[:-2]:
            draw = int.from_bytes(label(f"{field.name} {index}"))
            row[field.name] = field.lowest + draw % (field.highest - field.lowest + 1)
        if index % 3:
            maintenance = int.from_bytes(label(f"margin {index}")[:2])
            row |= {"maintenance_margin": maintenance, "initial_margin": maintenance + index}
        rows.append(ParamFields(**row))
    return rows


def streamed_hashes() -> dict[str, object]:
    """Give the hashes of ten thousand words of each kind; `Words.t.sol` draws the same fields and packs them by itself."""

    def draw(kind: str, index: int) -> int:
        return int.from_bytes(hashlib.sha256(f"{kind} {index}".encode()).digest())

    def bits(value: int, low: int, width: int) -> int:
        return value >> low & (1 << width) - 1

    rows, ahead, listed = [], [], []
    for index in range(STREAMED):
        value = draw("param", index)
        maintenance = bits(value, 0, 23)
        rows.append(
            ParamFields(
                LOWEST_VOL + bits(value, 24, 24),
                bits(value, 48, 20) - 500_000,
                bits(value, 72, 23) - (1 << 22),
                bits(value, 96, 40),
                bits(value, 136, 32),
                bits(value, 168, 32),
                maintenance,
                maintenance + bits(value, 200, 20),
            )
        )
        value = draw("forward", index)
        ahead.append(ForwardFields(1 + bits(value, 0, 39), 1 + bits(value, 40, 95)))
        value = draw("instrument", index)
        name = "".join(chr(ord("A") + bits(value, 8 * place, 4)) for place in range(1 + bits(value, 248, 3)))
        listed.append(
            InstrumentFields(
                name,
                call=bool(bits(value, 247, 1)),
                expiry=1 + bits(value, 96, 39),
                strike=1 + bits(value, 140, 95),
            )
        )
    words = {
        "params": b"".join(map(pack_param, rows)),
        "forwards": b"".join(map(pack_forward, ahead)),
        "instruments": b"".join(map(pack_instrument, listed)),
    }
    return {"count": STREAMED, **{name: hexed(eip712.keccak(packed)) for name, packed in words.items()}}


def params() -> list[ParamFields]:
    """Give params: zeros, extremes of each field, then streamed ones."""
    edges = [
        ParamFields(LOWEST_VOL, 0, 0, 0, 0, 0, 0, 0),
        ParamFields(650_000, 512_345, -498_765, 1_234_567, 12_345_678, 4_567_890, 150_000, 200_000),
        ParamFields(
            LOWEST_VOL + 2**24 - 1, 10**6, 2**22 - 1, 2**40 - 1, 2**32 - 1, 2**32 - 1, 0xFFFFFE, 0xFFFFFE
        ),
        ParamFields(LOWEST_VOL, -(10**6), -(2**22), 0, 0, 0),
        ParamFields(2**24, -1, -1, 2**39, 2**31, 2**31, 0, 1),
    ]
    return edges + streamed_params(24)


def refused_params() -> list[dict[str, str]]:
    """Give words that both sides refuse, and why the contract's breaker does."""
    good = int.from_bytes(pack_param(params()[1]))

    def put(low: int, width: int, value: int) -> int:
        mask = ((1 << width) - 1) << low
        return (good & (ALL_ONES ^ mask)) | (value << low)

    cases = [
        ("PARAM_RESERVED_BITS", good | 1),
        ("PARAM_RESERVED_BITS", good | 1 << 23),
        ("VOL_OUT_OF_BOUNDS", put(224, 32, 0)),
        ("VOL_OUT_OF_BOUNDS", put(224, 32, LOWEST_VOL - 1)),
        ("VOL_OUT_OF_BOUNDS", put(224, 32, LOWEST_VOL + 2**24)),
        ("VOL_OUT_OF_BOUNDS", put(224, 32, 2**32 - 1)),
        # The breaker's bound of a delta is a power of two wide; a delta above 1 up to there is for the laws.
        ("DELTA_OUT_OF_BOUNDS", put(200, 24, 2**21 - 1_000_000)),
        ("DELTA_OUT_OF_BOUNDS", put(200, 24, 2**24 - 1_000_001)),
        ("DELTA_OUT_OF_BOUNDS", put(200, 24, 1 << 23)),
        ("HEDGE_DELTA_OUT_OF_BOUNDS", put(176, 24, 2**22)),
        ("HEDGE_DELTA_OUT_OF_BOUNDS", put(176, 24, 2**24 - 2**22 - 1)),
        ("HEDGE_DELTA_OUT_OF_BOUNDS", put(176, 24, 1 << 23)),
    ]
    return [{"breach": name, "word": hexed(word.to_bytes(32))} for name, word in cases]


def forwards() -> list[ForwardFields]:
    """Give ascending forwards."""
    return [
        ForwardFields(OBSERVED_AT + DAY, 87_654 * ONE),
        ForwardFields(OBSERVED_AT + 29 * DAY, 88_012 * ONE + 12_345_678),
        ForwardFields(OBSERVED_AT + 365 * DAY, 1),
        ForwardFields(2**40 - 1, 2**96 - 1),
    ]


def book() -> tuple[str, list[Expiry], list[Instrument]]:
    """Give a small book over the first three expiries."""
    expiries = [Expiry(item.expiry, item.forward, 500_000) for item in forwards()[:3]]
    instruments = [
        Instrument(expiry, (80_000 + 1_000 * strike) * ONE, call)
        for expiry in range(3)
        for strike in range(5)
        for call in (True, False)
    ]
    return "BTC", expiries, instruments


def words_vectors() -> Mapping[str, object]:
    """Give vectors of every kind of word."""
    extreme = InstrumentFields("ABCDEFGHIJ12", call=False, expiry=2**40 - 1, strike=2**96 - 1)
    instruments = [*split_words(pack_book(*book())), pack_instrument(extreme)]
    return {
        "params": [{"word": hexed(pack_param(item)), **strings(item)} for item in params()],
        "refusedParams": refused_params(),
        "forwards": [{"word": hexed(pack_forward(item)), **strings(item)} for item in forwards()],
        "instruments": [{"word": hexed(word), **strings(unpack_instrument(word))} for word in instruments],
        "streamed": streamed_hashes(),
        "book": hexed(book_hash(*book())),
        "bookWords": [hexed(word) for word in split_words(pack_book(*book()))],
    }


def example_report() -> HedgeReport:
    """Give the report of the golden files: every field different, all instruments of `book`."""
    commitments = [label(f"commitment {index}") for index in range(3)]
    instruments = len(book()[2])
    rows = [
        params()[1],
        *(ParamFields(600_000 + i, 10_000 * i, -9_000 * i, i, 2 * i, 3 * i) for i in range(1, instruments)),
    ]
    return HedgeReport(
        consortium=label("consortium"),
        epoch=7,
        round=42,
        observed_at=OBSERVED_AT,
        valid_until=OBSERVED_AT + 3_600,
        book=book_hash(*book()),
        model=label("model"),
        inputs=merkle_root(commitments),
        forwards=b"".join(pack_forward(item) for item in forwards()[:3]),
        params=b"".join(pack_param(row) for row in rows),
    )


def signed(key: bytes, digest: bytes) -> str:
    """Sign a digest (RFC 6979, low s) as `ecrecover` wants it."""
    signature = PrivateKey(key).sign_recoverable(digest, hasher=None)
    return hexed(signature[:64] + bytes([signature[64] + 27]))


def report_vectors() -> Mapping[str, object]:
    """Give a report, its digest and a signature, its form for the chain, and the members' actions."""
    report = example_report()
    key = label("group key")
    separator = eip712.domain_separator(CHAIN_ID, CONTRACT)
    digest = eip712.report_digest(report, CHAIN_ID, CONTRACT)
    signature = signed(key, digest)
    short = compact(report)
    r, vs = compact_signature(bytes.fromhex(signature[2:]))
    return {
        "chainId": CHAIN_ID,
        "contract": CONTRACT,
        "domainSeparator": hexed(separator),
        "groupPrivateKey": hexed(key),
        "groupKey": account(key),
        "report": report_fields(report),
        "structHash": hexed(eip712.report_struct_hash(report)),
        "digest": hexed(digest),
        "signature": signature,
        "compact": {
            "head": hexed(short.head.to_bytes(32)),
            "words": [hexed(word) for word in short.words],
            "r": hexed(r),
            "vs": hexed(vs),
        },
        "members": members_vectors(),
    }


def members_vectors() -> Mapping[str, object]:
    """Give a members' contract, and every kind of action that they can sign."""
    # Ascending by address, as signatures are handed in.
    keys = sorted(
        (label(f"member {index}") for index in range(MEMBERS)), key=lambda key: int(account(key), 16)
    )
    new_members = tuple(account(label(f"new member {index}")) for index in range(3))
    feed, deadline = CONTRACT, OBSERVED_AT + DAY
    unpause = Unpause(feed, label("salt of an unpause"), deadline)
    actions: dict[str, Action] = {
        "rotateGroupKey": RotateGroupKey(
            feed, account(label("new group key")), 8, 1_800, label("salt of a rotation"), deadline
        ),
        "setMembers": SetMembers(new_members, 2, label("salt of a membership"), deadline),
        "setParameters": SetParameters(
            feed,
            LedgerConfig(601, 61, 3_601, 602, 641, 1_501, 901),
            Tolerances(2_001, 32_001, 2_002, 2_003, 8_004, 801, 20_001),
            label("salt of parameters"),
            deadline,
        ),
        "unpause": unpause,
        "cancelAction": CancelAction(action_hash(unpause)),
    }
    return {
        "contract": MEMBERS_CONTRACT,
        "domainSeparator": hexed(eip712.domain_separator(CHAIN_ID, MEMBERS_CONTRACT, "MPC Hedge Members")),
        "accounts": [account(key) for key in keys],
        "privateKeys": [hexed(key) for key in keys],
        "quorum": QUORUM,
        "actions": {
            name: {
                **action_fields(action),
                "structHash": hexed(action_hash(action)),
                "digest": hexed(action_digest(action, CHAIN_ID, MEMBERS_CONTRACT)),
                "signatures": [
                    signed(key, action_digest(action, CHAIN_ID, MEMBERS_CONTRACT)) for key in keys[:QUORUM]
                ],
            }
            for name, action in actions.items()
        },
    }


def action_fields(action: msgspec.Struct) -> dict[str, object]:
    """Give an action's fields by their Solidity names, in order."""

    def shown(value: object) -> object:
        if isinstance(value, bytes):
            return hexed(value)
        return action_fields(value) if isinstance(value, msgspec.Struct) else value

    # Not `asdict`, which does not say what is a struct within.
    return {camel(name): shown(getattr(action, name)) for name in action.__struct_fields__}


def account(key: bytes) -> str:
    """Give a private key's address."""
    return eip712.public_key_address(PrivateKey(key).public_key.format())


def report_fields(report: HedgeReport) -> dict[str, object]:
    """Give a report's fields by their Solidity names, in order."""
    named: dict[str, object] = {}
    for name, value in msgspec.structs.asdict(report).items():
        if name in {"forwards", "params"}:
            named[name] = [hexed(word) for word in split_words(value)]
        else:
            named[camel(name)] = hexed(value) if isinstance(value, bytes) else value
    return named


def files() -> dict[Path, bytes]:
    """Give every file's path and content."""

    def text(value: Mapping[str, object]) -> bytes:
        return (json.dumps(value, indent=1) + "\n").encode()

    report = example_report()
    return {
        VECTORS / "words.json": text(words_vectors()),
        VECTORS / "report.json": text(report_vectors()),
        GOLDEN / "report-v1.json": text(report_fields(report)),
        GOLDEN / "report-v1.msgpack": encode_report(report),
    }


def main() -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    code = 0
    for path, content in files().items():
        name = path.relative_to(ROOT)
        if check:
            if not path.exists() or path.read_bytes() != content:
                print(f"make_vectors: {name} differs from what this code writes", file=sys.stderr)
                code = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            print(f"wrote {name}")
    return code


if __name__ == "__main__":
    sys.exit(main())
