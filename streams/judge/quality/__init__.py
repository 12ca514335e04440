"""Rules of data quality, what is usual for them, and the alarms of the observer's own counters."""
