#!/usr/bin/env python3
"""Cubic resampling of one volume: hepar against scikit-image's resize, one thread each, same values.

usage: resample_against_skimage.py PROGRAM [--size Z Y X] [--to Z Y X]

PROGRAM is tests/bench/resample_volume.cpp as built. Prints both times, their ratio, and the largest
difference relative to the range of the input, over the whole volume and away from its borders.
"""
import argparse
import os
import subprocess
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402  (threads are fixed before NumPy starts)
from scipy.ndimage import gaussian_filter  # noqa: E402
from skimage.transform import resize  # noqa: E402


def volume(size):
    """Smooth structures with sharp edges and noise: an image-like spectrum."""
    random = np.random.default_rng(1)
    smooth = gaussian_filter(random.standard_normal(size), (2, 6, 6))
    edges = (smooth > 0.02).astype(float)
    return (300 * edges + 4000 * smooth + 20 * random.standard_normal(size)).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--size", type=int, nargs=3, default=(72, 320, 320))
    parser.add_argument("--to", type=int, nargs=3, default=(90, 288, 288))
    arguments = parser.parse_args()

    image = volume(tuple(arguments.size))
    start = time.perf_counter()
    wanted = resize(image.astype(float), tuple(arguments.to), 3, mode="edge", anti_aliasing=False)
    peer_ms = 1e3 * (time.perf_counter() - start)

    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "in.f32"), os.path.join(folder, "out.f32")
        image.tofile(source)
        sizes = [str(n) for n in (*arguments.size, *arguments.to)]
        run = subprocess.run([arguments.program, "cubic", *sizes, source, target], check=True,
                             capture_output=True, text=True)
        ours_ms = float(run.stdout)
        found = np.fromfile(target, np.float32).reshape(arguments.to)

    difference = np.abs(found - wanted) / (image.max() - image.min())
    inner = difference[8:-8, 8:-8, 8:-8]
    print(f"volume {tuple(arguments.size)} -> {tuple(arguments.to)}, one thread each")
    print(f"scikit-image {peer_ms:10.1f} ms\nhepar        {ours_ms:10.1f} ms\nratio        {peer_ms / ours_ms:10.1f}")
    print(f"largest difference / range: {difference.max():.2e} anywhere, {inner.max():.2e} away from borders")


if __name__ == "__main__":
    main()
