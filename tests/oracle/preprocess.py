#!/usr/bin/env python3
"""Writes vectors/preprocess.json: expected results of hepar/image/preprocess.h.

nnU-Net v2's order of work, said again with numpy, scipy and scikit-image: transpose, crop to the non-zero
region with holes filled, mark the background outside it with -1, normalise, resample. Inputs come from
resample.py's generator, which the C++ test repeats. Needs numpy, scipy, scikit-image.
"""
import json
import pathlib

import numpy as np
from scipy.ndimage import binary_fill_holes

from resample import labels, resample, resample_labels, stream

CASES = [  # size, spacing (canonical order), target spacing (plan order), transpose, normalisation, with mask
    ((10, 9, 12), (2.0, 1.0, 1.5), (1.6, 1.2, 1.5), (0, 1, 2), "zscore", True),
    ((10, 9, 12), (1.0, 1.5, 4.0), (4.0, 1.3, 1.2), (2, 0, 1), "zscore_masked", True),
    ((9, 10, 8), (1.0, 5.0, 1.0), (3.5, 1.0, 1.25), (1, 0, 2), "ct", True),
    ((8, 8, 10), (1.0, 1.0, 1.0), (0.8, 1.0, 1.3), (0, 2, 1), "rescale01", False),
    ((8, 9, 10), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (2, 1, 0), "none", True),
    ((10, 9, 12), (2.0, 1.0, 1.5), (1.6, 1.2, 1.5), (1, 2, 0), "zscore_masked", False),
]
CT = {"mean": 60.0, "std": 30.0, "percentile_00_5": 20.0, "percentile_99_5": 120.0}


def body(seed, size):
    """Values 1..150 in a box with two voxels of zeros around it, a zero hole in it and an open zero dent."""
    values = (1 + stream(seed, int(np.prod(size))) % 150).astype(np.float32).reshape(size)
    inside = np.zeros(size, bool)
    inside[2:-2, 1:-2, 2:-1] = True
    inside[4:6, 4:6, 4:6] = False  # closed: a hole
    inside[2:4, 3:5, 5:7] = False  # open to the outside: a dent
    return np.where(inside, values, np.float32(0))


def normalise(image, mask, kind):
    image = image.astype(np.float64)
    if kind == "zscore":
        return (image - image.mean()) / max(image.std(), 1e-8)
    if kind == "zscore_masked":
        inner = image[mask]
        image[mask] = (inner - inner.mean()) / max(inner.std(), 1e-8)
        return image
    if kind == "ct":
        clipped = image.clip(CT["percentile_00_5"], CT["percentile_99_5"])
        return (clipped - CT["mean"]) / max(CT["std"], 1e-8)
    if kind == "rescale01":
        return (image - image.min()) / max(image.max() - image.min(), 1e-8)
    return image


def separate(current, target):
    for spacing in (current, target):
        if max(spacing) / min(spacing) > 3:
            coarsest = [a for a in range(3) if spacing[a] == max(spacing)]
            return coarsest[0] if len(coarsest) == 1 else None
    return None


def prepare(seed, size, spacing, target, order, kind, with_mask):
    image = body(seed, size).transpose(order)
    segmentation = np.maximum(labels(seed, size), 0).transpose(order)
    spacing = [spacing[a] for a in order]
    region = binary_fill_holes(image != 0)
    where = np.nonzero(region)
    box = [(int(w.min()), int(w.max()) + 1) for w in where]
    crop = tuple(slice(*b) for b in box)
    image, segmentation, region = image[crop], segmentation[crop].copy(), region[crop]
    if not with_mask:
        segmentation[:] = 0
    segmentation[(segmentation == 0) & ~region] = -1
    to = [round(a / b * n) for a, b, n in zip(spacing, target, image.shape)]
    apart = separate(spacing, target)
    prepared = resample(normalise(image, segmentation >= 0, kind), to, 3, apart)
    return {
        "seed": seed, "size": size, "spacing": [spacing[order.index(a)] for a in range(3)], "target": target,
        "transpose": order, "kind": kind, "with_mask": with_mask, **CT,
        "crop_start": [b[0] for b in box], "crop_size": list(image.shape), "to": to,
        "image": [float(f"{v:.6g}") for v in prepared.ravel()],
        "labels": resample_labels(segmentation, to, apart).ravel().tolist() if with_mask else [],
    }


def main():
    cases = [prepare(seed, *case) for seed, case in enumerate(CASES, 11)]
    path = pathlib.Path(__file__).parent / "vectors" / "preprocess.json"
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
