"""Expected values of Dice + cross-entropy, computed plainly from their definition in float64.

Needs numpy. Usage: segmentation_loss.py > vectors/segmentation_loss.json

The definition is nnU-Net's DC_and_CE_loss with MemoryEfficientSoftDiceLoss and deep supervision: voxels with
the ignored label take part in neither term; cross-entropy is torch's weighted mean; labels reach lower
levels by nearest-exact subsampling. Inputs are formulas, so that only the results are kept.
"""
import json
import sys

import numpy as np


def logits_of(shape, phase):
    return 2.0 * np.sin(0.61 * np.arange(np.prod(shape)) + phase).reshape(shape)


def labels_of(shape, classes, ignore_every):
    i = np.arange(np.prod(shape))
    labels = (i * 7 // 5 + i // 11) % classes
    if ignore_every:
        labels[i % ignore_every == 0] = -1
    return labels.reshape(shape)


def subsample(labels, size):
    for axis in range(3):
        n, m = labels.shape[axis + 1], size[axis]
        index = np.minimum(np.floor((np.arange(m) + 0.5) * (n / m)).astype(int), n - 1)
        labels = np.take(labels, index, axis=axis + 1)
    return labels


def level_loss(z, y, batch_dice, class_weights, smooth):
    z = z - z.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    classes = z.shape[1]
    g = np.stack([y == c for c in range(classes)], 1).astype(float)
    w = np.asarray(class_weights or [1.0] * classes)[None, :, None, None, None]
    ce = -(w * g * np.log(p)).sum() / (w * g).sum()
    counted = (y >= 0)[:, None]
    axes = (0, 2, 3, 4) if batch_dice else (2, 3, 4)
    tp, sp, sg = ((p * g).sum(axes), (p * counted).sum(axes), g.sum(axes))
    dice = (2 * tp + smooth) / np.maximum(sg + sp + smooth, 1e-8)
    return ce, dice[..., 1:].mean()


def case(name, shape, levels, level_weights, classes, batch_dice, class_weights, ignore_every, smooth=1e-5,
         ce_weight=1.0, dice_weight=1.0):
    y = labels_of(shape, classes, ignore_every)
    ce = dice = 0.0
    for i, (size, weight) in enumerate(zip(levels, level_weights)):
        if weight:
            c, d = level_loss(logits_of((shape[0], classes, *size), 0.5 * i), subsample(y, size), batch_dice,
                              class_weights, smooth)
            ce += weight * c
            dice += weight * d
    return dict(name=name, shape=shape, levels=levels, level_weights=level_weights, classes=classes,
                batch_dice=batch_dice, class_weights=class_weights or [], ignore_every=ignore_every, smooth=smooth,
                ce_weight=ce_weight, dice_weight=dice_weight, cross_entropy=ce, dice=dice,
                loss=ce_weight * ce - dice_weight * dice)


def main():
    one = dict(shape=[3, 4, 5, 6], levels=[[4, 5, 6]], level_weights=[1.0], classes=3, batch_dice=False,
               class_weights=None, ignore_every=0)
    deep = dict(one, shape=[2, 4, 8, 12], levels=[[4, 8, 12], [4, 4, 6], [2, 2, 3]], level_weights=[2 / 3, 1 / 3, 0])
    json.dump([
        case("one level", **one),
        case("batch Dice", **dict(one, batch_dice=True)),
        case("ignored voxels", **dict(one, ignore_every=4)),
        case("ignored voxels, batch Dice, class weights",
             **dict(one, ignore_every=3, batch_dice=True, class_weights=[0.2, 1.0, 2.5])),
        case("deep supervision", **deep),
        case("deep supervision, sizes that do not divide",
             **dict(deep, shape=[2, 5, 7, 9], levels=[[5, 7, 9], [3, 4, 5], [2, 2, 3]], level_weights=[0.5, 0.3, 0.2],
                    ignore_every=5)),
        case("weighted terms", **dict(one, ce_weight=0.5, dice_weight=2.0, smooth=1.0)),
    ], sys.stdout, indent=1)


main()
