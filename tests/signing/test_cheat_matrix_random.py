"""Cheats that nobody thought of: random changes to what one of three or two of five say, in the protocol and in the dispute.

Nothing is asserted about who is named, but that no honest member ever is, and that whoever has a signature has a right one.
"""

from __future__ import annotations

import random  # noqa: TID251 - cases, not secrets: a seed repeats them

import msgspec
import pytest

from mpc_party.signing import dispute
from mpc_party.signing.evidence import Answer, Claim, Disclosure
from tests.support.signing_forger import STEPS, Forger, Frame, fields
from tests.support.signing_trials import keygen_trial, signing_trial

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_signatures")]
STAGES = ("keygen", "nonce", "approval", "signature", "done")


class Chaos:
    """One cheat's changes, drawn from a seed."""

    def __init__(self, draw: random.Random, members: int) -> None:
        self.draw, self.members = draw, members
        self.tags = {
            tag: draw.randrange(3, 9) for tag in draw.sample(sorted(STEPS), draw.choice([0, 1, 1, 2]))
        }
        self.peers = {peer for peer in range(members) if draw.random() < 0.6}
        self.honest_in_dispute = draw.random() < 0.4
        self.two_stories = draw.random() < 0.15
        self.told: dict[int, Disclosure] = {}

    def __call__(self, forger: Forger) -> None:
        self.forger = forger
        forger.change, forger.disclosing, forger.answering = self.change, self.disclosing, self.answering
        forger.mute = self.draw.random() < 0.1

    def mutated(self, value):
        draw = self.draw
        if isinstance(value, bytes) and value:
            at = draw.randrange(len(value))
            flipped = value[:at] + bytes([value[at] ^ (1 << draw.randrange(8))]) + value[at + 1 :]
            return draw.choice([flipped, bytes(len(value)), draw.randbytes(len(value)), value[:-1]])
        if isinstance(value, list) and value:
            at = draw.randrange(len(value))
            changed = [*value[:at], self.mutated(value[at]), *value[at + 1 :]]
            return draw.choice([changed, value[::-1], value[:-1], [*value, value[0]]])
        return draw.randrange(5)

    def changed(self, body, position):
        parts = fields(body)
        position = min(position, len(parts) - 1)
        parts[position] = self.mutated(parts[position])
        return msgspec.msgpack.encode(parts)

    def change(self, tag, peer, body):
        if tag not in self.tags or peer not in self.peers:
            return body
        new = self.changed(body, self.tags[tag])
        return Frame(self.draw.randbytes(64) + new) if self.draw.random() < 0.08 else new

    def disclosing(self, disclosure, peer):
        key = peer if self.two_stories else 0
        if key not in self.told:
            self.told[key] = disclosure if self.honest_in_dispute else self.lie(disclosure)
        return self.told[key]

    def lie(self, disclosure):
        draw, messages = self.draw, list(disclosure.messages)
        for _ in range(draw.randrange(5)):
            if not messages:
                break
            at = draw.randrange(len(messages))
            message = messages[at]
            if message.sender == self.forger.own and draw.random() < 0.6:
                body = self.changed(message.body, draw.randrange(1, 9))
                messages[at] = self.forger.sign(message.step, message.receiver, body)
            else:
                del messages[at]
        steps = [step for step, _ in STEPS.values()]
        lie = Claim(
            draw.choice(["joined", "failed", "unsigned"]), draw.choice(steps), draw.randrange(self.members)
        )
        opening = disclosure.opening
        if opening is not None and draw.random() < 0.4:
            changes = [
                {"a": opening.a[::-1]},
                {"response": draw.randbytes(32)},
                {"masked_key": opening.commitment},
            ]
            opening = draw.choice([None, msgspec.structs.replace(opening, **draw.choice(changes))])
        stage = draw.choice([disclosure.stage, disclosure.stage, *STAGES])
        return Disclosure(stage, draw.choice([disclosure.claim, lie]), tuple(messages), opening)

    def answering(self, answer, _peer):
        if self.draw.random() < 0.7:
            return answer
        return Answer(answer.direct[: self.draw.randrange(3)], answer.relayed, answer.messages)


@pytest.mark.parametrize("seed", range(12))
def test_no_honest_member_is_ever_named(seed, monkeypatch):
    monkeypatch.setattr(dispute, "SECONDS", 1.0)
    draw = random.Random(seed)
    for _ in range(8):
        trial = draw.choice([keygen_trial, signing_trial, signing_trial])
        size, cheats = draw.choice([((3, 1), 1), ((3, 1), 1), ((5, 2), 2)])
        guilty = tuple(sorted(draw.sample(range(size[0]), cheats)))
        ran = trial({cheat: Chaos(draw, size[0]) for cheat in guilty}, size=size, cheats=guilty)
        ran.assert_no_honest_member_is_named()
