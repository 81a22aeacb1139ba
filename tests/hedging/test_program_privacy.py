"""What a party can see of the others' inputs, and what a round opens: what `opening` lists, and nothing else."""

import ast
import itertools
from pathlib import Path

import numpy as np
import pytest

from mpc_party import hedging
from mpc_party.mesh.exchange import FrameKind
from tests.support.joint import Joint, make_joint


@pytest.fixture(scope="module")
def joint() -> Joint:
    return make_joint()


@pytest.fixture(scope="module")
def opened(joint):
    return joint.run()


def received_words(joint: Joint, party: int) -> list[np.ndarray]:
    """All words that a party received, but those of the opening, which everybody may know."""
    messages = [data for _, kind, data in joint.exchanges[party].received if kind is FrameKind.WORDS]
    return [np.frombuffer(data, dtype="<i8") for data in messages[:-1]]


SMALL = 2**24  # inputs are below 2^22; a uniform word is this small once in 2^39


def test_no_two_messages_that_a_party_receives_rebuild_an_input(joint, opened):
    assert opened
    for party in range(3):
        messages = received_words(joint, party)
        # Position 0 is sent nothing but what is opened: here, the three counts of violations.
        assert sum(len(m) for m in messages) > (1000 if party else 2)
        for message in messages:
            assert not (np.abs(message.astype(np.float64)) < SMALL).any()
        for first, second in itertools.combinations(messages, 2):
            size = min(len(first), len(second))
            for combined in (first[:size] + second[:size], first[:size] - second[:size]):
                assert not (np.abs(combined.astype(np.float64)) < SMALL).any()


def test_what_a_party_receives_is_uniform_whatever_the_inputs():
    """The components that a party lacks mask all it gets: low 48 bits are uniform (a truncated word has 48)."""
    joint = make_joint(most=40)
    joint.snapshots = [joint.snapshots[0]] * 3
    for party in range(3):
        words = []
        for number in range(3, 6):
            joint.run(number=number)
            words += received_words(joint, party)
        bytes_ = np.frombuffer(np.concatenate(words).astype("<i8").tobytes(), dtype=np.uint8).reshape(-1, 8)[
            :, :6
        ]
        counts = np.bincount(bytes_.ravel(), minlength=256)
        expected = bytes_.size / 256
        chi_square = ((counts - expected) ** 2 / expected).sum()
        # 255 degrees of freedom: mean 255, deviation 22.6; 400 is passed by chance once in 10^8.
        assert chi_square < 400, f"party {party}"


def test_equal_inputs_give_unequal_messages_in_every_round():
    joint = make_joint(most=20)
    seen: set[bytes] = set()
    for number in (1, 1, 2):  # the same number twice: randomness is fresh, not only a function of the round
        joint.run(number=number)
        for party in range(3):
            for message in received_words(joint, party):
                content = message.tobytes()
                assert content not in seen
                seen.add(content)


def test_shares_are_opened_in_one_place_only():
    """Every call in this package that could open shares is in `opening`."""
    openings = []
    for path in sorted(Path(hedging.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            if isinstance(node, ast.Attribute | ast.Name) and str(name).startswith(
                ("open_", "get_plain", "reveal")
            ):
                openings.append((path.name, name))
    assert sorted(openings) == [
        ("opening.py", "open_to"),
        ("opening.py", "open_words_many"),
        ("opening.py", "open_words_many"),
        ("program.py", "open_round"),
        ("program.py", "open_violations"),
    ]


def test_a_round_opens_the_table_three_counts_and_its_own_four_sums_to_each(joint, opened):
    """By the words that are sent: whatever the code calls, no more than these leave a party to be opened."""
    assert len(opened) == 3
    expected = 8 * (7 * joint.public.count + 3 + 4)
    for traffic in joint.traffic:
        # The counts' round, and merged into one: the table's and an owner's each.
        assert traffic.by_operation["open"].rounds == 1 + 1 + 3
        assert traffic.by_operation["open"].bytes_sent == expected


def test_each_owner_alone_gets_its_exposure(joint, opened):
    """What a party received last is the table and four words that complete its own sums and no other's."""
    for party in range(3):
        data = joint.exchanges[party].received[-1][2]
        assert len(data) == 8 * (7 * joint.public.count + 4)
    exposures = [party.exposure for party in opened]
    assert len({(e.delta, e.gamma, e.vega) for e in exposures}) == 3
    assert all(repr(e) == "Exposure(...)" for e in exposures)
