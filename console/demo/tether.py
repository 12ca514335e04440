"""A command of driftloop that ends with its starter: ``python -m driftloop.console.demo.tether judge``.

The starter keeps the other end of our stdin open. When it dies, by kill -9 too, the kernel closes that end, and we
read the end of the file: the service is told to drain (SIGTERM) and leaves at the latest some seconds later. A pipe
works wherever Python does; a signal at the parent's death (prctl) only on Linux, and only for the thread that forked.
"""

from __future__ import annotations

import os
import signal
import threading
import time

DRAIN_SECONDS = 5.0
ORPHANED = 77
STDIN = 0


def main() -> None:
    """Run the command line in this process, with our arguments."""
    threading.Thread(target=end_with_the_starter, daemon=True).start()
    from driftloop.console.__main__ import main as run

    run()


def end_with_the_starter() -> None:
    """Block until stdin ends, then end the process from this thread, whatever the others do."""
    wait_for_the_end()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(DRAIN_SECONDS)
    os._exit(ORPHANED)


def wait_for_the_end() -> None:
    """Block until stdin ends. Not through sys.stdin: its lock, held here, would abort the interpreter's own end."""
    while os.read(STDIN, 4096):
        pass


if __name__ == "__main__":
    main()
