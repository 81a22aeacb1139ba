from __future__ import annotations

import msgspec
import pytest

from mpc_party.protocol.messages import Abort, Commitment, Message, Proposal, Result, Settled, Status
from mpc_party.protocol.topics import probe_topic, subscription, topic_of, topic_prefix
from tests.support.consortium import make_cast

C = make_cast().consortium
PREFIX = f"mpc/{C.id[:16]}/1"


@pytest.mark.parametrize(
    ("sender", "kind", "topic"),
    [
        ("coordinator", Proposal, "proposal"),
        ("coordinator", Settled, "settled"),
        ("coordinator", Status, "status/coordinator"),
        ("coordinator", Commitment, None),
        ("coordinator", Result, None),
        ("coordinator", Abort, None),
        ("bob", Commitment, "commitment/bob"),
        ("bob", Result, "result/bob"),
        ("bob", Abort, "abort/bob"),
        ("bob", Status, "status/bob"),
        ("bob", Proposal, None),
        ("bob", Settled, None),
        ("mallory", Commitment, None),
        ("mallory", Status, None),
        ("", Status, None),
    ],
)
def test_who_may_say_what_and_where(sender: str, kind: type[Message], topic: str | None) -> None:
    assert topic_of(C, sender, kind) == (None if topic is None else f"{PREFIX}/{topic}")


def test_the_subscription_covers_all_topics_of_this_epoch_only() -> None:
    assert subscription(C) == f"{PREFIX}/#"
    assert probe_topic(C, "bob") == f"{PREFIX}/probe/bob"
    assert topic_prefix(msgspec.structs.replace(C, epoch=10)) == f"mpc/{C.id[:16]}/10"
