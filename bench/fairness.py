"""What domains that compete get of one processor, in counted time: shares by weight and cap, wake-ups, and what floods leave for others."""
import os
import re
import subprocess

from common import ROOT, run
from toolstack import configuration, run_domains

MEMORY = 8
CPU = ["--cpu", "max,-smap", "--icount"]
FLOODS = ["events", "lines", "ring", "calls", "updates", "timers", "wakes", "yields", "memory"]

# What is asked, and of each domain its name, its guest, its weight, its cap and its line. Names are in the order in which the domains are made.
CASES = {
    "weights 256 and 512": [("1light", "share", 256, 0, ""), ("2heavy", "share", 512, 0, "")],
    "cap 25 %, alone": [("1capped", "share", 256, 25, "")],
    "cap 25 %, beside one without": [("1capped", "share", 256, 25, ""), ("2other", "share", 256, 0, "")],
    "every 10 ms awake, beside four that compute": [*((f"{n}hog", "share", 256, 0, "") for n in (1, 2, 3, 4)), ("5sleeper", "share", 256, 0, "every=10000")],
}
SPAN = {"xenolith": (100, 3100), "xen": (150_000, 153_000)}


def measure(system: str, case: str, domains: list, ends: tuple[int, int]) -> list[str]:
    """Runs the domains for that span (ms of the hypervisor's time) and gives what each says of it."""
    log = f"fairness-{system}-{re.sub('[^a-z0-9]+', '-', case)}"
    lines = {name: f"begin={ends[0]} end={ends[1]} {line}" for name, _, _, _, line in domains}
    paths = {guest: os.path.join(ROOT, "out", "guests", f"{guest}.elf") for _, guest, _, _, _ in domains}
    sharing = sum(guest == "share" for _, guest, _, _, _ in domains)
    if system == "xen":
        texts = {name: configuration(name, MEMORY, guest, "", lines[name], f"cpu_weight = {weight}\ncap = {cap}\n") for name, guest, weight, cap, _ in domains}
        said = run_domains(log, texts, paths, "] GUEST share: ", 3000, sharing)
    else:
        arguments = ["--kernel", "none", "--memory", "128", *CPU]
        for name, guest, weight, cap, _ in domains:
            options = f"weight={weight}" + (f" cap={cap}" if cap else "")
            arguments += ["--domain", f"{name} kernel={paths[guest]} ramdisk=none memory={MEMORY} {options} -- {lines[name]}"]
        said = run(log, arguments, "] GUEST share: ", 600, sharing)
    return [match[0] for _, line in said if (match := re.search(r"\[\w+\] SHARE .*", line))]


def brief(line: str) -> str:
    """`[1light] SHARE work 3333 ...` as `light 33.3 %`."""
    if m := re.match(r"\[\d?(\w+)\] SHARE work (\d+) ", line):
        return f"{m[1]} {int(m[2]) / 100:.1f} %"
    m = re.match(r"\[\d?(\w+)\] SHARE wakes (\d+) median (\d+) most of 99 in 100 (\d+) most (\d+)", line)
    return f"{m[1]}: median {m[3]} us, 99 of 100 within {m[4]} us, all within {m[5]} us ({m[2]} wake-ups)"


def fairness(options) -> None:
    """One processor, spans of 3 s of the machine's time (1 ns is 1 instruction). Real Xen is left out when rows are named and xen is not one."""
    subprocess.run([os.path.join(ROOT, "tools", "build", "guests")], check=True)
    systems = ["xenolith"] + (["xen"] if not options.rows or "xen" in options.rows else [])
    print(f"\nShares of one processor, by the work done (3 s of counted time)\n\n| case | {' | '.join(systems)} |\n|---|{'---|' * len(systems)}")
    for case, domains in CASES.items():
        said = [", ".join(sorted(brief(line) for line in measure(system, case, domains, SPAN[system]))) for system in systems]
        print(f"| {case} | {' | '.join(said)} |", flush=True)
    print("\n| one domain floods with | the other, which computes, gets |\n|---|---:|")
    for kind in FLOODS:
        pair = [("1victim", "share", 256, 0, "peer=2"), ("2flood", f"flood_{kind}", 256, 0, "victim=1")]
        share = next(line for line in measure("xenolith", kind, pair, SPAN["xenolith"]) if line.startswith("[1victim]"))
        print(f"| {kind} | {brief(share).split(' ', 1)[1]} |", flush=True)
