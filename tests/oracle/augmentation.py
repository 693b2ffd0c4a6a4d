"""Expected values of the augmentation's operators.

Needs numpy, scipy, torch. Usage: augmentation.py > vectors/augmentation.json

Spatial: scipy's map_coordinates (order 1, zeros outside) through the matrix Rz·Ry·Rx·scale about the centres;
labels by the largest interpolated one-hot with -1 outside. Blur: scipy's gaussian_filter1d with the radius of
nnU-Net's kernel. Low resolution: torch's interpolate. Inputs are formulas of the running index.
"""
import json
import sys

import numpy as np
import scipy.ndimage as ndi
import torch
import torch.nn.functional as F


def image_of(shape, phase=0.0):
    i = np.arange(np.prod(shape))
    return (np.cos(0.37 * i + phase) + 0.5 * np.sin(0.011 * i)).astype(np.float32).reshape(shape)


def labels_of(shape):
    z, y, x = np.indices(shape)
    return (((z * 3 + y * 2 + x) // 5) % 4 - 1).astype(np.int16)


def sample(values, every=7):
    return [round(float(v), 6) for v in np.asarray(values).ravel()[::every]]


def matrix_of(a, b, c, scale):
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return rz @ ry @ rx * scale


def spatial(name, source, target, angles, scale, planar):
    if planar:
        c = angles[2]
        m = np.eye(3)
        m[1:, 1:] = scale * np.array([[np.cos(c), -np.sin(c)], [np.sin(c), np.cos(c)]])
    else:
        m = matrix_of(*angles, scale)
    centre = lambda n: (np.array(n) - 1.0).reshape(3, 1) / 2
    grid = np.indices(target).reshape(3, -1)
    at = m @ (grid - centre(target)) + centre(source)
    if planar:
        at[0] = grid[0] + source[0] // 2 - target[0] // 2
    pull = lambda v: ndi.map_coordinates(v, at, order=1, mode="grid-constant", cval=0.0)
    labels = labels_of(source)
    scores = [pull((labels == u).astype(np.float64)) + (1 - pull(np.ones(source)) if u == -1 else 0)
              for u in range(-1, 3)]
    top = np.sort(scores, 0)
    clear = top[-1] - top[-2] > 1e-4
    return dict(name=name, source=source, target=target, angles=angles, scale=scale, planar=planar,
                image=sample(pull(image_of(source).astype(np.float64)), 3),
                labels=[int(v) if ok else -99 for v, ok in zip(np.argmax(scores, 0) - 1, clear)][::3])


def blurred(shape, sigma):
    v = image_of(shape).astype(np.float64)
    for axis, s in enumerate(sigma):
        v = ndi.gaussian_filter1d(v, s, axis=axis, mode="mirror", radius=int((6 * s + 0.5) // 2))
    return dict(shape=shape, sigma=sigma, image=sample(v))


def low(shape, share):
    v = torch.from_numpy(image_of(shape))[None, None]
    few = [round(n * s) for n, s in zip(shape, share)]
    v = F.interpolate(F.interpolate(v, few, mode="nearest-exact"), shape, mode="trilinear")
    return dict(shape=shape, share=share, image=sample(v.numpy()))


def gamma(shape, g, inverted):
    v = image_of(shape).astype(np.float64)
    x = -v if inverted else v.copy()
    mean, std, lo, span = x.mean(), x.std(ddof=1), x.min(), np.ptp(x)
    x = ((x - lo) / span) ** g * span + lo
    x = (x - x.mean()) / x.std(ddof=1) * std + mean
    return dict(shape=shape, gamma=g, inverted=inverted, image=sample(-x if inverted else x))


def contrast(shape, factor):
    v = image_of(shape).astype(np.float64)
    return dict(shape=shape, factor=factor,
                image=sample(np.clip((v - v.mean()) * factor + v.mean(), v.min(), v.max())))


def main():
    turn = [0.3, -0.2, 0.45]
    json.dump(dict(
        spatial=[
            spatial("rotation", [14, 15, 16], [8, 9, 10], turn, 1.0, False),
            spatial("shrinks, leaves the source", [10, 11, 12], [10, 9, 12], turn, 1.35, False),
            spatial("enlarges", [14, 12, 13], [8, 7, 9], [0, 0, 0], 0.73, False),
            spatial("in-plane", [6, 15, 16], [6, 9, 10], [0, 0, 2.1], 1.2, True),
            spatial("in-plane, another number of slices", [7, 15, 16], [4, 9, 10], [0, 0, -0.8], 0.9, True),
        ],
        blur=[blurred([9, 10, 11], [0.5, 0.75, 1.0]), blurred([2, 3, 20], [1.0, 1.0, 0.6])],
        low_resolution=[low([9, 10, 40], [0.5, 0.5, 0.5]), low([7, 12, 21], [1.0, 0.8, 0.8])],
        gamma=[gamma([6, 7, 9], 0.75, False), gamma([6, 7, 9], 1.4, True), gamma([6, 7, 9], 1.4, False)],
        contrast=[contrast([6, 7, 9], 1.2), contrast([6, 7, 9], 0.8)]), sys.stdout)


main()
