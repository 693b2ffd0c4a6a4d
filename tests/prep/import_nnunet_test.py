"""What data_prep/tools/import_nnunet.py refuses, and how it names labels, regions and cases. Needs torch and
safetensors; that its models predict as nnU-Net does is tests/oracle/compare_nnunet.py's part."""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

import torch
from safetensors.torch import load_file

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data_prep", "tools")
sys.path.insert(0, TOOLS)
import import_nnunet as tool  # noqa: E402

RESAMPLING = {"order": 3, "order_z": 0, "force_separate_z": None, "is_seg": False}
CONFIGURATION = {
    "preprocessor_name": "DefaultPreprocessor", "batch_size": 5, "patch_size": [16, 32, 32],
    "median_image_size_in_voxels": [20.5, 40.0, 40.0], "spacing": [3.0, 1.0, 1.1],
    "normalization_schemes": ["CTNormalization", "ZScoreNormalization"], "use_mask_for_norm": [False, True],
    "resampling_fn_data": "resample_data_or_seg_to_shape", "resampling_fn_data_kwargs": RESAMPLING,
    "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
    "resampling_fn_probabilities_kwargs": {**RESAMPLING, "order": 1},
    "architecture": {"network_class_name": "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet",
                     "arch_kwargs": {"n_stages": 2, "features_per_stage": [4, 8], "kernel_sizes": [[1, 3, 3], 3],
                                     "strides": [1, [1, 2, 2]], "n_blocks_per_stage": 2,
                                     "n_conv_per_stage_decoder": 1, "conv_bias": True, "nonlin_kwargs": {}}}}
INTENSITY = {"mean": 1.5, "std": 2.0, "percentile_00_5": -3.0, "percentile_99_5": 9.0}
PLANS = {"transpose_forward": [2, 0, 1], "image_reader_writer": "NibabelIOWithReorient",
         "foreground_intensity_properties_per_channel": {"0": INTENSITY, "1": INTENSITY},
         "configurations": {"base": CONFIGURATION, "3d": {"inherits_from": "base", "batch_size": 3}}}
DATASET = {"channel_names": {"0": "CT", "1": "T2"}, "labels": {"background": 0, "liver": 1, "spleen": 2, "ignore": 3}}


class Danger:
    def __reduce__(self):
        return os.system, ("touch DANGER",)


class Import(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.plans, self.dataset = copy.deepcopy(PLANS), copy.deepcopy(DATASET)
        self.checkpoint = {"network_weights": {"_orig_mod.encoder.a.weight": torch.ones(2), "decoder.encoder.a.weight":
                                               torch.ones(2), "encoder.a.all_modules.0.weight": torch.ones(2)},
                           "init_args": {"configuration": "3d"}, "inference_allowed_mirroring_axes": (2, 0),
                           "trainer_name": "nnUNetTrainer", "current_epoch": 7}

    def run_tool(self, *options):
        os.makedirs(os.path.join(self.folder, "fold_1"), exist_ok=True)
        for name, content in (("plans", self.plans), ("dataset", self.dataset)):
            with open(os.path.join(self.folder, f"{name}.json"), "w", encoding="utf-8") as file:
                json.dump(content, file)
        torch.save(self.checkpoint, os.path.join(self.folder, "fold_1", "checkpoint_final.pth"))
        command = [sys.executable, tool.__file__, "--model", self.folder, "--out", os.path.join(self.folder, "out")]
        return subprocess.run(command + list(options), capture_output=True, text=True, cwd=self.folder, check=False)

    def refused(self, text):
        with self.assertRaisesRegex(tool.Refused, text):
            tool.plan_of(self.plans, self.dataset, tool.configuration_of(self.plans, "3d"))

    def test_plan(self):
        plan, regions = tool.plan_of(self.plans, self.dataset, tool.configuration_of(self.plans, "3d"))
        self.assertEqual(regions, [])
        self.assertEqual(plan["classes"], ["background", "liver", "spleen"])
        self.assertEqual(plan["batch_size"], 3)
        self.assertEqual(plan["shards"], 2)
        self.assertEqual(plan["normalization"], [{"kind": "ct", **INTENSITY}, {"kind": "zscore_masked"}])
        self.assertEqual(plan["kernels"], [[1, 3, 3], [3, 3, 3]])
        self.assertEqual(plan["blocks_per_stage"], [2, 2])
        self.assertEqual(plan["median_shape"], [20, 40, 40])

    def test_regions(self):
        self.dataset["labels"] = {"background": 0, "whole": [1, 2], "core": [2]}
        self.dataset["regions_class_order"] = [1, 2]
        self.assertEqual(tool.labels_of(self.dataset), (["background", "label_1", "core"], ["label_1+core", "core"]))
        self.dataset["regions_class_order"] = [3, 2]
        self.refused("is written as 3")

    def test_what_would_be_computed_in_another_way(self):
        cases = [("patch_size", [64, 64], "2D"), ("previous_stage", "3d_lowres", "cascade"),
                 ("preprocessor_name", "Mine", "preprocessor Mine"),
                 ("resampling_fn_data", "resample_torch_fornnunet", "resampling_fn_data"),
                 ("resampling_fn_probabilities_kwargs", {**RESAMPLING, "order": 0}, "resampling_fn_probabilities"),
                 ("normalization_schemes", ["CTNormalization", "RGBTo01Normalization"], "RGBTo01")]
        for key, value, text in cases:
            with self.subTest(key):
                self.plans = copy.deepcopy(PLANS)
                self.plans["configurations"]["base"][key] = value
                self.refused(text)
        for key, value in (("norm_op", "torch.nn.BatchNorm3d"), ("conv_bias", False), ("stem_channels", 5),
                           ("nonlin_kwargs", {"negative_slope": 0.2})):
            with self.subTest(key):
                self.plans = copy.deepcopy(PLANS)
                self.plans["configurations"]["base"]["architecture"]["arch_kwargs"][key] = value
                self.refused("architecture")

    def test_labels_without_gap(self):
        self.dataset["labels"] = {"background": 0, "liver": 2}
        self.refused("without a gap")

    def test_folder(self):
        with open(os.path.join(self.folder, "splits.json"), "w", encoding="utf-8") as file:
            json.dump([{"train": [], "val": []}, {"train": ["a", "b"], "val": ["c"]}], file)
        done = self.run_tool("--splits", os.path.join(self.folder, "splits.json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        out = os.path.join(self.folder, "out", "fold_1")
        self.assertIn(f"hepar predict --model {out}", done.stdout)
        self.assertEqual(list(load_file(os.path.join(out, "weights.safetensors"))), ["encoder.a.weight"])
        model = tool.read_json(os.path.join(out, "model.json"))
        self.assertEqual((model["orientation"], model["mirror_axes"]), ("canonical", [0, 2]))
        self.assertEqual([item["case"] for item in model["held_out"]], ["c"])
        uses = tool.read_json(os.path.join(out, "lineage.json"))["uses"]
        self.assertEqual({(use["case"], use["use"]) for use in uses},
                         {("a", "image"), ("a", "mask"), ("b", "image"), ("b", "mask")})

    def test_runs_no_code_of_the_file(self):
        self.checkpoint["logging"] = Danger()
        done = self.run_tool()
        self.assertEqual(done.returncode, 3)
        self.assertIn("--trust-pickle", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "DANGER")))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "out", "fold_1")))

    def test_says_what_is_missing(self):
        os.makedirs(os.path.join(self.folder, "nothing"))
        command = [sys.executable, tool.__file__, "--model", os.path.join(self.folder, "nothing"), "--out", self.folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("no fold_X/checkpoint_final.pth", done.stderr)


if __name__ == "__main__":
    unittest.main()
