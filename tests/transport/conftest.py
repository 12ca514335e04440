"""The helpers of these tests (toy, driving) are imported by their bare names, by the tests and by the worker."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
