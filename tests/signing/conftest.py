"""Members that sign, with journals that are closed after the test."""

from __future__ import annotations

import pytest

from mpc_party.signing.channel import SignedMessage
from tests.support.signing_parties import SigningTeam


@pytest.fixture(scope="module")
def quick_signatures():
    """Verify each signature once, where many members of one process would verify the same."""
    real, known = SignedMessage.is_signed, {}

    def is_signed(message, keys):
        asked = (message, keys.get(message.sender))
        if asked not in known:
            known[asked] = real(message, keys)
        return known[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SignedMessage, "is_signed", is_signed)
        yield


@pytest.fixture
def make_team(tmp_path):
    teams = []

    def make(members: int = 3, threshold: int = 1) -> SigningTeam:
        directory = tmp_path / str(len(teams))
        directory.mkdir()
        teams.append(SigningTeam(members, threshold, directory))
        return teams[-1]

    yield make
    for team in teams:
        team.close()
