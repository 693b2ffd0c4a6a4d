"""Model folders for `hepar predict --model` from a trained nnU-Net v2 model.

Reads a trained-model folder (plans.json, dataset.json, fold_X/checkpoint_final.pth) and writes OUT/fold_X/
{weights.safetensors, plan.yaml, model.json}, with --splits also lineage.json. What hepar would compute in
another way than nnU-Net (2D, cascades, other resampling, other blocks) is refused, not approximated.
Needs torch, numpy and safetensors (PyPI); nnunetv2 itself is not needed.

    python3 data_prep/tools/import_nnunet.py --model nnUNetTrainer__nnUNetPlans__3d_fullres --out imported
    hepar predict --model imported/fold_0,imported/fold_1 --in images --out masks
"""
import argparse
import json
import os
import pickle
import shutil
import sys

import numpy as np
import torch
from safetensors.torch import save_file

NORMALIZATION = {"ZScoreNormalization": "zscore", "CTNormalization": "ct", "NoNormalization": "none",
                 "RescaleTo01Normalization": "rescale01"}
ORIENTATION = {"SimpleITKIO": "native", "NibabelIO": "native", "SimpleITKIOWithReorient": "canonical",
               "NibabelIOWithReorient": "canonical"}
RESAMPLING = {"data": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
              "probabilities": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}}


class Refused(Exception):
    """What cannot be imported, and why."""


def want(holds, message):
    if not holds:
        raise Refused(message)


def read_json(path):
    want(os.path.isfile(path), f"{path}: no such file; wanted a trained-model folder of nnU-Net v2")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def configuration_of(plans, name):
    """One configuration with what it inherits."""
    merged, chain = {}, []
    while name is not None:
        want(name in plans["configurations"], f"plans.json: no configuration '{name}'")
        want(name not in chain, f"plans.json: configuration '{name}' inherits from itself")
        chain.append(name)
        own = plans["configurations"][name]
        merged = {**own, **merged}
        name = own.get("inherits_from")
    return merged


def per_stage(value, n):
    return [value] * n if isinstance(value, int) else list(value)


def old_architecture(configuration):
    """Plans older than v2.4 name the network and its numbers side by side."""
    convs = configuration["n_conv_per_stage_encoder"]
    kind = configuration["UNet_class_name"]
    blocks = "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"
    return kind, {"n_stages": len(convs), blocks: convs,
                  "features_per_stage": [min(configuration["UNet_base_num_features"] * 2 ** i,
                                             configuration["unet_max_num_features"]) for i in range(len(convs))],
                  "kernel_sizes": configuration["conv_kernel_sizes"],
                  "strides": configuration["pool_op_kernel_sizes"],
                  "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"]}


def check_blocks(arch):
    """Options of the network that hepar's blocks do not have."""
    wanted = {"conv_op": "torch.nn.modules.conv.Conv3d", "conv_bias": True, "dropout_op": None,
              "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
              "norm_op_kwargs": {"eps": 1e-5, "affine": True}, "nonlin": "torch.nn.LeakyReLU"}
    for key, value in wanted.items():
        want(arch.get(key, value) == value, f"plans.json: architecture {key}: wanted {value}, found {arch.get(key)}")
    slope = (arch.get("nonlin_kwargs") or {}).get("negative_slope", 0.01)
    want(slope == 0.01, f"plans.json: architecture negative_slope: wanted 0.01, found {slope}")
    want(not arch.get("nonlin_first"), "plans.json: architecture nonlin_first: wanted false")
    for key in ("stem_channels", "bottleneck_channels", "squeeze_excitation", "stochastic_depth_p"):
        want(not arch.get(key), f"plans.json: architecture {key} = {arch.get(key)} is not supported")


def network_keys(configuration):
    """architecture … convs_per_decoder_level of plan.yaml."""
    if "architecture" in configuration:
        kind = configuration["architecture"]["network_class_name"].rsplit(".", 1)[-1]
        arch = configuration["architecture"]["arch_kwargs"]
    else:
        kind, arch = old_architecture(configuration)
    kinds = {"PlainConvUNet": "plain", "ResidualEncoderUNet": "resenc"}
    want(kind in kinds, f"plans.json: network {kind}: wanted PlainConvUNet or ResidualEncoderUNet")
    check_blocks(arch)
    n = arch["n_stages"]
    blocks = arch["n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"]
    triples = {"strides": arch["strides"], "kernels": arch["kernel_sizes"]}
    for key, value in triples.items():
        triples[key] = [[int(v) for v in per_stage(item, 3)] for item in per_stage(value, n)]
    features = arch["features_per_stage"]
    return {**triples,
            "features": [features * 2 ** i for i in range(n)] if isinstance(features, int) else list(features),
            "architecture": kinds[kind],
            "blocks_per_stage": per_stage(blocks, n),
            "convs_per_decoder_level": per_stage(arch["n_conv_per_stage_decoder"], n - 1)}


def normalization_of(plans, configuration, n):
    properties = plans.get("foreground_intensity_properties_per_channel",
                           plans.get("foreground_intensity_properties_by_modality", {}))
    schemes = configuration["normalization_schemes"]
    want(len(schemes) == n, f"plans.json: {len(schemes)} normalization_schemes for {n} channels")
    rules = []
    for i, scheme in enumerate(schemes):
        want(scheme in NORMALIZATION, f"plans.json: normalisation {scheme}: wanted one of {sorted(NORMALIZATION)}")
        kind = NORMALIZATION[scheme]
        if kind == "zscore" and configuration["use_mask_for_norm"][i]:
            kind = "zscore_masked"
        rule = {"kind": kind}
        if kind == "ct":
            rule.update({key: properties[str(i)][key] for key in ("mean", "std", "percentile_00_5", "percentile_99_5")})
        rules.append(rule)
    return rules


def check_preprocessing(configuration):
    want(len(configuration["patch_size"]) == 3, "a 2D configuration; wanted a 3D one")
    want(not configuration.get("previous_stage"), "a cascade's second stage needs masks of its first; wanted 3d_fullres "
         "or 3d_lowres")
    want(configuration.get("preprocessor_name", "DefaultPreprocessor") == "DefaultPreprocessor",
         f"plans.json: preprocessor {configuration.get('preprocessor_name')}: wanted DefaultPreprocessor")
    for what, wanted in RESAMPLING.items():
        name = configuration[f"resampling_fn_{what}"]
        want(name == "resample_data_or_seg_to_shape",
             f"plans.json: resampling_fn_{what}: wanted resample_data_or_seg_to_shape, found {name}")
        found = {**wanted, **configuration[f"resampling_fn_{what}_kwargs"]}
        want(found == wanted, f"plans.json: resampling_fn_{what}_kwargs: wanted {wanted}, found {found}")


def labels_of(dataset):
    """Class names, background first, and hepar's regions ("a+b", the class that is written first)."""
    labels = {name: value for name, value in dataset["labels"].items() if name != "ignore"}
    sets = {name: [int(v) for v in value] if isinstance(value, list) else [int(value)]
            for name, value in labels.items()}
    numbers = sorted({v for values in sets.values() for v in values})
    want(numbers == list(range(len(numbers))), f"dataset.json: labels {numbers}: wanted 0, 1, 2 … without a gap")
    classes = {v: f"label_{v}" for v in numbers}
    classes.update({values[0]: name for name, values in sets.items() if len(values) == 1})
    classes[0] = "background"
    for name in classes.values():
        want("+" not in name, f"dataset.json: label '{name}': '+' joins classes to regions in hepar")
    regions = []
    if any(len(values) > 1 for values in sets.values()):
        parts = [values for values in sets.values() if set(values) != {0}]
        for values, written in zip(parts, dataset["regions_class_order"]):
            want(written in values and 0 not in values,
                 f"dataset.json: region {values} is written as {written}: wanted one of its own labels")
            ordered = [written] + [v for v in values if v != written]
            regions.append("+".join(classes[v] for v in ordered))
    return [classes[v] for v in numbers], regions


def plan_of(plans, dataset, configuration):
    """plan.yaml as a mapping, and the model's regions."""
    check_preprocessing(configuration)
    channels = dataset.get("channel_names", dataset.get("modality"))
    names = [channels[str(i)] for i in range(len(channels))]
    classes, regions = labels_of(dataset)
    batch = int(configuration.get("batch_size", 2))
    plan = {"spacing_mm": [float(v) for v in configuration["spacing"]],
            "median_shape": [max(1, round(v)) for v in configuration["median_image_size_in_voxels"]],
            "patch_size": [int(v) for v in configuration["patch_size"]],
            "batch_size": batch,
            **network_keys(configuration),
            "normalization": normalization_of(plans, configuration, len(names)),
            "channels": names,
            "classes": classes,
            "transpose": plans["transpose_forward"],
            "batch_dice": bool(configuration.get("batch_dice", False)),
            "shards": 1 << (batch.bit_length() - 1)}
    return plan, regions


def load_checkpoint(path, trusted):
    """The checkpoint's mapping; without `trusted` no code in the file is run."""
    want(os.path.isfile(path), f"{path}: no such file")
    scalars = [np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType, np.dtypes.Int64DType]
    scalars.append(getattr(np, "_core", getattr(np, "core", None)).multiarray.scalar)
    # numpy < 2 pickled the same function under its older module.
    scalars.append((scalars[-1], "numpy.core.multiarray.scalar"))
    try:
        with torch.serialization.safe_globals(scalars):
            return torch.load(path, map_location="cpu", weights_only=not trusted)
    except pickle.UnpicklingError as error:
        raise Refused(f"{path}: holds more than numbers and names ({error}); if you trust its source, "
                      "give --trust-pickle") from error


def weights_of(checkpoint):
    """hepar's parameters: nnU-Net's without the names it registers twice."""
    weights = {}
    for name, tensor in checkpoint["network_weights"].items():
        for prefix in ("_orig_mod.", "module."):
            name = name.removeprefix(prefix)
        if ".all_modules." not in name and not name.startswith("decoder.encoder."):
            want("running_mean" not in name, "the network has batch norms; wanted instance norms")
            weights[name] = tensor.detach().float().contiguous().clone()
    return weights


def identity(case):
    return {"cohort": "", "case": case, "images": []}


def write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def import_fold(arguments, fold):
    """Writes OUT/fold_X under a temporary name and renames it."""
    plans = read_json(os.path.join(arguments.model, "plans.json"))
    dataset = read_json(os.path.join(arguments.model, "dataset.json"))
    path = os.path.join(arguments.model, f"fold_{fold}", arguments.checkpoint)
    checkpoint = load_checkpoint(path, arguments.trust_pickle)
    name = checkpoint["init_args"]["configuration"]
    plan, regions = plan_of(plans, dataset, configuration_of(plans, name))
    reader = plans.get("image_reader_writer", "SimpleITKIO")
    want(reader in ORIENTATION, f"plans.json: reader {reader}: wanted one of {sorted(ORIENTATION)}")
    split = None
    if arguments.splits and fold != "all":
        split = read_json(arguments.splits)[int(fold)]
    model = {"format": 1, "task": "segmentation", "orientation": ORIENTATION[reader], "regions": regions,
             "mirror_axes": sorted(checkpoint.get("inference_allowed_mirroring_axes") or []),
             "held_out": [identity(case) for case in split["val"]] if split else [],
             "tool_version": "import_nnunet",
             "imported": {"dataset": plans.get("dataset_name"), "plans": plans.get("plans_name"), "configuration": name,
                          "trainer": checkpoint.get("trainer_name"), "epoch": checkpoint.get("current_epoch"),
                          "checkpoint": os.path.basename(path), "fold": str(fold)}}
    target = os.path.join(arguments.out, f"fold_{fold}")
    temporary = os.path.join(arguments.out, f".tmp-fold_{fold}")
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(temporary)
    save_file(weights_of(checkpoint), os.path.join(temporary, "weights.safetensors"))
    write_text(os.path.join(temporary, "plan.yaml"),
               "".join(f"{key}: {json.dumps(value)}\n" for key, value in plan.items()))
    write_text(os.path.join(temporary, "model.json"), json.dumps(model, indent=2) + "\n")
    if split:
        uses = [{**identity(case), "use": use} for case in split["train"] for use in ("image", "mask")]
        write_text(os.path.join(temporary, "lineage.json"), json.dumps({"format": 1, "uses": uses}, indent=2) + "\n")
    shutil.rmtree(target, ignore_errors=True)
    os.rename(temporary, target)
    return target


def folds_of(arguments):
    if arguments.folds:
        return arguments.folds.split(",")
    want(os.path.isdir(arguments.model), f"{arguments.model}: no such folder")
    found = sorted(name[5:] for name in os.listdir(arguments.model)
                   if name.startswith("fold_")
                   and os.path.isfile(os.path.join(arguments.model, name, arguments.checkpoint)))
    found = [fold for fold in found if fold != "all"] or found  # as nnU-Net: `all` only where it is alone
    want(found, f"{arguments.model}: no fold_X/{arguments.checkpoint}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="trained-model folder (…/nnUNetTrainer__nnUNetPlans__3d_fullres)")
    parser.add_argument("--out", required=True, help="folder to write fold_X model folders into")
    parser.add_argument("--folds", default="", help="e.g. 0,1 or all; default: all numbered folds found")
    parser.add_argument("--checkpoint", default="checkpoint_final.pth")
    parser.add_argument("--splits", default="", help="nnU-Net's splits_final.json: records which cases each fold saw "
                        "and kept out, for `predict --held-out` and for `evaluate` to refuse training cases")
    parser.add_argument("--trust-pickle", action="store_true", help="run code inside the checkpoint (a pickle)")
    arguments = parser.parse_args()
    try:
        folders = [import_fold(arguments, fold) for fold in folds_of(arguments)]
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    print(f"hepar predict --model {','.join(folders)} --in IMAGES --out MASKS")
    return 0


if __name__ == "__main__":
    sys.exit(main())
