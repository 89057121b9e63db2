"""Real pruned weights through --code auto: overhead, bits a weight with mask, seconds; and what transforms save.

python benchmarks/real_tensors.py
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
from real_inputs import data_folder

from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.files.prepare import Preparation, is_encodable, prepare
from xorweave.golden.files.weight_files import read_weights
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.figures import Figures, figures_of

FILES = (
    ("dns/derived/lenet300100_sparse.npz", None),
    ("l-obs/LeNet300100/CR_10/fc1.weight.npy", "fp32"),
    ("l-obs/LeNet300100/CR_20/fc1.weight.npy", "fp32"),
    ("l-obs/LeNet300100/CR_30/fc1.weight.npy", "fp32"),
    ("micronet-osi/derived/sparsity64_trained_model.npz", None),
    ("micronet-peiswang/derived/densenet100_block1_int8.npz", None),
    ("mediapipe/derived/hand_landmark_sparse_v1_fp32.npz", None),
    ("lyra/derived/conditioning_stack_0.npz", None),
    ("lyra/derived/proj.npz", None),
)


def encode_all(
    path: Path, dtype: str | None, transform: str, drop: bool
) -> tuple[Figures, str, float, Counter[str]]:
    choice = CodeChoice.parse("auto")
    figures = []
    formats = set()
    transforms: Counter[str] = Counter()
    start = time.perf_counter()
    for name, tensor in read_weights(path).items():
        if not is_encodable(tensor):
            continue
        item = prepare(name, tensor, Preparation(dtype=dtype, negative_zero="pruned"))
        encoded = choice.encode(
            item.values, item.number_format, item.mask, transform=transform, drop_planes=drop
        )
        to_words = item.number_format.to_words
        wanted = np.where(item.mask, to_words(item.values), 0)
        assert np.array_equal(to_words(decode_tensor(encoded)), wanted), name
        figures.append(figures_of(encoded))
        formats.add(item.number_format.name)
        transforms[encoded.raw.transform] += 1
    return Figures.together(figures), "/".join(sorted(formats)), time.perf_counter() - start, transforms


def main() -> None:
    folder = data_folder()
    print(
        "| file | tensors | format | weights | kept | overhead | bits a weight with mask "
        "| the same, constant planes left out | transforms chosen for that | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for file, dtype in FILES:
        plain, formats, seconds, tensors = encode_all(folder / file, dtype, "none", False)
        dropped, _formats, _seconds, chosen = encode_all(folder / file, dtype, "auto", True)
        ratios, fewer = plain.ratios(), dropped.ratios()
        n_w = plain.dense_bits / plain.weights
        print(
            f"| {file} | {tensors.total()} | {formats} | {plain.weights} "
            f"| {100 * plain.care_bits / plain.dense_bits:.1f} % "
            f"| {100 * float(ratios['overhead'] or 0):.2f} % | {ratios['bits_per_weight_with_mask']:.3f} of {n_w:.0f} "
            f"| {fewer['bits_per_weight_with_mask']:.3f} "
            f"| {', '.join(f'{name} {count}' for name, count in chosen.most_common())} | {seconds:.1f} |",
            flush=True,
        )
    print(
        "\nZeros are the mask, -0.0 among them (--negative-zero pruned): "
        "masked training leaves pruned weights of either sign."
    )
    print("Every tensor was decoded and found equal, bit for bit.")


if __name__ == "__main__":
    main()
