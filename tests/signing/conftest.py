"""Members that sign, with journals that are closed after the test."""

from __future__ import annotations

import pytest

from tests.support.signing_parties import SigningTeam


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
