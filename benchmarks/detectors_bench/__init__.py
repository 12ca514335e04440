"""The harness behind ``make bench-detectors``: streams with known changes, contenders, and how alarms are scored."""
