"""A command line that builds what was asked for: one command, not all, and no library that checks plain words.

typer builds every command to run one (27 ms of CPU), and checks each value through pydantic, which takes .1 s to
import. A text, a default and what was left out are the same behind that check: they go without it. All else (numbers,
times, paths, what is wrong with them) is typer's as before; so are help, completion and commands that do not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer import Typer


class QuickGroup(TyperGroup):
    """Give it to the outermost ``Typer`` as ``cls``."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for command in _with_inner(self):
            command.get_params = _checked_quickly(command.get_params)


def _checked_quickly(parameters: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    """A command's parameters as typer gives them, ``--help`` included, with our check in front of typer's."""

    def given(context: Any) -> list[Any]:
        found = parameters(context)
        for one in found:
            if hasattr(one, "get_runtime_param"):  # typer before .29 knows nothing of pydantic
                vars(one).setdefault("get_runtime_param", _Check(one.get_runtime_param).itself)
        return found

    return given


class _Check:
    """The check of a parameter's values. ``by_typer`` makes typer's, with pydantic."""

    def __init__(self, by_typer: Callable[[], Any]) -> None:
        self._by_typer = by_typer

    def itself(self) -> _Check:
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if value is param.default or (_is_text(param.type_descriptor) and _is_plain(value)):
            return value
        return self._by_typer().coerce(value, param=param, ctx=ctx)


def _is_text(described: Any) -> bool:
    return described.annotation is str and described.parameter_info.parser is None


def _is_plain(value: Any) -> bool:
    """Text that no check has anything to say about: bytes of the shell that were none come as what is not printed."""
    return type(value) is str and value.isprintable()


def _with_inner(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from _with_inner(inner)


def with_what_is_named(app: Typer, arguments: Sequence[str]) -> Typer:
    """The application with the one command or group that the arguments begin with; with all where they name none."""
    if not arguments:
        return app
    few = copy(app)
    few.registered_commands = [one for one in app.registered_commands if _name(one) == arguments[0]]
    few.registered_groups = [one for one in app.registered_groups if one.name == arguments[0]]
    return few if few.registered_commands or few.registered_groups else app


def _name(command: Any) -> str:
    return str(command.name or command.callback.__name__.lower().replace("_", "-"))
