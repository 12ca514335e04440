"""Write golden.json anew for schemas that are not in it yet: `python tests/schemas/golden_make.py`.

Lines that are there stay as they are: bytes that a release has written must be read for ever.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from driftloop.schemas.codec import EVENTS, encode
from driftloop.schemas.jsonable import to_jsonable
from driftloop.schemas.released import released

GOLDEN = Path(__file__).parent / "golden.json"


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    from examples import example

    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    versions = released()
    for kind in EVENTS:
        event = example(kind)
        name = f"{kind.__name__}.{len(versions[kind.__name__])}"
        golden.setdefault(name, {"bytes": encode(event).hex(), "event": to_jsonable(event)})
    GOLDEN.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
