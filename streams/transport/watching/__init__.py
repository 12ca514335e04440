"""What ends, slows or silences a worker: a zombie, an absent broker or registry, memory, log lines."""
