"""Tensors that an interrupted run finished, kept beside its output until the output is there."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.blob import check_stored
from xorweave.golden.files.safetensors_file import Tensor, read_safetensors, write_safetensors
from xorweave.golden.tensor.figures import Figures


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
    """

    blob: bytes
    scale: NDArray[np.float32] | None
    negative_zeros: int
    figures: Figures | None = None


class Finished:
    """A folder of stored tensors by the digest of what they are made of: another input or option finds none of them.

    Parameters
    ----------
    folder : Path
        Made when the first tensor is put there.
    release : str
        Of the program: another one might store other bytes.
    """

    def __init__(self, folder: Path, release: str = "") -> None:
        self.folder, self._release = folder, release

    @classmethod
    def beside(cls, out: Path, release: str = "") -> Finished:
        """Return the folder that belongs to an output: ``OUT.parts``."""
        return cls(out.with_name(out.name + ".parts"), release)

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
        """Keep a tensor; its file appears whole or not at all.

        Raises
        ------
        InputError
            The folder cannot be written to.
        """
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.folder} cannot be made: {error.strerror}") from None
        tensors = {"blob": Tensor(np.frombuffer(stored.blob, np.uint8), "U8")}
        if stored.scale is not None:
            tensors["scale"] = Tensor(stored.scale, "F32")
        write_safetensors(self._path(told), tensors, {"negative_zeros": str(stored.negative_zeros)})

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
