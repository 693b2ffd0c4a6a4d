"""hepar beside itself: how it scales over ranks, and what memory a rank takes."""
import glob
import os
import statistics

import yaml

from .cohorts import read_plan
from .measuring import compare, run, run_together
from .rows import cohort_of_training, metrics_of, train_command

PATCHES = ((16, 48, 48), (32, 48, 48), (32, 96, 96))
BATCHES = (1, 2, 4)


def plan_with_patch(cohort, patch):
    """The cohort's plan with another patch."""
    path = os.path.join(cohort.folder, f"plan_{'x'.join(map(str, patch))}.yaml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump({**cohort.plan(), "patch_size": list(patch)}, file)
    return path


def launched(ranks):
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    return ["mpirun", *root, "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]


def train_with(context, cohort, patch, batch, steps, threads):
    """A training without augmentation, a sample a shard; where it writes and its command."""
    out = os.path.join(cohort.folder, "layout")
    return out, train_command(context, cohort, out, steps, threads, f"plan={plan_with_patch(cohort, patch)}",
                              f"train.global_batch={batch}", f"dist.shards={batch}", "augmentation.enabled=false")


def ranks(context):
    """Two ranks against one, beside what two processes that know nothing of each other reach on this machine."""
    cohort = cohort_of_training(context)
    warm, count = (1, 2) if context.quick else (2, 4)
    folder = os.path.join(context.work, "training")
    plain = ("augmentation.enabled=false",)

    def rate(out):
        return statistics.median(line["samples_per_s"] for line in metrics_of(out)[warm:])

    def command(name):
        return train_command(context, cohort, os.path.join(folder, name), warm + count, 1, *plain)

    def one():
        run(command("one"), log=context.log)
        return {"samples_per_s": rate(os.path.join(folder, "one"))}

    def two():
        run([*launched(2), *command("two")], log=context.log)
        return {"samples_per_s": rate(os.path.join(folder, "two"))}

    def apart():
        run_together([command("apart_a"), command("apart_b")])
        return {"samples_per_s": sum(rate(out) for out in sorted(glob.glob(os.path.join(folder, "apart_*"))))}
    found = context.turns.take({"one rank": one, "two ranks": two, "two processes apart": apart})
    values = {name: sides["samples_per_s"] for name, sides in found.items()}
    pairs = (("two ranks", "one rank"), ("two processes apart", "one rank"), ("two ranks", "two processes apart"))
    return [{**compare(f"{a} against {b}", "samples/s", values[a], values[b], lower_is_better=False),
             "peer_is": f"hepar, {b}"} for a, b in pairs]


def scaling(context):
    """Strong: 4 samples a step whatever the ranks; weak: 2 samples a rank. One thread a rank."""
    cohort = cohort_of_training(context)
    warm, count = (1, 2) if context.quick else (3, 8)
    patch = read_plan(os.path.join(cohort.prepared, "plan.yaml"))["patch_size"] if context.quick else PATCHES[0]

    def rate(ranks, batch):
        def measure():
            out, command = train_with(context, cohort, patch, batch, warm + count, 1)
            run([*launched(ranks), *command], log=context.log)
            return {"samples_per_s": statistics.median(line["samples_per_s"] for line in metrics_of(out)[warm:])}
        return measure
    layouts = {f"{kind} {ranks}": rate(ranks, 4 if kind == "strong" else 2 * ranks)
               for kind in ("strong", "weak") for ranks in (1, 2, 4)}
    found = {name: sides["samples_per_s"] for name, sides in context.turns.take(layouts).items()}
    return [{**compare(f"{kind} scaling, {ranks} ranks against 1", "samples/s", found[f"{kind} {ranks}"],
                       found[f"{kind} 1"], lower_is_better=False), "peer_is": "hepar, one rank"}
            for kind in ("strong", "weak") for ranks in (2, 4)]


def memory(context):
    """Of one rank, by patch and samples it holds."""
    cohort = cohort_of_training(context)
    patches = [cohort.plan()["patch_size"]] if context.quick else PATCHES

    def peak(patch, batch):
        def measure():
            _, command = train_with(context, cohort, patch, batch, 2, context.threads)
            return {"MiB": run(command, memory=True, log=context.log)["peak_mib"]}
        return measure
    layouts = {f"patch {'x'.join(map(str, patch))}, {batch} samples": peak(patch, batch)
               for patch in patches for batch in BATCHES}
    found = context.turns.take(layouts)
    return [compare(f"memory of a rank, {name}", "MiB", sides["MiB"], None) for name, sides in found.items()]


ROWS = {"ranks": ranks, "scaling": scaling, "memory": memory}
