"""Tensors that an interrupted run finished, kept beside its output until the output is there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.blob import check_stored
from xorweave.golden.files.mapped import read_safetensors
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
from xorweave.golden.tensor.figures import Figures

#: Bytes of a file name on the systems there are.
_LONGEST_NAME = 255


@dataclass(frozen=True, eq=False)
class StoredBytes:
    """What storing one tensor gives.

    Attributes
    ----------
    blob : bytes
        The stored tensor, as `write_blob` writes it.
    scale : ndarray of float32 or None
        The scales of quantising.
    negative_zeros : int
        Kept weights that are -0.0.
    figures : Figures or None
        Counted when it was stored; None of what an earlier run stored.
    record : dict of str to object, or None
        What else was said of it when it was stored (`Job.describe`).
    """

    blob: bytes
    scale: NDArray[np.float32] | None
    negative_zeros: int
    figures: Figures | None = None
    record: dict[str, object] | None = None


class Finished:
    """A folder of stored tensors by the digest of what they are made of: another input or option finds none of them.

    Parameters
    ----------
    folder : Path
        Made when the first tensor is put there.
    release : str
        Of the program: another one might store other bytes.

    Where the folder cannot be written (a full disk), no more is kept: the output may still find its room.
    """

    def __init__(self, folder: Path, release: str = "") -> None:
        self.folder, self._release = folder, release
        self._writable = True

    @classmethod
    def beside(cls, out: Path, release: str = "") -> Finished:
        """Return the folder that belongs to an output: ``OUT.parts``, or a digest of OUT where that is too long."""
        name = os.fsencode(out.name)
        if len(name) > _LONGEST_NAME - len(".parts"):
            name = hashlib.blake2b(name, digest_size=20).hexdigest().encode()
        return cls(out.with_name(os.fsdecode(name) + ".parts"), release)

    def get(self, *told: str) -> StoredBytes | None:
        """Return a tensor that was put, or None. What is damaged was not put."""
        path = self._path(told)
        if not path.is_file():
            return None
        try:
            tensors, metadata = read_safetensors(path)
            blob = tensors["blob"].values.tobytes()
            check_stored(blob)
            scale = tensors["scale"].values.copy() if "scale" in tensors else None
            return StoredBytes(blob, scale, int(json.loads(metadata["negative_zeros"])))
        except (InputError, KeyError, ValueError):
            return None

    def put(self, stored: StoredBytes, *told: str) -> None:
        """Keep a tensor, if it can be kept; its file appears whole or not at all."""
        if not self._writable:
            return
        tensors = {"blob": Tensor(np.frombuffer(stored.blob, np.uint8), "U8")}
        if stored.scale is not None:
            tensors["scale"] = Tensor(stored.scale, "F32")
        try:
            self.folder.mkdir(exist_ok=True)
            write_safetensors(self._path(told), tensors, {"negative_zeros": str(stored.negative_zeros)})
        except (InputError, OSError):
            self._writable = False
            with suppress(OSError):  # it holds what was kept before
                self.folder.rmdir()

    def clear(self) -> None:
        """Remove what was put, and nothing else."""
        if self.folder.is_symlink() or not self.folder.is_dir():
            return
        if all(path.suffix == ".part" for path in self.folder.iterdir()):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, told: tuple[str, ...]) -> Path:
        digest = hashlib.blake2b(
            "\0".join([self._release, *told]).encode("utf-8", "surrogatepass"), digest_size=20
        )
        return self.folder / f"{digest.hexdigest()}.part"
