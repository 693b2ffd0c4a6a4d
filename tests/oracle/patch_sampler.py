#!/usr/bin/env python3
"""nnU-Net's patch sampling (DataLoader.get_bbox, read as rules, not copied) on hepar's random streams.

Writes tests/oracle/vectors/patch_sampler.json: for three cases that tests/data/prepared_fixture.h builds by
the same formulas, which case and box stands at each (step, slot).
"""

import json
import math
import pathlib

import numpy as np

MASK = 0xFFFFFFFF
SAMPLING = 2  # Purpose::kSampling


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., SC 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


class Stream:
    def __init__(self, seed, step, slot):
        self.key = [seed & MASK, seed >> 32]
        self.tail = [(SAMPLING << 24) | slot, step & MASK, step >> 32]
        self.words = []
        self.block = 0

    def u32(self):
        if not self.words:
            self.words = philox([self.block] + self.tail, self.key)
            self.block += 1
        return self.words.pop(0)

    def integer(self, n):
        top = 2**64 - 1
        while True:
            draw = self.u32()
            draw |= self.u32() << 32
            if draw < top - top % n:
                return draw % n


def labels_of(name, size):
    i = np.arange(np.prod(size)).reshape(size)
    if name == "a":
        return np.where(i % 7 == 3, 2, np.where(i % 5 == 0, 1, 0))
    if name == "b":
        return np.where(i % 4 == 0, 2, 0)
    return np.zeros(size, int)


CASES = {"a": (12, 30, 25), "b": (5, 9, 40), "c": (20, 20, 20)}


def sample(seed, step, slot, batch, patch, loader, fraction=0.33):
    stream = Stream(seed, step, slot)
    name = sorted(CASES)[stream.integer(len(CASES))]
    size = CASES[name]
    forced = not slot < round(batch * (1 - fraction))
    pad = [loader[d] - patch[d] for d in range(3)]
    pad = [loader[d] - size[d] if pad[d] + size[d] < loader[d] else pad[d] for d in range(3)]
    low = [-pad[d] // 2 for d in range(3)]
    high = [size[d] + pad[d] // 2 + pad[d] % 2 - loader[d] for d in range(3)]
    labels = labels_of(name, size)
    present = [v for v in (1, 2) if (labels == v).any()]
    if forced and present:
        chosen = present[stream.integer(len(present))]
        voxels = np.argwhere(labels == chosen)
        voxel = voxels[stream.integer(len(voxels))]
        start = [max(low[d], int(voxel[d]) - loader[d] // 2) for d in range(3)]
    else:
        start = [low[d] + stream.integer(high[d] - low[d] + 1) for d in range(3)]
    return [sorted(CASES).index(name), *start, int(forced)]


def main():
    runs = []
    for seed, batch, patch, loader in ((1, 5, (6, 12, 12), (9, 16, 15)), (2**40 + 3, 2, (16, 16, 16), (16, 16, 16))):
        rows = [[step, slot] + sample(seed, step, slot, batch, patch, loader)
                for step in (0, 1, 2, 3, 5, 8, 1000, 2**33) for slot in range(batch)]
        rows += [[step, batch - 1] + sample(seed, step, batch - 1, batch, patch, loader)
                 for step in range(10, 40)]
        runs.append({"seed": seed, "global_batch": batch, "patch": patch, "loader_patch": loader, "rows": rows})
    out = pathlib.Path(__file__).parent / "vectors" / "patch_sampler.json"
    text = json.dumps({"columns": ["step", "slot", "case", "z", "y", "x", "forced"], "runs": runs})
    out.write_text(text.replace("]], ", "]],\n").replace("], [", "],\n [") + "\n")


if __name__ == "__main__":
    main()
