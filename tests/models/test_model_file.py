import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.model_file import ModelFile, load_model, save_model
from mpc_party.hedging.model import COUNTS, MINIMUM_VARIANCE, POLICY
from mpc_party.protocol.errors import ConfigError

FILE = f'kind = "{MINIMUM_VARIANCE}"\na = -0.25\nb = 0.4\nc = -0.3\n'


def load(tmp_path, text):
    path = tmp_path / "model.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_model(path)


def policy(count=COUNTS[POLICY], number="0.25"):
    return f'kind = "{POLICY}"\nweights = [\n' + f"{number},\n" * count + "]\n"


def test_the_two_kinds(tmp_path):
    assert load(tmp_path, FILE) == ModelFile(MINIMUM_VARIANCE, (-0.25, 0.4, -0.3))
    assert load(tmp_path, FILE.replace("-0.25", "1")).weights[0] == 1.0
    assert load(tmp_path, policy()) == ModelFile(POLICY, (0.25,) * 401)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "kind"),
        ("kind = 3", "kind"),
        ('kind = "network"\na = 1.5\nb = 0.0\nc = 0.0', "this version has"),
        ('kind = "\x1b[31m"\na = 1.5\nb = 0.0\nc = 0.0', "line 1"),
        (FILE.replace("c =", "d ="), "unknown field `d`"),
        (FILE.replace("-0.3", '"1.5"'), "c: Expected `float`"),
        (FILE.replace("-0.3", "true"), "c: Expected `float`"),
        (FILE.replace("-0.3", "nan"), "3 finite"),
        (FILE.replace("-0.3", "inf"), "3 finite"),
        (FILE.replace("-0.3", "1" + 400 * "0"), "c"),
        (FILE + "weights = [1.5]\n", "unknown field `weights`"),
        (policy(400), "401 finite"),
        (policy(402), "401 finite"),
        (policy(0), "401 finite"),
        (policy(number="nan"), "401 finite"),
        (policy(number='"1.5"'), "Expected `float`"),
        (policy() + "a = 1.5\n", "unknown field `a`"),
        (b"\xff\xfe", "not UTF-8"),
        ("a = 1.5\n" * 20_000, "larger than"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line_without_its_weights(tmp_path, text, match):
    with pytest.raises(ConfigError, match=match) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "1.5" not in str(caught.value)


@settings(max_examples=20)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=401, max_size=401))
def test_weights_read_back_as_they_were(tmp_path_factory, weights):
    path = tmp_path_factory.mktemp("model") / "model.toml"
    for kind, count in COUNTS.items():
        model = ModelFile(kind, tuple(weights[:count]))
        save_model(path, model)
        assert load_model(path) == model


def test_weights_of_numpy_and_torch_are_written_as_numbers(tmp_path):
    path = tmp_path / "model.toml"
    save_model(path, ModelFile(MINIMUM_VARIANCE, tuple(np.array([0.1, 0.2, 0.3]))))
    assert load_model(path).weights == (0.1, 0.2, 0.3)


def test_a_file_for_the_owner_alone(tmp_path):
    path = tmp_path / "model.toml"
    save_model(path, ModelFile(MINIMUM_VARIANCE, (0.1, 0.2, 0.3)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="exists already"):
        save_model(path, ModelFile(MINIMUM_VARIANCE, (0.0, 0.0, 0.0)), overwrite=False)
    for weights in ((0.1, 0.2), (0.1, 0.2, float("nan"))):
        with pytest.raises(ConfigError, match="3 finite"):
            save_model(path, ModelFile(MINIMUM_VARIANCE, weights))
    assert load_model(path).weights == (0.1, 0.2, 0.3)


def test_no_weight_is_shown():
    model = ModelFile(MINIMUM_VARIANCE, (0.125, 0.25, 0.5))
    assert repr(model) == f"{model}" == f"ModelFile({MINIMUM_VARIANCE!r})"
    assert str(model) == "<ModelFile>"
    with pytest.raises(TypeError):
        model.__reduce_ex__(2)
