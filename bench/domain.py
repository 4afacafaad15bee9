"""An unprivileged domain beside an idle Domain 0, here and on real Xen 4.17, both as xl makes it by default and with tsc_mode=native."""
from common import KERNEL, OPTIONS, build_image, rows_of, run, show, table
from toolstack import configuration, run_domains

MEMORY = 256


def clock_of(lines: list) -> str:
    return next((line.split("BENCH:CLOCK ")[1] for _, line in lines if "] BENCH:CLOCK " in line), "unknown")


def on_xen(line: str, image: str, native: bool) -> list:
    more = 'tsc_mode = "native"\n' if native else ""
    return run_domains(f"domain-xen{'-native' if native else ''}", {"bench": configuration("bench", MEMORY, "kernel", "ramdisk", line, more)},
                       {"kernel": KERNEL, "ramdisk": image}, "[bench] BENCH:DONE", 3000)


def domain(options) -> None:
    """Instructions, as for Domain 0; the domain waits until Domain 0 has nothing to do."""
    image = build_image()
    line = "console=hvc0 bench.wait=10 bench.args=-t:15:-r:3" + "".join(f":{row}" for row in options.rows)
    ours = run("domain", ["--initrd", image, "--cpu", "max,-smap", "--options", OPTIONS, "--append", "console=hvc0 bench.args=none bench.end=idle",
                          "--domain", f"bench memory={MEMORY} -- {line}", "--icount"], "[bench] BENCH:DONE", 3000)
    runs = {"Xen 4.17": on_xen(line, image, False), "Xen, native TSC": on_xen(line, image, True), "Xenolith": ours}
    table("Instructions in an unprivileged domain (`-icount shift=0,sleep=off`; median of 3 batches)", {heading: rows_of(lines) for heading, lines in runs.items()},
          {"ratio": ("Xenolith", "Xen 4.17"), "to native TSC": ("Xenolith", "Xen, native TSC")}, lambda row: row[1])
    print("\nClock: " + "; ".join(
        f"{heading} {clock_of(lines)}, gettimeofday {show(rows_of(lines)['gettimeofday'][1] * 1000)} instructions" for heading, lines in runs.items()
        if "gettimeofday" in rows_of(lines)))
