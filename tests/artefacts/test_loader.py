"""The loader: nothing is unpickled that was not proved, and each refusal says what and what to do.

The evil pickles here write a file when they run: the tests look for the file, not only for the error.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import pickle
import pickletools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from driftloop.artefacts.loader import dump, libraries_of, load
from driftloop.artefacts.unpickler import ListedUnpickler
from driftloop.schemas.errors import BadRecord, ConfigError, Unavailable

Slug = Callable[[pytest.ExceptionInfo[Any]], str]
MINE = "models_of_the_tests"


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """models.py under an importable name, as a user's package would be."""
    spec = importlib.util.spec_from_file_location(MINE, Path(__file__).with_name("models.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, MINE, module)
    spec.loader.exec_module(module)
    return module


class Runs:
    """Pickles as a call of ``function(*arguments)``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def naming(module: str, name: str) -> bytes:
    """A pickle of protocol 4 that is nothing but this name; dots in the name walk into attributes."""
    short = [b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)]
    return b"\x80\x04" + b"".join(short) + b"\x93."


def test_a_published_model_comes_back_and_scores(shop: Any, models: ModuleType) -> None:
    manifest = shop.publish(dump(models.Constant(0.25), [MINE]))
    predictor = load(manifest, shop.store, shop.trusted, [MINE])
    assert predictor.predict_score({"hour": np.zeros(3)}).tolist() == [0.25] * 3


def test_a_pickle_that_would_run_a_command_does_not_run_it(shop: Any, tmp_path: Path, refused: Slug) -> None:
    import os

    trace = tmp_path / "trace"
    data = pickle.dumps(Runs(os.system, f"touch {trace}"))
    pickle.loads(data)
    assert trace.exists(), "the pickle is not evil enough to prove anything"
    trace.unlink()
    with pytest.raises(BadRecord, match=r"asks for posix\.system, which a model may not use") as info:
        load(shop.publish(data), shop.store, shop.trusted)
    assert refused(info) == "forbidden-global"
    assert not trace.exists()


def test_a_tampered_artefact_is_not_even_unpickled(shop: Any, tmp_path: Path, refused: Slug) -> None:
    trace = tmp_path / "trace"
    evil = pickle.dumps(Runs(eval, f"open({str(trace)!r}, 'w')"))
    manifest = shop.publish(b"x" * len(evil))
    shop.path(manifest).write_bytes(evil)
    with pytest.raises(BadRecord) as info:
        load(manifest, shop.store, shop.trusted)
    assert refused(info) == "artefact-hash"
    assert not trace.exists()


def test_a_tampered_manifest_is_refused_before_the_file_is_opened(shop: Any, refused: Slug) -> None:
    manifest = dataclasses.replace(shop.publish(b"model"), sha256="ab" * 32)
    with pytest.raises(BadRecord) as info:
        load(manifest, shop.store, shop.trusted)
    assert refused(info) == "bad-signature"


def test_a_truncated_and_a_missing_file_are_told_apart(shop: Any, models: ModuleType, refused: Slug) -> None:
    manifest = shop.publish(dump(models.Constant(0.5), [MINE]))
    path = shop.path(manifest)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(BadRecord, match="has 20 bytes") as info:
        load(manifest, shop.store, shop.trusted, [MINE])
    assert refused(info) == "artefact-size"
    path.unlink()
    with pytest.raises(Unavailable, match="there is no artefact"):
        load(manifest, shop.store, shop.trusted, [MINE])


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "__import__"),
        ("builtins", "open"),
        ("builtins", "type"),
        ("os", "system"),
        ("posix", "system"),
        ("subprocess", "Popen"),
        ("importlib", "import_module"),
        ("operator", "attrgetter"),
        ("numpy", "load"),
        ("numpy", "save"),
        ("numpy", "memmap"),
        ("numpy.testing._private.utils", "runstring"),
        ("sklearn.utils.validation", "warnings.warn"),
        ("sklearn.datasets._openml", "fetch_openml"),
        ("sklearn.tree._export", "export_graphviz"),
        ("sklearn.utils._testing", "TempMemmap"),
        ("sklearn.base", "inspect"),
        ("river.datasets.base", "RemoteDataset"),
        ("river.stream.iter_csv", "iter_csv"),
        ("driftloop.artefacts.loader", "load"),
        ("driftloop.console.broker.embedded", "EmbeddedBroker"),
        ("driftloop.streams.transport.exits", "anything"),
        ("joblib.numpy_pickle", "load"),
        ("sklearn_lookalike", "Model"),
        ("models_of_the_tests_lookalike", "Model"),
    ],
)
def test_what_a_model_may_not_name(module: str, name: str, refused: Slug) -> None:
    with pytest.raises(BadRecord) as info:
        ListedUnpickler(naming(module, name), [MINE]).load()
    assert refused(info) == "forbidden-global"


def test_a_refused_module_is_not_even_imported() -> None:
    code = (
        "import sys; from driftloop.artefacts.unpickler import ListedUnpickler\n"
        "try: ListedUnpickler(b'').find_class('antigravity', 'geohash')\n"
        "except Exception as e: print(type(e).__name__, 'antigravity' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["BadRecord", "False"]


def test_getattr_reaches_methods_of_the_model_and_nothing_behind_them(models: ModuleType) -> None:
    import random

    generator = random.Random(1)
    reads = ListedUnpickler(b"", [MINE]).find_class("builtins", "getattr")
    assert reads(generator, "random").__self__ is generator
    constant = models.Constant(0.5)
    assert reads(constant, "predict_score").__self__ is constant
    for owner, name in ((generator, "__class__"), (constant, "score"), (sys, "exit"), (type(generator), "mro")):
        with pytest.raises(BadRecord, match="which a model may not use"):
            reads(owner, name)


def test_what_a_users_module_imports_is_not_the_users(models: ModuleType) -> None:
    assert ListedUnpickler(naming(MINE, "Constant"), [MINE]).load() is models.Constant
    for name in ("np", "Any", "np.load"):
        with pytest.raises(BadRecord, match=rf"asks for {MINE}.{name}"):
            ListedUnpickler(naming(MINE, name), [MINE]).load()


def test_python_itself_cannot_be_allowed_by_name() -> None:
    with pytest.raises(ConfigError, match="os is a module of Python itself"):
        ListedUnpickler(b"", ["os"])


def test_a_model_that_apps_could_not_read_is_refused_where_it_is_made(models: ModuleType) -> None:
    with pytest.raises(ConfigError, match=rf"asks for {MINE}.Constant.*\n.*modules="):
        dump(models.Constant(0.5))
    with pytest.raises(ConfigError, match="cannot be pickled"):
        dump(models.Constant(0.5, part=lambda: 0), [MINE])
    with pytest.raises(ConfigError, match="dict has no predict_score"):
        dump({})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "slug"),
    [(b"", "artefact-unreadable"), (b"no pickle", "artefact-unreadable"), (pickle.dumps({}), "not-a-predictor")],
)
def test_signed_nonsense_is_told_plainly(shop: Any, data: bytes, slug: str, refused: Slug) -> None:
    with pytest.raises(BadRecord) as info:
        load(shop.publish(data), shop.store, shop.trusted)
    assert refused(info) == slug


def river_models() -> list[Any]:
    from river import compose, drift, forest, linear_model, naive_bayes, preprocessing, tree

    rows = [({"a": i % 7 / 7, "b": i % 3 / 3}, i % 2 == 0) for i in range(300)]
    found = [
        compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
        forest.ARFClassifier(seed=1),
        tree.HoeffdingAdaptiveTreeClassifier(seed=1),
        naive_bayes.GaussianNB(),
        drift.DriftRetrainingClassifier(naive_bayes.GaussianNB(), drift.binary.DDM()),
    ]
    for model in found:
        for x, y in rows:
            model.learn_one(x, y)
    return found


def sklearn_models() -> list[Any]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler

    generator = np.random.default_rng(1)
    x = np.column_stack([generator.normal(size=(200, 3)), generator.integers(0, 4, 200)])
    y = (x[:, 0] > x[:, 1]).astype(int)
    columns = make_column_transformer(
        (make_pipeline(FunctionTransformer(np.arcsinh), SplineTransformer()), [0]),
        (StandardScaler(), [1, 2]),
        (OneHotEncoder(handle_unknown="ignore"), [3]),
    )
    found = [
        make_pipeline(columns, LogisticRegression()),
        CalibratedClassifierCV(LogisticRegression()),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        RandomForestClassifier(n_estimators=3),
        SGDClassifier(loss="log_loss"),
        KNeighborsClassifier(),
        MLPClassifier((4,), max_iter=5),
    ]
    for model in found:
        model.fit(x, y)
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [river_models, sklearn_models])
def test_models_of_river_and_scikit_learn_pass_the_list(shop: Any, models: ModuleType, make: Any) -> None:
    for part in make():
        data = dump(models.Constant(0.5, part), [MINE])
        back: Any = load(shop.publish(data, libraries=libraries_of(data, [MINE])), shop.store, shop.trusted, [MINE])
        assert type(back.part) is type(part)
        if hasattr(part, "predict_proba"):
            x = np.random.default_rng(2).normal(size=(20, 4))
            assert np.array_equal(back.part.predict_proba(x), part.predict_proba(x))


def test_only_the_libraries_a_model_is_made_of_are_recorded(models: ModuleType) -> None:
    plain = libraries_of(dump(models.Constant(0.5), [MINE]), [MINE])
    assert set(plain) == {"python"}
    with_array = libraries_of(dump(models.Constant(0.5, np.zeros(3)), [MINE]), [MINE])
    assert with_array == plain | {"numpy": np.__version__}


def test_what_is_dumped_is_a_plain_pickle_of_the_stated_protocol(models: ModuleType) -> None:
    opcodes = list(pickletools.genops(dump(models.Constant(0.5), [MINE])))
    assert (opcodes[0][0].name, opcodes[0][1]) == ("PROTO", 5)
