"""A guard between a process and its throw-away broker: when the process ends, however it ends, so does the broker.

Run as a script: ``python -I -S supervisor.py FOLDER LIFELINE``. FOLDER/commands.json lists the commands to run one
after the other, the last one being the broker; their output goes to FOLDER/broker.log. LIFELINE is a file that the
guarded process holds a ``flock`` on. The kernel drops that lock when the holder dies, by kill -9 too; unlike the end
of a pipe, any process of a run (a worker of pytest-xdist) can so start a broker that lives as long as another one
(the controller). When the lock can be had, the broker is killed, and FOLDER and the folder of LIFELINE are removed:
what is in them is worth nothing then.

Only the standard library, and little of it: this process costs 9 MB.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading


class Guard:
    """The commands of one folder, and the thread that ends them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.child: subprocess.Popen[bytes] | None = None
        self.starting = threading.Lock()

    def run(self) -> int:
        """Each command in turn, until one fails or the last one ends; its exit code."""
        with open(f"{self.folder}/commands.json") as file:  # noqa: PTH123  pathlib would cost 2 MB more
            commands = json.load(file)
        code = 0
        with open(f"{self.folder}/broker.log", "ab") as log:  # noqa: PTH123
            for command in commands:
                with self.starting:
                    self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                if code := self.child.wait():
                    break
        with self.starting:  # not while the other thread is clearing up
            return code

    def end_with(self, lifeline: str) -> None:
        """Wait in the kernel until nobody holds the lifeline, then leave nothing behind."""
        handle = os.open(lifeline, os.O_RDWR)
        fcntl.flock(handle, fcntl.LOCK_EX)
        with self.starting:  # never let go: no further command can start
            if self.child is not None:
                self.child.kill()
                self.child.wait()
            shutil.rmtree(self.folder, ignore_errors=True)
            shutil.rmtree(os.path.dirname(lifeline), ignore_errors=True)  # noqa: PTH120
            os._exit(0)


def main(folder: str, lifeline: str) -> int:
    guard = Guard(folder)
    threading.Thread(target=guard.end_with, args=(lifeline,), daemon=True).start()
    return guard.run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
