#!/usr/bin/env python3
"""hepar beside nnU-Net v2, batchgeneratorsv2 and MONAI: the same work, measured in turn on this machine.

    peers.py --programs build/cpu/bin --work FOLDER [--rows step,predict] [--quick]

Makes FOLDER/venv with peers_requirements.txt (once; --python uses an interpreter that has them), synthetic data, and
runs hepar and the peer alternately, so that a change of the machine's load meets both. Prints a table and writes
FOLDER/peers.json with every single value of the last run of each row. A row whose two sides do not have the same plan, patch, batch or number of
parameters fails; the others go on, and the exit code is 1. docs/performance.md says what each row means.
"""
import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
ROW_NAMES = ("preprocess", "step", "step_plain", "loader", "predict", "predict_small", "start", "window", "ranks", "scaling",
             "memory")
PACKAGES = ("torch", "nnunetv2", "batchgeneratorsv2", "dynamic-network-architectures", "monai", "numpy", "scipy",
            "scikit-image", "SimpleITK")
BUSY = 0.1  # share of the processors used by others from which a row is called loaded


def rows_of(text):
    names = text.split(",")
    for name in names:
        if name not in ROW_NAMES:
            raise argparse.ArgumentTypeError(f"{name}: wanted some of {','.join(ROW_NAMES)}")
    return names


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="folder of hepar, hepar-engine, hepar-prep, bench_loader")
    parser.add_argument("--work", required=True, help="folder for everything that is made; reused when there")
    parser.add_argument("--rows", type=rows_of, default=list(ROW_NAMES), help=f"rows: {','.join(ROW_NAMES)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, says nothing of speed")
    parser.add_argument("--repeats", type=int, default=0, help="turns a row; default 5, with --quick 1")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads or processes of either side")
    parser.add_argument("--python", default="", help="interpreter that has the peers; default: a virtual environment")
    parser.add_argument("--experiment", default="", help="folder of `hepar run`, for the time of `hepar status`")
    return parser.parse_args()


def peers_python(arguments):
    """The interpreter with the peers; makes its environment the first time."""
    if arguments.python:
        return os.path.abspath(arguments.python)
    folder = os.path.join(arguments.work, "venv")
    python, done = os.path.join(folder, "bin", "python"), os.path.join(folder, "complete")
    if not os.path.exists(done):
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-r", os.path.join(HERE, "peers_requirements.txt")], check=True)
        with open(done, "w", encoding="utf-8"):
            pass
    return python


class Context:
    """What a row needs to know."""

    def __init__(self, arguments, turns):
        self.work, self.programs = os.path.abspath(arguments.work), os.path.abspath(arguments.programs)
        if arguments.quick:
            self.work = os.path.join(self.work, "quick")
        self.quick, self.threads, self.turns = arguments.quick, arguments.threads, turns
        self.experiment, self.log = arguments.experiment, os.path.join(self.work, "log.txt")
        os.makedirs(self.work, exist_ok=True)

    def program(self, name):
        return os.path.join(self.programs, name)


def say(text):
    print(text, file=sys.stderr, flush=True)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


def versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return {"python": platform.python_version(), **found}


def shown(side):
    return f"{side['median']:.4g} ({side['min']:.4g} to {side['max']:.4g})" if side else ""


def table(lines):
    rows = [("row", "unit", "hepar", "peer", "times better", "")]
    for line in lines:
        ratio = line.get("ratio")
        rows.append((line["row"], line["unit"], shown(line["hepar"]), shown(line.get("peer")),
                     f"{ratio['of_medians']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else "",
                     "loaded machine" if line["busy"] > BUSY else ""))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def measure(name, arguments):
    """What is known of one row afterwards: its lines, or why it failed."""
    from peer_rows import layouts, rows
    from peer_rows.measuring import Failed, Turns
    turns = Turns(arguments.repeats or (1 if arguments.quick else 5), say)
    say(f"{name}:")
    try:
        found = {**rows.ROWS, **layouts.ROWS}[name](Context(arguments, turns))
    except Failed as error:
        say(f"  FAILED: {error}")
        return {"failed": str(error), "lines": []}
    return {"lines": [{**line, "busy": max(turns.busy)} for line in found]}


def hepar_version(programs):
    done = subprocess.run([os.path.join(programs, "hepar"), "--help"], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split(":")[0]


def store(path, name, row):
    """Puts a row among those of earlier runs."""
    rows = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)
    rows[name] = row
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)
    os.replace(path + ".new", path)


def main():
    arguments = parse()
    os.makedirs(arguments.work, exist_ok=True)
    python = peers_python(arguments)
    if os.path.abspath(sys.executable) != python:
        os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:], "--python", python])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is being measured ends too
    path = os.path.join(arguments.work, "peers_quick.json" if arguments.quick else "peers.json")
    about = {"threads": arguments.threads, "hepar": hepar_version(arguments.programs), "processor": processor(),
             "processors": os.cpu_count(), "kernel": platform.release(), "versions": versions()}
    lines, failed = [], 0
    for name in arguments.rows:
        when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        row = measure(name, arguments)
        store(path, name, {"when": when, **about, **row})
        lines += row["lines"]
        failed += "failed" in row
    print(table(lines))
    print(f"{about['hepar']}, {about['processor']}, {arguments.threads} thread(s); {path}")
    if arguments.quick:
        print("--quick: sizes at which these times say nothing")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
