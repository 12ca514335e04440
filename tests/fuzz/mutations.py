"""Seeded records for two topics, most of them broken, in every way that we could think of."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from driftloop.schemas import codec
from driftloop.schemas.codec import EVENTS, encode
from driftloop.schemas.wire import CONFLUENT, SINGLE_OBJECT

from ..schemas.examples import example
from .models import FOREIGN, LAYOUTS, SLOW, STRANGER, Valid

LARGE_EVERY = 10_000
"""One record in so many has a megabyte or more; it would be mostly these that are sent about otherwise."""
ABSURD_TIMES = (
    math.nan,
    math.inf,
    -math.inf,
    0.0,
    -1.0,
    5e-324,
    1e300,
    -1e300,
    946_684_799.9,
    4e9,
    253_402_300_799.0,
)
ABSURD_SCORES = (math.nan, math.inf, -math.inf, -1e-300, 1.0000001, -0.0, 1e300, 5e-324)
TEXT_BOMBS = (b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\x00")
FRAMES = [
    SINGLE_OBJECT + s.fingerprint for s in (*(w.record for w in LAYOUTS.values()), SLOW, codec.schema_of(EVENTS[0]))
]


class Fuzzed(NamedTuple):
    """``short``: the topic. ``how``: what was done to it."""

    short: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    how: str


def varint(number: int) -> bytes:
    """Avro's long of any size, also of more than 64 bits."""
    zigzag = number * 2 if number >= 0 else -number * 2 - 1
    out = bytearray()
    while zigzag > 127:
        out.append(zigzag & 127 | 128)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


LENGTHS = [varint(n) for n in (-1, -2, 2**31 - 1, 2**31, -(2**31), 2**62, 2**63 - 1, -(2**63), 2**70, 127, 10**6)]
LENGTHS += [b"\xff" * 9 + b"\x01", b"\xff" * 20, b"\x80" * 9 + b"\x00", b"\x80" * 30 + b"\x01"]
"""Lengths, counts of blocks and numbers of branches that are absurd, too long, or say zero in thirty bytes."""


def _random(rng: random.Random, data: bytes) -> bytes:
    noise = rng.randbytes(rng.randrange(200))
    return noise if rng.random() < 0.4 else data[:2] + noise if rng.random() < 0.2 else rng.choice(FRAMES) + noise


def _truncated(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _flipped(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _in_tail(rng: random.Random, data: bytes) -> int:
    """A place to strike: mostly behind the fixed part, where lengths stand."""
    return (
        rng.randrange(max(10, len(data) - 60), len(data))
        if len(data) > 20 and rng.random() < 0.8
        else rng.randrange(len(data))
    )


def _length(rng: random.Random, data: bytes) -> bytes:
    at = _in_tail(rng, data)
    return data[:at] + rng.choice(LENGTHS) + data[at + rng.randrange(2) :]


def _text(rng: random.Random, data: bytes) -> bytes:
    at = _in_tail(rng, data)
    bomb = rng.choice(TEXT_BOMBS)
    return data[:at] + bomb + data[at + len(bomb) * rng.randrange(2) :]


def _branch(rng: random.Random, data: bytes) -> bytes:
    at = _in_tail(rng, data)
    return data[:at] + bytes([rng.choice((3, 4, 6, 10, 126, 127))]) + data[at + 1 :]


def _number(rng: random.Random, data: bytes) -> bytes:
    start = 5 if data.startswith(CONFLUENT) else 10
    which = rng.randrange(3)
    value = rng.choice((ABSURD_TIMES, ABSURD_SCORES, ABSURD_TIMES)[which])
    start += 8 * (which if which < 2 else rng.randrange(12))
    return data[:start] + struct.pack("<d", value) + data[start + 8 :]


def _joined(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[rng.randrange(len(data)) :] + (b"" if rng.random() < 0.5 else rng.randbytes(3))


def _unknown(rng: random.Random, data: bytes) -> bytes:
    if data.startswith(CONFLUENT):
        return CONFLUENT + rng.randbytes(4) + data[5:]
    return data[:2] + rng.randbytes(8) + data[10:]


def _foreign(rng: random.Random, data: bytes) -> bytes:
    schema = rng.choice((FOREIGN, STRANGER, SLOW))
    return SINGLE_OBJECT + schema.fingerprint + data[10:]


def _blocks(rng: random.Random, _: bytes) -> bytes:
    """Arrays and maps that claim to be huge, at the front of a schema that has them."""
    counts = b"".join(rng.choice((*LENGTHS, b"\x00", b"\x02a")) for _ in range(rng.randrange(1, 5)))
    return SINGLE_OBJECT + rng.choice((SLOW, FOREIGN)).fingerprint + counts + bytes(rng.choice((0, 1, 40, 400)))


def _event(rng: random.Random, _: bytes) -> bytes:
    return rng.choice(OTHER_EVENTS)


def _nothing(rng: random.Random, _: bytes) -> bytes | None:
    return rng.choice((None, b"", b"\x00", b"\xc3", b"\xc3\x01", b"\x00\x00\x00\x00"))


OTHER_EVENTS = [encode(example(kind)) for kind in EVENTS]
MUTATIONS: dict[str, tuple[int, Callable[[random.Random, bytes], bytes | None]]] = {
    "random": (8, _random),
    "truncated": (14, _truncated),
    "flipped": (14, _flipped),
    "length": (10, _length),
    "text": (6, _text),
    "branch": (5, _branch),
    "number": (8, _number),
    "joined": (4, _joined),
    "unknown": (4, _unknown),
    "foreign": (4, _foreign),
    "blocks": (5, _blocks),
    "event": (3, _event),
    "nothing": (3, _nothing),
}
VALID_WEIGHT, ELSEWHERE_WEIGHT, KEY_WEIGHT, HEADERS_WEIGHT = 20, 3, 4, 3


class Fuzzer:
    """The same seed gives the same records, whatever their number."""

    def __init__(self, seed: int, now: float) -> None:
        self.rng = random.Random(seed)
        self.valid = Valid(self.rng, now)
        self._pools = {"predictions": self.valid.predictions, "ground-truth": self.valid.truths}
        own = {name: weight for name, (weight, _) in MUTATIONS.items()}
        own |= {"valid": VALID_WEIGHT, "elsewhere": ELSEWHERE_WEIGHT, "key": KEY_WEIGHT, "headers": HEADERS_WEIGHT}
        self._hows, self._weights = list(own), list(own.values())

    def records(self, count: int) -> Iterator[Fuzzed]:
        """``count`` of them: first every truncation of one record of each kind (of few, every n-th), then chance."""
        every = list(self._every_truncation())
        every = every[:: 1 + 4 * len(every) // count]
        yield from every
        made = len(every)
        hows = iter(())
        for number in range(made, count):
            how = next(hows, None)
            if how is None:
                hows = iter(self.rng.choices(self._hows, self._weights, k=1_000))
                how = next(hows)
            yield self._large(number) if number % LARGE_EVERY == LARGE_EVERY - 1 else self._one(how)

    def valid_records(self, count: int) -> Iterator[Fuzzed]:
        """As many with nothing wrong, in the framing that needs no registry."""
        pools = {name: [v for v in pool if v.startswith(SINGLE_OBJECT)] for name, pool in self._pools.items()}
        for _ in range(count):
            short = self.rng.choice(("predictions", "ground-truth"))
            yield Fuzzed(short, self.valid.key(), self.rng.choice(pools[short]), [], "valid")

    def _every_truncation(self) -> Iterator[Fuzzed]:
        for short, pool in self._pools.items():
            seen = set[bytes]()
            for data in pool:
                if data[:10] not in seen and len(data) < 400:
                    seen.add(data[:10])
                    for length in range(len(data)):
                        yield Fuzzed(short, self.valid.key(), data[:length], [], "truncated")

    def _one(self, how: str) -> Fuzzed:
        rng = self.rng
        short = rng.choice(("predictions", "ground-truth"))
        data, key = rng.choice(self._pools[short]), self.valid.key()
        if how == "elsewhere":
            other = "ground-truth" if short == "predictions" else "predictions"
            return Fuzzed(short, key, rng.choice(self._pools[other]), [], how)
        if how == "key":
            key_ = rng.choice((None, b"", b"\xff\xfe", b"k" * 1_000, key))
            return Fuzzed(short, key_, data, [], how)
        if how == "headers":
            return Fuzzed(short, key, data if rng.random() < 0.5 else data[:-1], self._headers(), how)
        value = data if how == "valid" else MUTATIONS[how][1](rng, data)
        return Fuzzed(short, key, value, [], how)

    def _headers(self) -> list[tuple[str, bytes | None]]:
        rng = self.rng
        names = ("traceparent", "", "é", "__connect.errors.topic", "driftloop.reason", "driftloop.replays", "x" * 300)
        return [
            (rng.choice(names), rng.choice((None, b"", b"\xff\xfe", b"7", rng.randbytes(50))))
            for _ in range(rng.choice((1, 2, 20)))
        ]

    def _large(self, number: int) -> Fuzzed:
        """Records of about a megabyte: some can be read, some are too large, some count a million things."""
        rng = self.rng
        data = next(v for v in iter(lambda: rng.choice(self.valid.predictions), None) if v.startswith(SINGLE_OBJECT))
        million = rng.choice((900_000, 999_000, 1_000_500, 2_500_000))
        kinds: dict[str, Callable[[], bytes]] = {
            "behind": lambda: data + bytes(million),
            "noise": lambda: rng.choice(FRAMES) + rng.randbytes(million),
            "lists": lambda: (
                SINGLE_OBJECT + SLOW.fingerprint + varint(0) + varint(1) + b"\x02k" + varint(million) + bytes(million)
            ),
            "empty texts": lambda: SINGLE_OBJECT + SLOW.fingerprint + varint(million) + bytes(million),
            "records": lambda: SINGLE_OBJECT + SLOW.fingerprint + b"\0\0" + varint(million // 4) + bytes(million),
            "text": lambda: self._large_text(million),
        }
        how = list(kinds)[number // LARGE_EVERY % len(kinds)]
        headers: list[tuple[str, bytes | None]] = [("h", bytes(9_000))] * rng.choice((0, 0, 40))
        key = rng.choice((self.valid.key(), b"k" * 100_000))
        return Fuzzed("predictions", key, kinds[how](), headers, f"large {how}")

    def _large_text(self, size: int) -> bytes:
        """A version, a category or a label that is a book."""
        data = next(v for v in self.valid.predictions if v.startswith(SINGLE_OBJECT) and b"\x04v1" in v)
        name = self.rng.randbytes(size // 2 - 500).hex().encode()
        at = data.rindex(b"\x04v1")
        return data[:at] + varint(len(name)) + name + data[at + 3 :]
