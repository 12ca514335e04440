"""Detectors and report tools of other libraries, in a virtual environment of their own: ``make peers`` builds it.

frouros 0.9 wants a numpy below 2.2, river 0.26 one above: no extra of ours can name both. So each peer is a process
of that other environment (benchmarks/peers/), is given whole streams through a pipe, and tells where it alarms and
what CPU that took. MOA through CapyMOA needs Java in the process and is not here; alibi-detect's licence (BSL) and
numpy below 2 keep it out: its statistics are ``KS p < .05`` of judges.py and part of benchmarks/peers/drift_pass.py.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detectors_bench.contenders import SLOW, Contender, every
from detectors_bench.streams import Stream

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("DRIFTLOOP_PEERS", ROOT / ".venv-peers" / "bin" / "python"))
SERVE = ROOT / "benchmarks" / "peers" / "serve.py"
QUIET = {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""NannyML and Evidently tell their makers about each use unless told not to."""


class PeerEnded(Exception):
    """It could not run, or has died."""


class Process:
    """One peer, started when it is first asked; it ends with the pipe."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.child: subprocess.Popen[bytes] | None = None

    def ask(self, stream: Stream) -> tuple[list[int], float]:
        """PeerEnded: it has."""
        if self.child is None:
            command = [str(PYTHON), str(SERVE), self.name]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self.child = subprocess.Popen(command, env=os.environ | QUIET, **pipes)
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        data = stream.values.tobytes()
        with suppress(BrokenPipeError):  # it has ended: said below
            self.child.stdin.write(struct.pack("<qq", len(data), stream.bits) + data)
            self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise PeerEnded(f"peer {self.name} has ended with {self.child.wait()}")
        told = json.loads(line)
        return told["alarms"], told["seconds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer(Contender):
    """Scored by the process that it is."""

    process: Process

    def alarms(self, stream: Stream) -> tuple[list[int], float]:
        return self.process.ask(stream)


def installed() -> list[Contender]:
    """Nobody where the environment is absent. (frouros' ADWIN rejects numbers below 0, DDM all but errors.)"""
    if not PYTHON.exists():
        return []
    shares = {
        "frouros ADWIN": (SLOW, False),
        "frouros CUSUM": (SLOW, True),
        "frouros DDM": (SLOW, False),
        "nannyml JS": (SLOW, True),
        "evidently": (SLOW / 2, True),
    }
    return [
        Peer(name, every(0), numbers=numbers, share=share, process=Process(name))
        for name, (share, numbers) in shares.items()
    ]


def passes(seed: int) -> list[dict[str, Any]]:
    """What a drift pass takes each of them: benchmarks/peers/drift_pass.py. Empty where they are absent or fail."""
    if not PYTHON.exists():
        return []
    command = [str(PYTHON), str(SERVE.with_name("drift_pass.py")), str(seed)]
    try:
        ran = subprocess.run(command, env=os.environ | QUIET, stdout=subprocess.PIPE, check=True, timeout=900)
    except subprocess.SubprocessError as error:
        print(f"  no pass of the peers: {error}")
        return []
    return json.loads(ran.stdout.splitlines()[-1])  # type: ignore[no-any-return]
