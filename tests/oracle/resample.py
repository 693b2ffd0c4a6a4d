#!/usr/bin/env python3
"""Writes vectors/resample.json: expected values of hepar/image/resample.h.

Images: skimage.transform.resize(order 3 or 1, mode edge, no anti-aliasing, clipped), slice by slice and then
scipy.ndimage.map_coordinates(order 0, mode nearest) when one axis is treated apart, in float64: what nnU-Net
v2's default resampling calls. Labels: each label's one-hot image the same way at order 1, assigned where it
reaches one half, labels ascending. Inputs come from the generator below, which the C++ test repeats.
Needs numpy, scipy, scikit-image.
"""
import json
import pathlib

import numpy as np
from scipy.ndimage import map_coordinates
from skimage.transform import resize


def stream(seed, n):
    """n numbers in [0, 2^24): Knuth's 64-bit linear congruential generator, the top 24 bits."""
    state, out = seed, []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(state >> 40)
    return np.array(out, np.int64)


def image(seed, size):
    return (stream(seed, int(np.prod(size))) / 2**24 * 200 - 50).astype(np.float32).reshape(size)


def labels(seed, size):
    """Blocks of 2 or 3 voxels with labels -1, 0, 1, 2, 5."""
    coarse = np.array([-1, 0, 1, 2, 5])[stream(seed, int(np.prod(size))) % 5].reshape(size)
    for axis, block in enumerate((2, 3, 2)):
        coarse = np.repeat(coarse, block, axis)[tuple(slice(n) for n in size)]
    return coarse


def resample(volume, to, order, apart):
    if volume.shape == tuple(to):
        return volume.astype(float)
    options = {"mode": "edge", "anti_aliasing": False}
    if apart is None:
        return resize(volume.astype(float), to, order, **options)
    plane = [n for axis, n in enumerate(to) if axis != apart]
    slices = [resize(volume.take(i, apart).astype(float), plane, order, **options)
              for i in range(volume.shape[apart])]
    stacked = np.stack(slices, apart)
    if stacked.shape == tuple(to):
        return stacked
    grid = np.meshgrid(*[np.arange(n) for n in to], indexing="ij")
    at = [stacked.shape[a] / to[a] * (grid[a] + 0.5) - 0.5 for a in range(3)]
    return map_coordinates(stacked, at, order=0, mode="nearest")


def resample_labels(volume, to, apart):
    result = np.zeros(to, int)
    for label in np.unique(volume):
        result[resample((volume == label).astype(float), to, 1, apart) >= 0.5] = label
    return result


CASES = [  # from, to, axis treated apart
    ((6, 7, 9), (9, 5, 14), None),
    ((3, 4, 5), (6, 8, 10), None),
    ((8, 10, 6), (4, 5, 3), None),
    ((5, 3, 70), (5, 4, 50), None),
    ((4, 8, 9), (9, 11, 6), 0),
    ((9, 8, 9), (4, 11, 6), 0),
    ((7, 4, 8), (9, 6, 10), 1),
    ((7, 8, 5), (5, 9, 8), 2),
    ((6, 8, 7), (11, 8, 7), 0),
    ((6, 8, 7), (6, 5, 9), 0),
    ((1, 5, 6), (3, 7, 4), None),
    ((2, 1, 6), (3, 1, 8), None),
    ((5, 6, 7), (5, 6, 7), None),
]


def main():
    cases = []
    for seed, (size, to, apart) in enumerate(CASES, 1):
        cases.append({
            "seed": seed, "from": size, "to": to, "apart": apart,
            "cubic": [float(f"{v:.5g}") for v in resample(image(seed, size), to, 3, apart).ravel()],
            "linear": [float(f"{v:.5g}") for v in resample(image(seed, size), to, 1, apart).ravel()],
            "labels": resample_labels(labels(seed, size), to, apart).ravel().tolist(),
        })
    path = pathlib.Path(__file__).parent / "vectors" / "resample.json"
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
