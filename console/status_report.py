"""`driftloop status`: the facts as a table for a person, or as JSON for a script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from driftloop.console.status import ServiceStatus, StatePartition

COLUMNS = ("partition", "records", "bytes", "checkpoint", "lag", "by source", "owner")


def as_json(found: Sequence[ServiceStatus]) -> str:
    """One object; ``problems`` is empty where all is well."""
    services = [_service(one) for one in found]
    return json.dumps({"services": services, "ok": not any(s["problems"] for s in services)}, indent=2)


def _service(one: ServiceStatus) -> dict[str, Any]:
    more = {
        "oldest_checkpoint_seconds": one.oldest_checkpoint_seconds,
        "problems": list(one.problems()),
        "partitions": [asdict(p) | {"lag": p.lag} for p in one.partitions],
    }
    return asdict(one) | more


def lines(found: Sequence[ServiceStatus]) -> Iterator[str]:
    """A summary line a service, its partitions below it, what is wrong at the end."""
    for one in found:
        yield _summary(one)
        if one.partitions:
            yield from _table(one.partitions)
        yield ""
    problems = [(one.service, problem) for one in found for problem in one.problems()]
    yield from (f"{service}: {problem}" for service, problem in problems)
    if not problems:
        yield "nothing is wrong"


def _summary(one: ServiceStatus) -> str:
    members = len(one.members)
    said = [f"group {one.group} {one.group_state.lower()}", f"{members} member{'' if members == 1 else 's'}"]
    if not one.missing:
        said.append(f"lag {one.lag:,}")
    if one.partitions:
        oldest = one.oldest_checkpoint_seconds
        said.append("no state yet" if oldest is None else f"oldest checkpoint {_age(oldest)} ago")
        said.append(f"{sum(p.bytes for p in one.partitions):,} bytes of state")
    return f"{one.service:<10} {', '.join(said)}"


def _table(partitions: Iterable[StatePartition]) -> Iterator[str]:
    rows = [COLUMNS, *(_row(p) for p in partitions)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        right = [cell.rjust(width) for cell, width in zip(row[:5], widths[:5], strict=True)]
        yield "  " + "  ".join([*right, row[5].ljust(widths[5]), row[6]]).rstrip()


def _row(p: StatePartition) -> tuple[str, ...]:
    age = p.checkpoint_age_seconds
    sources = ", ".join(
        f"{s.topic.split('.')[-2]} {s.next_offset:,}/{s.end_offset:,}"
        + _commit(s.committed, s.next_offset)
        + _skipped(s.skipped)
        for s in p.sources
    )
    owner = f"{p.owner.client_id} ({p.owner.host})" if p.owner else "nobody"
    return (
        str(p.partition),
        f"{p.records:,}",
        f"{p.bytes:,}",
        "none" if age is None else _age(age),
        f"{p.lag:,}",
        sources,
        owner,
    )


def _commit(committed: int | None, next_offset: int) -> str:
    """The group's offset follows the state: it is worth a word where it does not stand beside it."""
    return "" if committed is None or committed == next_offset else f" (group {committed:,})"


def _skipped(offsets: int) -> str:
    return f" ({offsets:,} skipped)" if offsets else ""


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
