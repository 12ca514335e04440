"""A process that is killed in a world awaits nothing any more: what it left is let go here, and nobody else's fault.

Python finds coroutines that were never awaited when it collects them, and blames whatever runs just then.
"""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

LEFT = "coroutine .* was never awaited"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{LEFT}:RuntimeWarning"))


@pytest.fixture(autouse=True, scope="module")
def _nothing_left() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", LEFT, RuntimeWarning)
        gc.collect()
