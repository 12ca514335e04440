"""Artefacts by content: the name of a file is the sha256 of its bytes, so nothing is ever overwritten.

``<folder>/sha256/ab/cd/abcd…``. A file appears whole or not at all: written beside, synced, renamed. A reader
believes nothing but the bytes: size and sha256 are compared each time, against what the signed manifest says.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from driftloop.schemas.errors import BadRecord, ConfigError, Unavailable

SIZE_BYTES_MOST = 512 * 1024 * 1024
"""A model larger than this is refused, written or read: it would be held twice in the memory of the app."""

_HEX = frozenset("0123456789abcdef")


class Stored(NamedTuple):
    """Where an artefact lies, as the manifest says it. ``uri`` is relative to the store, wherever it is mounted."""

    uri: str
    sha256: str
    size_bytes: int


class Store:
    """A folder of artefacts; it may be shared, and read-only where only read."""

    def __init__(self, folder: Path, size_bytes_most: int = SIZE_BYTES_MOST) -> None:
        self.folder = folder
        self.size_bytes_most = size_bytes_most

    def put(self, data: bytes) -> Stored:
        """Write ``data`` unless it is there. ConfigError when it is too large or the folder cannot be written."""
        if len(data) > self.size_bytes_most:
            raise ConfigError(
                f"the artefact has {len(data):,} bytes, more than the {self.size_bytes_most:,} allowed",
                "make the model smaller (fewer trees, float32), or raise size_bytes_most of the store",
            )
        stored = Stored(_uri(digest := hashlib.sha256(data).hexdigest()), digest, len(data))
        path = self.folder / stored.uri
        try:
            if not (path.is_file() and path.read_bytes() == data):  # a spoilt file is healed by the next put
                _write_whole(path, data)
        except OSError as error:
            raise ConfigError(
                f"the artefact cannot be written to {path}: {error.strerror}",
                "set DRIFTLOOP_ARTEFACTS to a folder that this user may write",
            ) from error
        return stored

    def get(self, sha256: str, size_bytes: int) -> bytes:
        """The bytes with this sha256 and size. Unavailable when absent, BadRecord when they are not those bytes."""
        if len(sha256) != 64 or not _HEX.issuperset(sha256):
            raise BadRecord("artefact-name", f"{sha256[:80]!r} is no sha256", "64 hexadecimal digits, lower case")
        if size_bytes > self.size_bytes_most:
            raise BadRecord(
                "artefact-too-large",
                f"artefact {sha256[:12]} has {size_bytes:,} bytes, more than the {self.size_bytes_most:,} allowed",
                "raise size_bytes_most of the store if this model is wanted",
            )
        path = self.folder / _uri(sha256)
        data = _read(path, size_bytes)
        if len(data) != size_bytes:
            size = path.stat().st_size if path.exists() else len(data)
            raise BadRecord(
                "artefact-size",
                f"{path} has {size:,} bytes, the manifest says {size_bytes:,}",
                "the file was cut or changed after it was published: copy it again from where it was published",
            )
        if (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise BadRecord(
                "artefact-hash",
                f"{path} has sha256 {found[:12]}…, the manifest says {sha256[:12]}…",
                "the file was changed after it was published: copy it again from where it was published",
            )
        return data


def _uri(sha256: str) -> str:
    return f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _read(path: Path, size_bytes: int) -> bytes:
    """At most one byte more than expected: a file that grew is seen without being read whole."""
    try:
        with path.open("rb") as file:
            return file.read(size_bytes + 1)
    except FileNotFoundError as error:
        raise Unavailable(
            f"there is no artefact {path}",
            "mount the folder of the retrainer here, or set DRIFTLOOP_ARTEFACTS to where it is mounted",
        ) from error
    except OSError as error:
        raise Unavailable(
            f"the artefact {path} cannot be read: {error.strerror}", "check rights and mount"
        ) from error


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """The rename itself survives a power cut only once its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
