"""The state of a detector as bytes: a version, then arrays of doubles. No pickle: the state log outlives the code."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def pack(version: int, *arrays: Doubles | float) -> bytes:
    """Little-endian: u8 version, u8 arrays; each u8 dimensions, u32 a length, doubles. The same state, the same
    bytes.

    >>> pack(1, 2.5).hex()
    '0101000000000000000440'
    """
    parts = [struct.pack("<BB", version, len(arrays))]
    for array in arrays:
        doubles = np.asarray(array, dtype="<f8")
        parts.append(struct.pack(f"<B{doubles.ndim}I", doubles.ndim, *doubles.shape))
        parts.append(doubles.tobytes())
    return b"".join(parts)


def unpack(data: bytes, version: int) -> list[Doubles]:
    """The arrays of ``pack``, owned by the caller. ValueError: the bytes are of another version, or cut."""
    if len(data) < 2 or data[0] != version:
        raise ValueError(f"a detector's state of version {data[0] if data else 'none'}, not {version}")
    at, arrays = 2, []
    try:
        for _ in range(data[1]):
            shape = struct.unpack_from(f"<{data[at]}I", data, at + 1)
            at += 1 + 4 * len(shape)
            size = int(np.prod(shape, dtype=np.int64))
            arrays.append(np.frombuffer(data, dtype="<f8", count=size, offset=at).reshape(shape).copy())
            at += 8 * size
    except (struct.error, IndexError) as error:
        raise ValueError(f"a detector's state was cut at byte {at} of {len(data)}") from error
    if at != len(data):
        raise ValueError(f"a detector's state has {len(data) - at} bytes too many")
    return arrays
