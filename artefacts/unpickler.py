"""The pickle of a model, read through a list of what may be named in it.

A pickle is a program: whoever writes it chooses which functions run. We read only what a trusted key has signed, so
this list is the second lock and no sandbox: it stops a stolen key or a careless trainer from reaching a shell in one
line, and it tells, where the model is made, that it could not be read where it is used. What may be named:

- classes *defined in* scikit-learn, river, scipy's sparse and interpolation packages and driftloop's own model code;
- functions only from the packages of those whose models keep functions (metrics, distances, splitters);
- of numpy, collections, builtins and so on: single names;
- what a module defines that the user has named (``modules``).

"Defined in": the object's own module and qualified name must be the ones asked for. So `sklearn.utils.os.system`, a
dotted walk into what a module merely imported, is refused. Testing, dataset and export code is refused even of a
listed package: it opens files. `numpy.load`, `operator.attrgetter`, `builtins.getattr` would each undo the list;
getattr is
replaced by one that gives bound methods alone, which is what models use it for.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from driftloop.schemas.errors import BadRecord, ConfigError

_NAMES: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "builtins": "object bool int float complex str bytes bytearray list tuple dict set frozenset slice range "
        "abs iter len max min round sum",
        "collections": "Counter OrderedDict defaultdict deque",
        "copy": "deepcopy copy",
        "copyreg": "_reconstructor __newobj__ __newobj_ex__",
        "datetime": "date datetime time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "functools": "partial",
        "random": "Random",
        "statistics": "NormalDist",
        "types": "SimpleNamespace",
        "_codecs": "encode",
        "numpy": "dtype ndarray array asarray ones zeros mean median sum max min",
        "numpy.ma.core": "MaskedArray _mareconstruct",
        "numpy._core.multiarray": "_reconstruct scalar",
        "numpy.core.multiarray": "_reconstruct scalar",
        "numpy._core.numeric": "_frombuffer",
        "numpy.core.numeric": "_frombuffer",
        "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
        "numpy.random._mt19937": "MT19937",
        "numpy.random._pcg64": "PCG64 PCG64DXSM",
        "numpy.random._philox": "Philox",
        "numpy.random._sfc64": "SFC64",
        "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
        "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    }.items()
}

_CLASSES = (
    "sklearn",
    "river",
    "scipy.sparse",
    "scipy.interpolate",
    "scipy.spatial",
    "numpy.dtypes",
    "driftloop.artefacts",
    "driftloop.detectors",
    "driftloop.retrainer",
    "driftloop.schemas",
    "driftloop.console.demo",
)
_FUNCTIONS = (
    "sklearn._loss",
    "sklearn.cluster",
    "sklearn.feature_selection",
    "sklearn.gaussian_process",
    "sklearn.metrics",
    "sklearn.neighbors",
    "sklearn.preprocessing",
    "river._river_rust",
    "river.bandit",
    "river.cluster",
    "river.feature_extraction",
    "river.forest",
    "river.metrics",
    "river.naive_bayes",
    "river.neighbors",
    "river.optim",
    "river.rules",
    "river.stats",
    "river.tree",
)
_NEVER = frozenset(
    {"tests", "testing", "_testing", "conftest", "datasets", "externals", "_export", "stream", "checks", "api"}
)
"""Parts of a module's name that open files, reach the network or evaluate text, in a package that is allowed."""

_METHODS_OF = ("collections", "random", *_CLASSES)


class ListedUnpickler(pickle.Unpickler):
    """``named`` collects the modules that the pickle asked for."""

    def __init__(self, data: bytes, modules: Iterable[str] = ()) -> None:
        super().__init__(io.BytesIO(data))
        self.modules = tuple(modules)
        self.named: set[str] = set()
        for module in self.modules:
            if module.partition(".")[0] in sys.stdlib_module_names:
                raise ConfigError(
                    f"{module} is a module of Python itself and may not be allowed to models",
                    "name the module in which your model's classes are defined",
                )

    def find_class(self, module_name: str, global_name: str) -> Any:
        """The named object, or BadRecord (forbidden-global). Nothing is imported before its module is allowed."""
        if (module_name, global_name) == ("builtins", "getattr"):
            return self._method
        self.named.add(module_name)
        if global_name in _NAMES.get(module_name, ()):
            return super().find_class(module_name, global_name)
        if within(module_name, (*_CLASSES, "numpy", "scipy.special")) and _NEVER.isdisjoint(module_name.split(".")):
            found = super().find_class(module_name, global_name)
            if _harmless_number_type(found) or _listed(found, module_name, global_name):
                return found
        elif within(module_name, self.modules):
            found = super().find_class(module_name, global_name)
            if _defined(found, module_name, global_name):
                return found
        raise BadRecord(
            "forbidden-global",
            f"the model's pickle asks for {module_name}.{global_name}, which a model may not use",
            "if it is code of your own, allow its module by name (modules=...); otherwise do not load this model",
        )

    def _method(self, owner: Any, name: str) -> Any:
        """``getattr`` as models use it, and in no other way."""
        if not _is_method(owner, name, (*_METHODS_OF, *self.modules)):
            raise BadRecord(
                "forbidden-global",
                f"the model's pickle asks for {name!r} of a {type(owner).__name__}, which a model may not use",
                "only methods bound to the model's own parts can be kept in a model",
            )
        return getattr(owner, name)


def within(module: str, packages: Iterable[str]) -> bool:
    """Is ``module`` one of the packages or inside one?"""
    return any(module == p or module.startswith(p + ".") for p in packages)


def _harmless_number_type(found: Any) -> bool:
    """numpy's ufuncs and number types compute and nothing else."""
    return isinstance(found, np.ufunc) or (isinstance(found, type) and issubclass(found, np.generic))


def _listed(found: Any, module: str, name: str) -> bool:
    if not _defined(found, module, name):
        return False
    if isinstance(found, type):
        return within(module, _CLASSES)
    return within(module, _FUNCTIONS) or (
        within(module, ("sklearn",)) and (name == "newObj" or name.startswith("__pyx_unpickle_"))
    )


def _defined(found: Any, module: str, name: str) -> bool:
    """A class or function that this very module defines under this very name."""
    named = getattr(found, "__qualname__", None) == name or getattr(found, "__name__", None) == name
    return callable(found) and getattr(found, "__module__", None) == module and named


def _is_method(owner: Any, name: str, packages: Iterable[str]) -> bool:
    """Is ``name`` a method bound to ``owner``, an object of a listed class? (River's tokenizers keep str.lower.)"""
    if owner is str:
        return name in {"casefold", "lower", "strip", "upper"}
    if not name.isidentifier() or name.startswith("__") or not within(type(owner).__module__, packages):
        return False
    return getattr(getattr(owner, name, None), "__self__", None) is owner
