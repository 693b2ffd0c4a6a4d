"""The rows of the table: each makes its data, measures both sides in turn and returns lines of measuring.compare()."""
import json
import os
import shutil
import statistics
import sys

from .cohorts import Cohort, check_configuration, image_and_labels, last_json_of, parameter_count, same, write_nifti
from .measuring import Failed, compare, run

HERE = os.path.dirname(os.path.abspath(__file__))
IMPORT = os.path.join(HERE, "..", "..", "..", "data_prep", "tools", "import_nnunet.py")


def cohort_of_training(context):
    size = (16, 32, 32) if context.quick else (32, 96, 96)
    cases = [(size, (2.5, 1.25, 1.25))] * (4 if context.quick else 12)
    cohort = Cohort(context, "training", 1, cases)
    cohort.ready()
    cohort.check_prepared(cohort.prepared)
    return cohort


def preprocess(context):
    size = (12, 40, 48) if context.quick else (40, 256, 256)
    spacings = [(3.0 + 0.1 * (i % 3), 1.2 + 0.1 * (i % 4), 1.2 + 0.1 * (i % 4)) for i in range(12)]
    cohort = Cohort(context, "preprocessing", 2, [(size, s) for s in spacings[:3 if context.quick else 12]])
    cohort.plan_both()
    prepared = os.path.join(cohort.folder, "prepared")

    def ours():
        converted, done = cohort.convert(), cohort.prepare(prepared, memory=True)
        return {"s": done["wall_s"], "MiB": done["peak_mib"], "files_s": converted["wall_s"] + done["wall_s"]}

    def theirs():
        done = cohort.peer_preprocess(memory=True)
        return {"s": done["wall_s"], "MiB": done["peak_mib"]}
    found = context.turns.take({"hepar": ours, "nnunetv2": theirs})
    cohort.check_prepared(prepared)
    a, b = found["hepar"], found["nnunetv2"]
    return [compare("preprocess: cohort to set", "s", a["s"], b["s"]),
            compare("preprocess: files to set", "s", a["files_s"], b["s"]),
            compare("preprocess: peak memory", "MiB", a["MiB"], b["MiB"])]


def train_command(context, cohort, out, steps, threads, *settings):
    shutil.rmtree(out, ignore_errors=True)
    keys = [f"data.path={cohort.prepared}", f"train.steps={steps}", "train.log_every=1", f"run.threads={threads}",
            f"train.checkpoint_every={steps + 1}", "run.loader_threads=1", *settings]
    return [context.program("hepar"), "train", "--device", "cpu", "--out", out,
            *[word for key in keys for word in ("--set", key)]]


def metrics_of(out):
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def step(context):
    return train_steps(context, "with augmentation", "nnUNetTrainer", "augmentation.enabled=true")


def step_plain(context):
    return train_steps(context, "without augmentation", "nnUNetTrainerNoDA", "augmentation.enabled=false")


def train_steps(context, name, trainer, setting):
    cohort, out = cohort_of_training(context), os.path.join(context.work, "training", "run")
    warm, count = (1, 2) if context.quick else (2, 4)
    environment = {"nnUNet_n_proc_DA": "1", "OMP_NUM_THREADS": str(context.threads)}
    parameters = {}

    def ours():
        run(train_command(context, cohort, out, warm + count, context.threads, setting), log=context.log)
        parameters["hepar"] = parameter_count(os.path.join(out, "model", "weights.safetensors"))
        return {"s": statistics.median(line["step_s"] for line in metrics_of(out)[warm:])}

    def theirs():
        found = last_json_of(cohort.nnunet("steps", cohort.dataset, trainer, context.threads, warm, count,
                                           environment=environment))
        same("patches", cohort.plan()["patch_size"], found["patch"])
        same("batch sizes", cohort.plan()["batch_size"], found["batch"])
        same("threads", context.threads, found["threads"])
        same("parameters", parameters["hepar"], found["parameters"])
        return {"s": statistics.median(found["step_s"])}
    found = context.turns.take({"hepar": ours, "nnunetv2": theirs})
    return [compare(f"training step {name}", "s", found["hepar"]["s"], found["nnunetv2"]["s"])]


def loader(context):
    program = context.program("bench_loader")
    if not os.path.exists(program):
        raise Failed(f"{program}: not built; configure with -DHEPAR_BENCH=ON and build bench_loader")
    cohort = cohort_of_training(context)
    warm, count = (1, 4) if context.quick else (5, 60)

    def ours():
        seconds = 1 if context.quick else 10
        out = run([program, cohort.prepared, "--benchmark_format=json", f"--benchmark_min_time={seconds}"],
                  {"OMP_NUM_THREADS": "1"}, log=context.log)["out"]
        rates = {b["name"]: b for b in json.loads(out[out.index("{"):])["benchmarks"]}
        load, augment = rates["load/real_time"], rates["augment/real_time"]
        cut = [int(augment[f"cut_{axis}"]) for axis in "zyx"]
        return {"loader": load["items_per_second"], "augment": augment["items_per_second"],
                **{f"cut_{axis}": value for axis, value in zip("zyx", cut)}}

    def theirs():
        found = last_json_of(cohort.nnunet("loader", cohort.dataset, warm, count,
                                           environment={"nnUNet_n_proc_DA": "0"}))
        same("patches", cohort.plan()["patch_size"], found["patch"])
        return {"loader": found["patches_per_s"], "augment": found["transforms_per_s"],
                **{f"cut_{axis}": value for axis, value in zip("zyx", found["cut"])}}
    found = context.turns.take({"hepar": ours, "batchgeneratorsv2": theirs})
    a, b = found["hepar"], found["batchgeneratorsv2"]
    for axis in "zyx":
        same(f"sizes of loader patches ({axis})", a[f"cut_{axis}"][0], b[f"cut_{axis}"][0])
    return [compare(f"{what}, one core", "patches/s", a[key], b[key], lower_is_better=False)
            for what, key in (("augmentation alone", "augment"), ("loader with augmentation", "loader"))]


def model_of(context, divisor):
    """An untrained model of nnU-Net and the same imported into hepar, held equal."""
    cohort = cohort_of_training(context)
    results = os.path.join(cohort.folder, f"results_{divisor}")
    made = last_json_of(cohort.nnunet("model", cohort.dataset, divisor, environment={"nnUNet_results": results}))
    imported = os.path.join(cohort.folder, f"imported_{divisor}")
    run([sys.executable, IMPORT, "--model", made["folder"], "--out", imported, "--trust-pickle"], log=context.log)
    own = os.path.join(imported, "fold_all")
    from .cohorts import read_plan
    with open(os.path.join(made["folder"], "plans.json"), encoding="utf-8") as file:
        check_configuration(read_plan(os.path.join(own, "plan.yaml")), json.load(file)["configurations"]["3d_fullres"])
    same("parameters", parameter_count(os.path.join(own, "weights.safetensors")), made["parameters"])
    return cohort, made["folder"], own


def case_files(context, name, size, spacing):
    folder = os.path.join(context.work, name)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "case_0000.nii.gz")
    if not os.path.exists(path):
        write_nifti(path, image_and_labels(size, 99)[0], spacing)
    return folder


def hepar_predict(context, model, images, out, **how):
    shutil.rmtree(out, ignore_errors=True)
    return run([context.program("hepar"), "predict", "--model", model, "--in", images, "--out", out, "--device", "cpu",
                "--threads", context.threads, "--mirror=false"], log=context.log, **how)


def agreement(a, b):
    import nibabel
    import numpy as np
    return float((np.asarray(nibabel.load(a).dataobj) == np.asarray(nibabel.load(b).dataobj)).mean())


def predict_with(context, divisor, what):
    if context.threads != os.cpu_count():
        raise Failed(f"nnUNetv2_predict takes all {os.cpu_count()} processors: wanted --threads {os.cpu_count()}")
    cohort, folder, model = model_of(context, divisor)
    size = (20, 64, 64) if context.quick else (64, 512, 512)
    images = case_files(context, "predict_images", size, (2.5, 0.8, 0.8))
    ours_out, peer_out = (os.path.join(context.work, f"masks_{divisor}_{side}") for side in ("hepar", "nnunetv2"))

    def ours():
        done = hepar_predict(context, model, images, ours_out, memory=True)
        return {"s": done["wall_s"], "MiB": done["peak_mib"]}

    def theirs():
        shutil.rmtree(peer_out, ignore_errors=True)
        done = cohort.entry("predict", "-i", images, "-o", peer_out, "-m", folder, "-f", "all", "-device", "cpu",
                            "--disable_tta", "-npp", "1", "-nps", "1", memory=True,
                            environment={"OMP_NUM_THREADS": str(context.threads)})
        return {"s": done["wall_s"], "MiB": done["peak_mib"]}
    found = context.turns.take({"hepar": ours, "nnunetv2": theirs})
    equal = agreement(os.path.join(ours_out, "case.nii.gz"), os.path.join(peer_out, "case.nii.gz"))
    if equal < 0.99:
        raise Failed(f"masks agree in {equal:.4f} of the voxels, wanted 0.99")
    a, b = found["hepar"], found["nnunetv2"]
    return [compare(f"predict and export, {what}", "s", a["s"], b["s"]),
            compare(f"predict and export, {what}: peak memory", "MiB", a["MiB"], b["MiB"])]


def predict(context):
    return predict_with(context, 1, "plan's network")


def predict_small(context):
    return predict_with(context, 8, "features / 8")


def window(context):
    cohort, folder, model = model_of(context, 1)
    size = (24, 48, 48) if context.quick else (64, 192, 192)
    images = case_files(context, "window_images", size, cohort.plan()["spacing_mm"])
    ours_out, peer_out = os.path.join(context.work, "masks_window"), os.path.join(context.work, "window_monai.nii.gz")

    def ours():
        return {"s": hepar_predict(context, model, images, ours_out)["wall_s"]}

    def theirs():
        done = run([sys.executable, os.path.join(HERE, "monai_side.py"), folder,
                    os.path.join(images, "case_0000.nii.gz"), peer_out, context.threads],
                   {**cohort.environment, "OMP_NUM_THREADS": str(context.threads)}, log=context.log)
        return {"s": done["wall_s"], "tiles": last_json_of(done)["tiles"]}
    found = context.turns.take({"hepar": ours, "monai": theirs})
    equal = agreement(os.path.join(ours_out, "case.nii.gz"), peer_out)
    line = compare("sliding window of one file, whole process", "s", found["hepar"]["s"], found["monai"]["s"])
    return [{**line, "monai_tiles": found["monai"]["tiles"][0], "equal_voxels": equal}]


def start(context):
    cohort, out = cohort_of_training(context), os.path.join(context.work, "training", "start")
    hepar = context.program("hepar")

    def ours():
        done = run(train_command(context, cohort, out, 1, context.threads), log=context.log)
        [line] = metrics_of(out)
        written = os.stat(os.path.join(out, "metrics.jsonl")).st_mtime
        first = written - line["step_s"] + line["loader_wait_s"] - done["started"]
        plan = ["plan", "--spacing", "3,1.2,1.2", "--shape", "72,260,320", "--cases", "30", "--classes", "3",
                "--out", os.path.join(context.work, "start.yaml")]
        times = {"step": first, "help": run([hepar, "--help"])["wall_s"], "plan": run([hepar, *plan])["wall_s"]}
        if context.experiment:
            times["status"] = run([hepar, "status", "--experiment", context.experiment])["wall_s"]
        return times

    def theirs():
        done = cohort.nnunet("steps", cohort.dataset, "nnUNetTrainer", context.threads, 0, 1,
                             environment={"nnUNet_n_proc_DA": "1", "OMP_NUM_THREADS": str(context.threads)})
        return {"step": last_json_of(done)["first"] - done["started"],
                "help": cohort.entry("train", "--help")["wall_s"],
                "plan": cohort.entry("plan_experiment", "-d", cohort.number)["wall_s"]}
    found = context.turns.take({"hepar": ours, "nnunetv2": theirs})
    a, b = found["hepar"], found["nnunetv2"]
    lines = [compare(what, "s", a[key], b[key]) for what, key in
             (("start to first training step", "step"), ("--help", "help"), ("plan from a fingerprint", "plan"))]
    return lines + ([compare("status of an experiment", "s", a["status"], None)] if "status" in a else [])


ROWS = {"preprocess": preprocess, "step": step, "step_plain": step_plain, "loader": loader, "predict": predict,
        "predict_small": predict_small, "start": start, "window": window}
