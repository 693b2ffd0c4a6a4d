"""Runs programs, with their wall time and the memory of their whole process tree; takes sides in turn."""
import contextlib
import json
import os
import signal
import statistics
import subprocess
import threading
import time


class Failed(Exception):
    """A side did not do its work; the text holds the end of its output."""


def session_pids(session):
    pids = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            pids.append(int(name))
    return pids


def proportional_kib(pid):
    """Memory of a process in which what n processes share counts 1/n; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


class MemoryWatch(threading.Thread):
    """The largest sum over a session's processes that was seen, ten times a second."""

    def __init__(self, session):
        super().__init__(daemon=True)
        self.session, self.peak_mib, self.over = session, 0.0, threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            self.peak_mib = max(self.peak_mib, sum(map(proportional_kib, session_pids(self.session))) / 1024)

    def stop(self):
        self.over.set()
        self.join()
        return self.peak_mib


def start(command, env):
    """A program in a session of its own: its processes are found also when their parents have ended."""
    return subprocess.Popen([str(c) for c in command], env=env, start_new_session=True, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@contextlib.contextmanager
def ended(processes):
    """Leaves none of these running when the measurement is broken off."""
    try:
        yield
    except BaseException:
        for pid in [pid for process in processes for pid in session_pids(process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise


def run(command, environment=None, memory=False, log=None):
    """{"wall_s", "out", "started"[, "peak_mib"]} of a program that must end well."""
    env = {**os.environ, **(environment or {})}
    started, clock = time.time(), time.perf_counter()
    process = start(command, env)
    watch = MemoryWatch(process.pid) if memory else None
    if watch:
        watch.start()
    with ended([process]):
        out, _ = process.communicate()
    wall = time.perf_counter() - clock
    found = {"wall_s": wall, "out": out, "started": started}
    if watch:
        found["peak_mib"] = watch.stop()
    if log:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(map(str, command))}\n{out}\n")
    if process.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{out[-3000:]}")
    return found


def run_together(commands, environment=None):
    """Programs started at once; returns when all have ended."""
    env = {**os.environ, **(environment or {})}
    running = [start(command, env) for command in commands]
    with ended(running):
        for process, command in zip(running, commands):
            out, _ = process.communicate()
            if process.returncode != 0:
                raise Failed(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{out[-3000:]}")


def last_json(out):
    """The last line of an output that is a JSON object: what our scripts on the peer's side print."""
    for line in reversed(out.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise Failed(f"wanted a line of JSON, found:\n{out[-2000:]}")


def busy_share(seconds=1.0):
    """Share of the machine's processors that others use now, while nothing of ours runs."""
    def ticks():
        with open("/proc/stat", encoding="utf-8") as file:
            values = [int(v) for v in file.readline().split()[1:9]]
        return sum(values), values[3] + values[4]
    total, idle = ticks()
    time.sleep(seconds)
    total_after, idle_after = ticks()
    return 1 - (idle_after - idle) / max(1, total_after - total)


class Turns:
    """Sides measured in turn, A B A B …; each side is a function that returns {quantity: number}."""

    def __init__(self, repeats, say):
        self.repeats, self.say, self.busy = repeats, say, []

    def take(self, sides):
        """{side: {quantity: [a number a turn]}}"""
        found = {name: {} for name in sides}
        for turn in range(self.repeats):
            self.busy.append(busy_share())
            for name, measure in sides.items():
                numbers = measure()
                for quantity, value in numbers.items():
                    found[name].setdefault(quantity, []).append(value)
                shown = ", ".join(f"{q} {v:.4g}" for q, v in numbers.items())
                self.say(f"  {turn + 1}/{self.repeats} {name}: {shown}")
        return found


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": list(values)}


def compare(name, unit, hepar, peer, lower_is_better=True):
    """One line of the table; the ratio says how many times better hepar is."""
    line = {"row": name, "unit": unit, "hepar": summary(hepar)}
    if peer is not None:
        line["peer"] = summary(peer)
        ratios = [p / h if lower_is_better else h / p for h, p in zip(hepar, peer)]
        a, b = line["hepar"]["median"], line["peer"]["median"]
        line["ratio"] = {"of_medians": b / a if lower_is_better else a / b, "min": min(ratios), "max": max(ratios)}
    return line
