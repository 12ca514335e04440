"""From the broker to batches of columns: what is fetched, how much at a time, and what of it waits."""
