"""Domain 0 on Xenolith and on real Xen 4.17: the same kernel, RAM disk and QEMU flags, one after the other."""
import os
import re
import statistics

from common import OPTIONS, ROOT, build_image, rows_of, run, table

SYSTEMS = {"xen": ["--hypervisor", "xen"], "xenolith": []}


def boot(system: str, micro: str, icount: bool, timeout: int, cpus: int = 1) -> list[tuple[float, str]]:
    """Boots once and gives the console's lines."""
    arguments = [*SYSTEMS[system], "--initrd", build_image(), "--cpu", "max,-smap", "--cpus", str(cpus), "--options", OPTIONS,
                 "--append", f"console=hvc0 panic=-1 bench.args={micro}"]
    if icount:
        arguments.append("--icount")
    return run(f"{system}{'-icount' if icount else ''}", arguments, "BENCH:DONE", timeout)


def medians(boots: list[dict]) -> dict:
    """Of the boots in which a row was measured, the median of their medians."""
    names = dict.fromkeys(name for rows in boots for name in rows)
    found = {name: [rows[name] for rows in boots if name in rows] for name in names}
    return {name: (rows[0][0], statistics.median(row[1] for row in rows)) for name, rows in found.items()}


def show_pair(title: str, xen: dict, ours: dict, value) -> None:
    table(title, {"Xen 4.17": xen, "Xenolith": ours}, {"ratio": ("Xenolith", "Xen 4.17")}, value)


def instructions(options) -> None:
    """QEMU counts them (-icount), one per nanosecond of the machine's time; repeatable to 1 %.

    It then runs one processor after the other, a slice each, so what a second one does is counted too.
    """
    micro = "-t:15:-r:3" + "".join(f":{row}" for row in options.rows)
    xen, ours = (rows_of(boot(system, micro, True, 3000, options.cpus)) for system in SYSTEMS)
    show_pair(f"Instructions, processors {options.cpus} (`-icount shift=0,sleep=off`; median of 3 batches)", xen, ours, lambda row: row[1])


def wall(options) -> None:
    """Pairs of boots, alternating; needs a quiet host."""
    micro = "-t:30:-r:7" + "".join(f":{row}" for row in options.rows)
    boots = {system: [] for system in SYSTEMS}
    for _ in range(options.runs):
        for system, rows in boots.items():
            rows.append(rows_of(boot(system, micro, False, 900)))
    show_pair(f"Wall time (median of {options.runs} paired boots, each the median of 7 batches)", medians(boots["xen"]), medians(boots["xenolith"]),
              lambda row: row[1])


def seconds_of(lines: list, text: str) -> float:
    return next((at for at, line in lines if text in line), float("nan"))


def milliseconds_of(lines: list, pattern: str) -> int:
    return next((int(m[1]) for _, line in lines if (m := re.search(pattern, line))), 0)


def startup(options) -> None:
    """Wall time from QEMU's start to Domain 0's first program; needs a quiet host."""
    times = {"xen": [], "xenolith": []}
    early = []
    memory = ""
    for _ in range(options.runs + 1):
        for system, seconds in times.items():
            lines = boot(system, "none", False, 120)
            seconds.append(seconds_of(lines, "BENCH:USERLAND"))
        early.append((milliseconds_of(lines, r"Domain 0 starts (\d+) ms") - milliseconds_of(lines, r"kernel unpacked.* in (\d+) ms")) / 1000)
        memory = next((line for _, line in lines if line.startswith("[mm] RAM")), memory)
    print("\nBoot, wall seconds (median of", options.runs + 1, "pairs)\n\n| span | Xen 4.17 | Xenolith | ratio |\n|---|---:|---:|---:|")
    xen, ours = statistics.median(times["xen"]), statistics.median(times["xenolith"])
    print(f"| QEMU start to Domain 0's init | {xen:.2f} | {ours:.2f} | {ours / xen:.2f} |")
    print(f"| first line to Domain 0's first instruction, unpacking left out | | {statistics.median(early):.2f} | |")
    print(f"\nImage: {os.path.getsize(os.path.join(ROOT, 'out', 'xenolith'))} bytes. {memory}")
