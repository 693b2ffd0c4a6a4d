"""What runs on nnU-Net's side, in a process of its own, with nnU-Net's own classes; each prints one line of JSON.

    nnunet_side.py command NAME ...               a console command of nnunetv2, by its entry point
    nnunet_side.py shapes FOLDER                  sizes of preprocessed cases
    nnunet_side.py steps DATASET TRAINER THREADS WARM STEPS
    nnunet_side.py loader DATASET WARM BATCHES    its data loader in one thread, and its transforms alone
    nnunet_side.py model DATASET DIVISOR          an untrained model folder; features divided by DIVISOR
"""
import glob
import importlib
import json
import os
import sys
import time

ENTRIES = {"extract_fingerprint": "experiment_planning.plan_and_preprocess_entrypoints:extract_fingerprint_entry",
           "plan_experiment": "experiment_planning.plan_and_preprocess_entrypoints:plan_experiment_entry",
           "preprocess": "experiment_planning.plan_and_preprocess_entrypoints:preprocess_entry",
           "train": "run.run_training:run_training_entry",
           "predict": "inference.predict_from_raw_data:predict_entry_point_modelfolder"}
TRAINERS = {"nnUNetTrainer": "training.nnUNetTrainer.nnUNetTrainer",
            "nnUNetTrainerNoDA": "training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerNoDA"}


def answer(**values):
    print(json.dumps(values), flush=True)


def command(name, *arguments):
    module, function = ENTRIES[name].split(":")
    entry = getattr(importlib.import_module(f"nnunetv2.{module}"), function)
    sys.argv = [f"nnUNetv2_{name}", *arguments]
    entry()


def shapes(folder):
    from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class
    dataset = infer_dataset_class(folder)(folder)
    answer(shapes=[list(map(int, dataset.load_case(case)[0].shape[1:])) for case in dataset.identifiers])


def trainer_of(dataset, kind, divisor=1):
    import torch
    module = importlib.import_module(f"nnunetv2.{TRAINERS[kind]}")
    folder = os.path.join(os.environ["nnUNet_preprocessed"], dataset)
    contents = []
    for name in ("nnUNetPlans.json", "dataset.json"):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            contents.append(json.load(file))
    plans, description = contents
    plans["continue_training"] = False  # as its run_training.py gives it
    network = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    network["features_per_stage"] = [max(1, f // divisor) for f in network["features_per_stage"]]
    trainer = getattr(module, kind)(plans, "3d_fullres", "all", description, device=torch.device("cpu"))
    trainer.initialize()
    return trainer


def steps(dataset, kind, threads, warm, count):
    import torch
    torch.set_num_threads(int(threads))
    trainer = trainer_of(dataset, kind)
    train, validation = trainer.get_dataloaders()
    trainer.set_deep_supervision_enabled(trainer.enable_deep_supervision)
    trainer.network.train()
    batch = next(train)
    first, taken = time.time(), []
    for step in range(int(warm) + int(count)):
        start = time.perf_counter()
        loss = float(trainer.train_step(batch)["loss"])
        if step + 1 < int(warm) + int(count):
            batch = next(train)  # the wait for the loader belongs to the step
        taken.append(time.perf_counter() - start)
    for loader in (train, validation):
        if hasattr(loader, "_finish"):
            loader._finish()
    answer(first=first, step_s=taken[int(warm):], loss=loss, patch=list(batch["data"].shape[2:]),
           batch=int(batch["data"].shape[0]), threads=torch.get_num_threads(),
           parameters=sum(p.numel() for p in trainer.network.parameters()))


def loader(dataset, warm, count):
    import torch
    torch.set_num_threads(1)
    trainer = trainer_of(dataset, "nnUNetTrainer")
    train, _ = trainer.get_dataloaders()  # nnUNet_n_proc_DA=0: in this thread
    for _ in range(int(warm)):
        next(train)
    start = time.perf_counter()
    for _ in range(int(count)):
        batch = next(train)
    whole = time.perf_counter() - start

    rotation, planar, cut, mirror = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    transforms = trainer.get_training_transforms(
        trainer.configuration_manager.patch_size, rotation, trainer._get_deep_supervision_scales(), mirror, planar,
        use_mask_for_norm=trainer.configuration_manager.use_mask_for_norm,
        foreground_labels=trainer.label_manager.foreground_labels)
    image = torch.randn((1, *map(int, cut)))
    labels = torch.randint(0, 3, (1, *map(int, cut)), dtype=torch.int16)
    patches, alone = int(count) * trainer.batch_size, 0.0
    for _ in range(patches):
        sample = {"image": image.clone(), "segmentation": labels.clone()}
        start = time.perf_counter()
        transforms(**sample)
        alone += time.perf_counter() - start
    answer(patches_per_s=patches / whole, transforms_per_s=patches / alone, cut=list(map(int, cut)),
           patch=list(batch["data"].shape[2:]))


def model(dataset, divisor):
    trainer = trainer_of(dataset, "nnUNetTrainer", int(divisor))
    trainer.set_deep_supervision_enabled(False)
    trainer.inference_allowed_mirroring_axes = (0, 1, 2)
    os.makedirs(trainer.output_folder, exist_ok=True)
    for name, content in (("plans", trainer.plans_manager.plans), ("dataset", trainer.dataset_json)):
        with open(os.path.join(trainer.output_folder_base, f"{name}.json"), "w", encoding="utf-8") as file:
            json.dump(content, file)
    trainer.save_checkpoint(os.path.join(trainer.output_folder, "checkpoint_final.pth"))
    answer(folder=trainer.output_folder_base, parameters=sum(p.numel() for p in trainer.network.parameters()),
           checkpoints=glob.glob(os.path.join(trainer.output_folder, "*.pth")))


if __name__ == "__main__":  # nnU-Net's worker processes import this file
    sys.path.pop(0)
    {"command": command, "shapes": shapes, "steps": steps, "loader": loader, "model": model}[sys.argv[1]](*sys.argv[2:])
