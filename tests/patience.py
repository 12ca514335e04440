"""How long a test waits for what must come. No statement about speed: that is what benchmarks are for."""

GUARD_SECONDS = 180
"""After which a wait has failed. CI has two cores for four tests at a time, and neighbours: what takes a second on a
quiet machine has taken fifty there. Waiting costs nothing when it comes soon."""
