"""The state log: who owns a partition, how its state is read, written and moved to other offsets."""
