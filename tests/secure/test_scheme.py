"""Both sharing schemes have every function of the interface, with its parameters."""

import inspect

import pytest

from mpc_party.secure import general, three
from mpc_party.secure.scheme import Scheme, scheme_of
from tests.support.secure_parties import run_secure

FUNCTIONS = [name for name, _ in inspect.getmembers(Scheme, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("module", [three, general], ids=["three", "general"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_scheme_has_the_functions_of_the_interface(module, name):
    wanted = list(inspect.signature(getattr(Scheme, name)).parameters.values())[1:]  # without self
    given = list(inspect.signature(getattr(module, name)).parameters.values())
    assert [(p.name, p.kind, p.default) for p in given] == [(p.name, p.kind, p.default) for p in wanted]
    assert name in module.__all__


def test_there_are_functions_to_look_for():
    assert {"reshare", "sign_plane", "open_words"} <= set(FUNCTIONS)


@pytest.mark.parametrize(("parties", "module"), [(3, three), (5, general), (7, general)])
def test_the_committee_decides_which_it_is(parties, module):
    results = run_secure(lambda session: scheme_of(session) is module, committee=range(parties)).results
    assert results == [True] * parties
