"""Plans made by nnU-Net v2's own planners, for tests/plan/planner_test.cpp.

Needs numpy and, unpacked anywhere on PYTHONPATH, the PyPI packages nnunetv2 2.8.1 and
dynamic_network_architectures (installed with --no-deps). Everything they import besides numpy is replaced by
a mock, and so is the network that they would build only to count its activations: that count is written out
below, and checked against the figure in nnU-Net's own source (558319104, with deep supervision).

    python tests/oracle/plan.py tests/oracle/vectors/plan.json
"""

import json
import math
import sys
from unittest import mock

import numpy as np

for name in (
    "torch", "torch.nn", "torch.nn.functional", "torch.backends", "pandas", "skimage", "skimage.transform",
    "batchgenerators", "batchgenerators.utilities", "batchgenerators.utilities.file_and_folder_operations",
    "batchgenerators.augmentations", "batchgenerators.augmentations.utils", "einops",
    "dynamic_network_architectures", "dynamic_network_architectures.architectures",
    "dynamic_network_architectures.architectures.unet", "dynamic_network_architectures.building_blocks",
    "dynamic_network_architectures.building_blocks.helper", "acvl_utils", "acvl_utils.cropping_and_padding",
    "acvl_utils.cropping_and_padding.padding", "acvl_utils.cropping_and_padding.bounding_boxes",
    "nnunetv2.imageio.reader_writer_registry", "nnunetv2.paths",
    "nnunetv2.preprocessing.normalization.map_channel_name_to_normalization",
    "nnunetv2.utilities.dataset_name_id_conversion", "nnunetv2.utilities.default_n_proc_DA",
    "nnunetv2.utilities.get_network_from_plans", "nnunetv2.utilities.json_export",
    "nnunetv2.utilities.utils", "nnunetv2.configuration", "SimpleITK", "pydicom", "scipy", "scipy.ndimage",
):
    sys.modules[name] = mock.MagicMock()
helper = sys.modules["dynamic_network_architectures.building_blocks.helper"]
helper.convert_dim_to_conv_op = helper.get_matching_instancenorm = lambda _: dict
sys.modules["nnunetv2.configuration"].ANISO_THRESHOLD = 3

from nnunetv2.experiment_planning.experiment_planners import default_experiment_planner as default  # noqa: E402
from nnunetv2.experiment_planning.experiment_planners.network_topology import (  # noqa: E402
    get_pool_and_conv_props,
)
from nnunetv2.experiment_planning.experiment_planners.residual_unets import (  # noqa: E402
    residual_encoder_unet_planners as resenc,
)

PRESETS = {
    "plain": (default.ExperimentPlanner, 8),
    "resenc_m": (resenc.nnUNetPlannerResEncM, 8),
    "resenc_l": (resenc.nnUNetPlannerResEncL, 24),
    "resenc_xl": (resenc.nnUNetPlannerResEncXL, 40),
}


def activations(patch, classes, kwargs, deep_supervision=False):
    residual = "n_blocks_per_stage" in kwargs
    features, strides = kwargs["features_per_stage"], kwargs["strides"]
    size, sizes = [int(i) for i in patch], []
    total = features[0] * math.prod(size) if residual else 0
    channels = features[0]
    for f, stride, n in zip(features, strides, kwargs["n_blocks_per_stage" if residual else "n_conv_per_stage"]):
        smaller = [i // j for i, j in zip(size, stride)]
        skip = residual and (channels != f or smaller != size)
        total += ((2 if residual else 1) * n + (1 if skip else 0)) * f * math.prod(smaller)
        size, channels = smaller, f
        sizes.append(size)
    for level, n in enumerate(kwargs["n_conv_per_stage_decoder"]):
        stage = len(strides) - 2 - level
        total += (n + 1) * features[stage] * math.prod(sizes[stage])
        if deep_supervision or stage == 0:
            total += classes * math.prod(sizes[stage])
    return total


def check_activations():
    kwargs = {
        "features_per_stage": (32, 64, 128, 256, 320, 320),
        "strides": ((1, 1, 1),) + ((2, 2, 2),) * 5,
        "n_blocks_per_stage": (1, 3, 4, 6, 6, 6),
        "n_conv_per_stage_decoder": (1,) * 5,
    }
    assert activations((128, 128, 128), 3, kwargs, deep_supervision=True) == 558319104


def plan(case):
    cls, gb = PRESETS[case["preset"]]
    with mock.patch.object(default, "load_json", lambda _: {}), mock.patch.object(default, "isfile", lambda _: True):
        planner = cls("Dataset001", gpu_memory_target_in_gb=gb, overwrite_target_spacing=case.get("target_spacing"))
    planner.dataset_json = {
        "channel_names": {"0": "MR"},
        "labels": {str(i): i for i in range(case["classes"])},
        "numTraining": case["cases"],
    }
    planner.dataset_fingerprint = {
        "spacings": case["spacings"],
        "shapes_after_crop": case["sizes"],
        "median_relative_size_after_cropping": 1.0,
        "foreground_intensity_properties_per_channel": {},
    }
    planner.static_estimate_VRAM_usage = lambda patch, _i, classes, _n, kwargs, _r: activations(patch, classes, kwargs)
    planner.determine_normalization_scheme_and_whether_mask_is_used_for_norm = lambda: ([], [])
    planner.determine_resampling = lambda: (mock.MagicMock(__name__="r"), {}) * 2
    planner.determine_segmentation_softmax_export_fn = lambda: (mock.MagicMock(__name__="r"), {})
    planner.save_plans = lambda plans: None
    planner.UNet_class = dict  # only its name is asked for
    planner.determine_reader_writer = lambda: dict
    with mock.patch.object(default, "shutil"), mock.patch.object(default, "join"):
        plans = planner.plan_experiment()
    full = plans["configurations"]["3d_fullres"]
    kwargs = full["architecture"]["arch_kwargs"]
    return {
        "spacing": [float(i) for i in full["spacing"]],
        "median": [float(i) for i in full["median_image_size_in_voxels"]],
        "patch": [int(i) for i in full["patch_size"]],
        "batch": int(full["batch_size"]),
        "strides": [list(map(int, i)) for i in kwargs["strides"]],
        "kernels": [list(map(int, i)) for i in kwargs["kernel_sizes"]],
        "features": list(map(int, kwargs["features_per_stage"])),
        "transpose": plans["transpose_forward"],
        "batch_dice": bool(full["batch_dice"]),
    }


def random_case(rng, index):
    cases = int(rng.integers(1, 12))
    base = rng.uniform(0.5, 1.6, 3)
    if index % 3 > 0:
        base[rng.integers(0, 3)] *= rng.uniform(2.5, 8.0)
    spacings = base * rng.choice([1.0, 1.0, 0.75, 1.3], (cases, 3))
    extent = rng.uniform(40, 420, 3) * (3 if index % 5 == 4 else 1)
    sizes = np.maximum(6, np.round(extent / spacings * rng.uniform(0.8, 1.2, (cases, 3)))).astype(int)
    case = {
        "preset": list(PRESETS)[index % 4],
        "cases": cases,
        "classes": int(rng.integers(2, 8)),
        "spacings": [[round(float(s), 4) for s in row] for row in spacings],
        "sizes": sizes.tolist(),
    }
    if index % 7 == 6:
        case["target_spacing"] = [round(float(s), 3) for s in base * 1.5]
    return case


def topology_case(rng):
    spacing = [round(float(s), 3) for s in rng.uniform(0.4, 6.0, 3)]
    size = [int(s) for s in rng.integers(5, 300, 3)]
    _, strides, kernels, patch, divisor = get_pool_and_conv_props(spacing, size, 4, 999999)
    return {
        "spacing": spacing,
        "size": size,
        "strides": [list(s) for s in strides],
        "kernels": [list(k) for k in kernels],
        "patch": [int(p) for p in patch],
        "divisor": [int(d) for d in divisor],
    }


def main(path):
    check_activations()
    rng = np.random.default_rng(20240601)
    plans = []
    for index in range(40):
        case = random_case(rng, index)
        plans.append({"request": case, "plan": plan(case)})
    for index, preset in enumerate(PRESETS):  # cubes: every reduction breaks a tie between axes
        edge = 250 + 30 * index
        case = {"preset": preset, "cases": 50, "classes": 2, "spacings": [[1, 1, 1]], "sizes": [[edge] * 3]}
        plans.append({"request": case, "plan": plan(case)})
    vectors = {"plans": plans, "topologies": [topology_case(rng) for _ in range(60)]}
    values = rng.normal(size=11).round(6).tolist()
    vectors["percentiles"] = {
        "values": values,
        "q": [0, 0.5, 10, 33.3, 50, 77.7, 99.5, 100],
        "expected": np.percentile(values, [0, 0.5, 10, 33.3, 50, 77.7, 99.5, 100]).tolist(),
    }
    with open(path, "w") as file:
        file.write('{"topologies": [\n' + ",\n".join(json.dumps(t) for t in vectors["topologies"]) + "\n],\n")
        file.write('"plans": [\n' + ",\n".join(json.dumps(p) for p in vectors["plans"]) + "\n],\n")
        file.write('"percentiles": ' + json.dumps(vectors["percentiles"]) + "}\n")


if __name__ == "__main__":
    main(sys.argv[1])
