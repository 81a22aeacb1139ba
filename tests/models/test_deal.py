import itertools

import msgspec
import numpy as np
import pytest

from models.deal import deal_model, share_file
from models.model_file import ModelFile, load_model
from mpc_party.hedging.model import MINIMUM_VARIANCE, check_header
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.model_share import open_share
from mpc_party.secure.at_rest import committee_components
from tests.support.signed_group import SignedGroup

WEIGHTS = {"a": -0.25, "b": 0.4, "c": -0.3}
MODEL = ModelFile(MINIMUM_VARIANCE, tuple(WEIGHTS.values()))


@pytest.fixture(scope="module", params=[3, 4])
def group(request):
    return SignedGroup(members=request.param)


@pytest.fixture
def consortium(group):
    return msgspec.structs.replace(group.consortium, model=None)


def opened(group, dealt, folder):
    commitment = bytes.fromhex(dealt.model)
    return [
        open_share(
            share_file(folder, identity.name).read_bytes(), identity.decrypt, member=i, commitment=commitment
        )
        for i, identity in enumerate(group.identities)
    ]


def test_every_committee_holds_the_weights_and_no_member_does(group, consortium, tmp_path):
    dealt = deal_model(consortium, MODEL, tmp_path / "new" / "shares")
    shares = opened(group, dealt, tmp_path / "new" / "shares")
    words = np.round(np.array(list(WEIGHTS.values())) * 2.0**consortium.program.fraction_bits)
    for committee in itertools.combinations(range(len(shares)), 3):
        parts = [committee_components(shares[member], committee)[0] for member in committee]
        assert (np.sum(parts, axis=0) == words).all()
        for member in committee:
            own = committee_components(shares[member], committee)
            assert not any((part == words).any() for part in own)
    for share in shares:
        check_header(
            share.header,
            consortium=consortium.id_bytes,
            epoch=consortium.epoch,
            fraction_bits=consortium.program.fraction_bits,
        )


def test_only_the_commitment_is_new_in_the_consortium(consortium, tmp_path):
    dealt = deal_model(consortium, MODEL, tmp_path)
    assert msgspec.structs.replace(dealt, model=None) == consortium
    again = deal_model(consortium, MODEL, tmp_path)
    assert again.model != dealt.model  # salted: the same weights are not recognised


def test_one_file_a_member_for_the_owner_alone(group, consortium, tmp_path):
    deal_model(consortium, MODEL, tmp_path)
    files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert files == {f"{identity.name}.model-share.age": 0o600 for identity in group.identities}
    for index, identity in enumerate(group.identities):
        for other in group.identities:
            if other is not identity:
                with pytest.raises(ConsortiumError):
                    open_share(
                        share_file(tmp_path, other.name).read_bytes(),
                        identity.decrypt,
                        member=index,
                        commitment=None,
                    )


@pytest.mark.parametrize(
    "weights",
    [
        {"a": float("nan")},
        {"b": float("inf")},
        {"c": float("-inf")},
        {"a": 8.1},
        {"a": 3.0, "b": -3.0, "c": 3.0},
        {"b": 1e300},
    ],
)
def test_weights_out_of_range_are_refused_without_showing_them(consortium, tmp_path, weights):
    with pytest.raises(ConfigError, match="finite weights") as caught:
        deal_model(
            consortium, ModelFile(MINIMUM_VARIANCE, tuple((WEIGHTS | weights).values())), tmp_path / "out"
        )
    assert not any(str(value) in str(caught.value) for value in weights.values() if abs(value) < 100)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made(consortium, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="cannot make the folder"):
            deal_model(consortium, MODEL, folder)


def load(tmp_path, text):
    path = tmp_path / "model.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_model(path)


def test_a_model_file(tmp_path):
    assert load(tmp_path, f'kind = "{MINIMUM_VARIANCE}"\na = -0.25\nb = 0.4\nc = -0.3\n') == MODEL
    assert load(tmp_path, f'kind = "{MINIMUM_VARIANCE}"\na = 1\nb = 0\nc = -0.0\n').weights[0] == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a = 1.0",
        'kind = "network"\na = 1.5\nb = 0.0\nc = 0.0',
        f'kind = "{MINIMUM_VARIANCE}"\na = 1.5\nb = 0.0',
        f'kind = "{MINIMUM_VARIANCE}"\na = 1.5\nb = 0.0\nc = 0.0\nd = 1.0',
        f'kind = "{MINIMUM_VARIANCE}"\na = "1.5"\nb = 0.0\nc = 0.0',
        f'kind = "{MINIMUM_VARIANCE}"\na = true\nb = 1.5\nc = 0.0',
        f'kind = "{MINIMUM_VARIANCE}"\na = [1.5]\nb = 0.0\nc = 0.0',
        f'kind = "{MINIMUM_VARIANCE}"\na = 1.5\na = 1.5\nb = 0.0\nc = 0.0',
        f'kind = "{MINIMUM_VARIANCE}"\na = 1{"0" * 400}\nb = 1.5\nc = 0.0',
        'kind = "\x1b[31m"\na = 1.5\nb = 0.0\nc = 0.0',
        b"\xff\xfe",
        "a = 1.5\n" * 20_000,
    ],
)
def test_a_file_that_is_no_model_is_one_line_without_its_weights(tmp_path, text):
    with pytest.raises(ConfigError, match="model file") as caught:
        load(tmp_path, text)
    assert caught.value.reason is Reason.CONFIG_INVALID
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "1.5" not in str(caught.value)


def test_a_model_shows_no_weight():
    assert repr(MODEL) == f"ModelFile({MINIMUM_VARIANCE!r})"
    assert "0.25" not in str(MODEL)
