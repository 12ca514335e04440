"""Trainers as users may write them, good and bad. Imported by the training process through PYTHONPATH."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
from driftloop.retrainer.river_trainer import train


class Share:
    """Says the share of ones of its training set, for everybody."""

    def __init__(self, share):
        self.share = share

    def predict_score(self, columns):
        return np.full(len(next(iter(columns.values()))), self.share)


def share(dataset, _seed):
    return Share(float(np.mean(dataset.labels)))


def hungry(_dataset, _seed):
    return bytearray(4_000_000_000)


def patient(dataset, seed):
    """River's, once there is the file that TOY_GATE names."""
    while not os.path.exists(os.environ["TOY_GATE"]):  # noqa: PTH110
        threading.Event().wait(0.02)
    return train(dataset, seed)


def slow(_dataset, _seed):
    print("this may take a while", file=sys.stderr)
    threading.Event().wait(3600)


def crashing(_dataset, _seed):
    os.kill(os.getpid(), signal.SIGSEGV)


def killed_by_a_nameless_signal(_dataset, _seed):
    os.kill(os.getpid(), signal.SIGRTMIN + 6)


def leaves_a_process(_dataset, _seed):
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("left it", left.pid, file=sys.stderr)
    threading.Event().wait(3600)


def wrong(_dataset, _seed):
    raise ZeroDivisionError("a bug of the user's")


def no_model(_dataset, _seed):
    return 42


def odd(_dataset, _seed):
    return Share(1.5)
