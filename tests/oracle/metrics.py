#!/usr/bin/env python3
"""Writes vectors/metrics.json: 200 mask pairs and what MONAI and SimpleITK say about them.

A mask is a list of drawing steps (see `draw`), which the C++ test repeats. `dsc`, `hd`, `hd95` and `assd` are
MONAI's; `hd95_pooled` is the 95th percentile of the two directions' distances pooled. `sitk_hd` is SimpleITK's
Hausdorff distance, which is taken between *sets*, not surfaces: `agree` says whether the two definitions give
the same number for this pair (computed here from both definitions with SciPy), so the pairs where it is false
are the list of cases that differ. Needs numpy, scipy, SimpleITK, torch, monai.
"""
import json
import pathlib
import random
import warnings

import numpy as np
import SimpleITK as sitk
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance
from monai.metrics.utils import get_edge_surface_distance
from scipy.ndimage import distance_transform_edt

warnings.filterwarnings("ignore")


def noise(seed, n):
    state, out = seed, []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append((state >> 40) % 1000)
    return np.array(out)


def draw(size, steps):
    mask = np.zeros(size, np.uint8)
    z, y, x = np.ogrid[tuple(slice(n) for n in size)]
    for kind, *a in steps:
        if kind == "noise":  # seed, permille of voxels set
            mask |= (noise(a[0], mask.size) < a[1]).reshape(size).astype(np.uint8)
        elif kind == "ball":  # centre, squared radius in voxels
            mask[(z - a[0]) ** 2 + (y - a[1]) ** 2 + (x - a[2]) ** 2 <= a[3]] = 1
        else:  # box or cut: first voxel, first voxel beyond
            mask[a[0]:a[3], a[1]:a[4], a[2]:a[5]] = 1 if kind == "box" else 0
    return mask


SIZES = [(12, 12, 12), (6, 16, 14), (20, 18, 22), (5, 24, 24), (9, 7, 21)]
SPACINGS = [(1.0, 1.0, 1.0), (3.0, 1.1875, 1.1875), (7.7, 1.25, 1.25), (0.7, 2.5, 0.9), (5.0, 0.6875, 0.6875)]


def ball(rng, size):
    return ["ball", *[rng.randrange(n) for n in size], rng.randrange(1, 40)]


def box(rng, size):
    low = [rng.randrange(n) for n in size]
    return ["box", *low, *[rng.randrange(a + 1, n + 1) for a, n in zip(low, size)]]


def blob(rng, size):
    steps = [rng.choice((ball, box))(rng, size) for _ in range(rng.randrange(1, 4))]
    if rng.random() < 0.3:
        steps.append(["cut", *box(rng, size)[1:]])
    return steps


def pathological(size):
    """Pairs with a name, each a known way to get surfaces or distances wrong."""
    n = size
    full = ["box", 0, 0, 0, *n]
    middle = [m // 2 for m in n]
    voxel = ["box", *middle, *[m + 1 for m in middle]]
    corner = ["box", 0, 0, 0, 1, 1, 1]
    far = ["box", n[0] - 1, n[1] - 1, n[2] - 1, *n]
    core = ["box", 1, 1, 1, *[m - 1 for m in n]]
    spike = ["box", middle[0], middle[1], 0, middle[0] + 1, middle[1] + 1, n[2]]
    return [
        ("both empty", [], []), ("prediction empty", [], [full]), ("reference empty", [voxel], []),
        ("full, full", [full], [full]), ("full, single voxel", [full], [voxel]),
        ("single voxels in opposite corners", [corner], [far]), ("same single voxel", [voxel], [voxel]),
        ("full, all but the border", [full], [core]),
        ("sheets across z", [["box", 0, 0, 0, 1, n[1], n[2]]], [["box", n[0] - 1, 0, 0, *n]]),
        ("sheet against sheet at a right angle", [["box", 0, 0, 2, n[0], n[1], 3]],
         [["box", 0, 3, 0, n[0], 4, n[2]]]),
        ("spike", [core, spike], [core]), ("spike alone", [spike], [core]),
        ("hollow against solid", [full, ["cut", 2, 2, 2, *[m - 2 for m in n]]], [full]),
        ("checker noise against solid", [["noise", 7, 500]], [core]),
        ("touching one face", [["box", 0, 2, 2, 3, n[1] - 2, n[2] - 2]], [["box", 1, 2, 2, 4, n[1] - 2, n[2] - 2]]),
        ("far island", [core, corner], [core]),
    ]


def pairs():
    rng = random.Random(20240601)
    for size, spacing in zip(SIZES, SPACINGS):
        for name, prediction, reference in pathological(size):
            yield name, size, spacing, prediction, reference
    for i in range(200 - 16 * len(SIZES)):
        size, spacing = rng.choice(SIZES), rng.choice(SPACINGS)
        if i % 4 == 0:
            a, b = rng.choice((20, 200, 800)), rng.choice((20, 200, 800))
            yield "noise", size, spacing, [["noise", i + 1, a]], [["noise", i + 1001, b]]
        elif i % 4 == 1:
            shape = blob(rng, size)
            yield "blob, blob with noise", size, spacing, shape, [*shape, ["noise", i + 1, 10]]
        else:
            yield "blobs", size, spacing, blob(rng, size), blob(rng, size)


def number(value):
    return None if value is None or not np.isfinite(value) else float(f"{float(value):.9g}")


def set_distance(a, b, spacing):
    """Hausdorff distance between all voxels of both masks."""
    to_a, to_b = (distance_transform_edt(m == 0, sampling=spacing) for m in (a, b))
    return max(to_b[a > 0].max(), to_a[b > 0].max())


def sitk_hd(a, b, spacing):
    images = [sitk.GetImageFromArray(m) for m in (a, b)]
    for image in images:
        image.SetSpacing(tuple(float(s) for s in spacing[::-1]))
    measure = sitk.HausdorffDistanceImageFilter()
    measure.Execute(*images)
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    return measure.GetHausdorffDistance(), overlap.GetDiceCoefficient(1)


def score(size, spacing, prediction, reference):
    a, b = draw(size, prediction), draw(size, reference)
    pred, ref = (torch.from_numpy(m)[None, None] for m in (a, b))
    expected = {"dsc": number(compute_dice(pred, ref, ignore_empty=False)[0, 0])}
    if not a.any() or not b.any():
        return expected
    options = {"include_background": True, "spacing": list(spacing)}
    expected["hd"] = number(compute_hausdorff_distance(pred, ref, **options)[0, 0])
    expected["hd95"] = number(compute_hausdorff_distance(pred, ref, percentile=95, **options)[0, 0])
    expected["assd"] = number(compute_average_surface_distance(pred, ref, symmetric=True, **options)[0, 0])
    _, both, _ = get_edge_surface_distance(pred[0, 0].bool(), ref[0, 0].bool(), spacing=list(spacing), symmetric=True)
    expected["hd95_pooled"] = number(np.percentile(np.concatenate([d.numpy() for d in both]).astype(float), 95))
    distance, dice = sitk_hd(a, b, spacing)
    assert abs(dice - expected["dsc"]) < 1e-6
    expected["sitk_hd"] = number(distance)
    expected["agree"] = bool(abs(set_distance(a, b, spacing) - expected["hd"]) <= 1e-6 * expected["hd"])
    return expected


def main():
    cases = []
    for name, size, spacing, prediction, reference in pairs():
        cases.append({"name": name, "size": size, "spacing": spacing, "prediction": prediction,
                      "reference": reference, **score(size, spacing, prediction, reference)})
    path = pathlib.Path(__file__).parent / "vectors" / "metrics.json"
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    differ = [c for c in cases if c.get("agree") is False]
    print(f"{len(cases)} pairs; set-based and surface-based Hausdorff distance differ in {len(differ)}:")
    for c in differ:
        print(f"  {c['name']}, {c['size']}, {c['spacing']} mm: {c['hd']} surfaces, {c['sitk_hd']} sets")


if __name__ == "__main__":
    main()
