"""Measures Domain 0 on Xenolith and on real Xen 4.17: the same kernel, RAM disk and QEMU flags, one after the other.

Instructions: QEMU counts them (-icount), one per nanosecond of the machine's time; repeatable to 1 %.
Wall time: pairs of boots, alternating, best of all batches; needs a quiet host.
"""
import argparse
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.environ["XENOLITH_ROOT"]
OUT = os.path.join(ROOT, "out", "bench")
SYSTEMS = {"xen": ["--hypervisor", "xen"], "xenolith": []}
ROW = re.compile(r"MICRO (\S+) ([\d.]+) (\S+) ([\d.]+) ([\d.]+) (\d+)\s*$")


def build_image() -> str:
    """A RAM disk of busybox, micro and the program that the exec rows start."""
    os.makedirs(OUT, exist_ok=True)
    source = os.path.join(ROOT, "bench", "micro.c")
    image = os.path.join(OUT, "initrd.gz")
    inputs = [source, os.path.join(ROOT, "bench", "init")]
    if os.path.exists(image) and all(os.path.getmtime(i) < os.path.getmtime(image) for i in inputs):
        return image
    with tempfile.TemporaryDirectory() as tree:
        for directory in ("bin", "dev", "proc", "sys", "tmp"):
            os.mkdir(os.path.join(tree, directory))
        binaries = os.path.join(tree, "bin")
        subprocess.run(["gcc", "-O2", "-static", "-pthread", "-o", f"{binaries}/micro", source, "-lm"], check=True)
        subprocess.run(["gcc", "-O2", "-static", "-nostdlib", "-DTINY", "-o", f"{binaries}/tiny", source], check=True)
        shutil.copy(shutil.which("busybox"), f"{binaries}/busybox")
        shutil.copy(os.path.join(ROOT, "bench", "init"), os.path.join(tree, "init"))
        os.chmod(os.path.join(tree, "init"), 0o755)
        if os.geteuid() == 0:
            os.mknod(os.path.join(tree, "dev", "console"), 0o20600, os.makedev(5, 1))
        subprocess.run(f"find . | cpio -o -H newc --quiet | gzip -9 > {image}", shell=True, cwd=tree, check=True)
    return image


def boot(system: str, image: str, arguments: str, icount: bool, timeout: int) -> tuple[dict, list[tuple[float, str]]]:
    """Boots once; gives the rows {name: (unit, median, low, high)} and the console's lines with the seconds at which they came."""
    command = [os.path.join(ROOT, "x"), "boot", *SYSTEMS[system], "--initrd", image, "--cpu", "max,-smap",
               "--options", "console=com1 com1=115200,8n1 dom0_mem=512M", "--append", f"console=hvc0 panic=-1 bench.args={arguments}",
               "--timeout", str(timeout)]
    if icount:
        command.append("--icount")
    start = time.monotonic()
    lines = []
    rows = {}
    with open(os.path.join(OUT, f"{system}{'-icount' if icount else ''}.log"), "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        for line in process.stdout:
            at = time.monotonic() - start
            line = line.rstrip()
            lines.append((at, line))
            log.write(f"{at:.3f} {line}\n")
            match = ROW.search(line)
            if match:
                rows[match[1]] = (match[3], float(match[2]), float(match[4]), float(match[5]))
        process.wait()
    if not any("BENCH:DONE" in line for _, line in lines):
        sys.exit(f"bench: {system} did not finish; out/bench/{system}{'-icount' if icount else ''}.log shows how far it came")
    return rows, lines


def best(row: tuple) -> float:
    return row[3] if row[0] == "MB/s" else row[2]


def merge(into: dict, rows: dict) -> None:
    for name, row in rows.items():
        old = into.get(name)
        if old is None:
            into[name] = row
        else:
            into[name] = (row[0], min(old[1], row[1]), min(old[2], row[2]), max(old[3], row[3]))


def show(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:.0f}"


def table(title: str, unit: str, xen: dict, ours: dict, value) -> None:
    """Prints one table; rows ctx_ are differences of large numbers and are left out."""
    names = [n for n in xen if n in ours and not n.startswith("ctx_") and n != "total_seconds"]
    ratios = {}
    print(f"\n{title}\n\n| operation | unit | Xen 4.17 | Xenolith | ratio |\n|---|---|---:|---:|---:|")
    for name in names:
        kind = xen[name][0]
        theirs, own = value(xen[name]), value(ours[name])
        if theirs <= 0 or own <= 0:
            continue
        ratio = theirs / own if kind == "MB/s" else own / theirs
        ratios[name] = ratio
        print(f"| {name} | {kind if kind == 'MB/s' else unit or kind} | {show(theirs)} | {show(own)} | {ratio:.2f} |")
    if ratios:
        mean = math.exp(sum(math.log(r) for r in ratios.values()) / len(ratios))
        worst = max(ratios, key=ratios.get)
        print(f"| **geometric mean** | | | | **{mean:.3f}** |")
        print(f"| worst: {worst} | | | | {ratios[worst]:.2f} |")


def seconds_of(lines: list, text: str, default: float = float("nan")) -> float:
    return next((at for at, line in lines if text in line), default)


def boot_report(image: str, runs: int) -> None:
    times = {"xen": [], "xenolith": []}
    early = []
    memory = ""
    for _ in range(runs):
        for system in ("xen", "xenolith"):
            _, lines = boot(system, image, "none", False, 120)
            times[system].append(seconds_of(lines, "BENCH:USERLAND"))
            if system == "xenolith":
                unpack = next((int(m[1]) for _, l in lines if (m := re.search(r"kernel unpacked.* in (\d+) ms", l))), 0)
                total = next((int(m[1]) for _, l in lines if (m := re.search(r"Domain 0 starts (\d+) ms", l))), 0)
                early.append((total - unpack) / 1000)
                memory = next((l for _, l in lines if l.startswith("[mm] RAM")), memory)
    print("\nBoot, wall seconds (best of", runs, "pairs)\n\n| span | Xen 4.17 | Xenolith | ratio |\n|---|---:|---:|---:|")
    xen, ours = min(times["xen"]), min(times["xenolith"])
    print(f"| QEMU start to Domain 0's init | {xen:.2f} | {ours:.2f} | {ours / xen:.2f} |")
    print(f"| first line to Domain 0's first instruction, unpacking left out | | {min(early):.2f} | |")
    print(f"\nImage: {os.path.getsize(os.path.join(ROOT, 'out', 'xenolith'))} bytes. {memory}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench", description="Domain 0 on Xenolith beside real Xen 4.17")
    parser.add_argument("--only", choices=["instructions", "wall", "boot"], help="one part instead of all three")
    parser.add_argument("--runs", type=int, default=2, help="pairs of boots for wall time (default 2)")
    parser.add_argument("rows", nargs="*", help="prefixes of the rows to measure (default: all)")
    options = parser.parse_args()
    image = build_image()
    rows = "".join(f":{row}" for row in options.rows)
    if options.only in (None, "instructions"):
        xen, _ = boot("xen", image, f"-t:15:-r:3{rows}", True, 1500)
        ours, _ = boot("xenolith", image, f"-t:15:-r:3{rows}", True, 1500)
        table("Instructions (`-icount shift=0,sleep=off`; median of 3 batches)", "", xen, ours, lambda row: row[1])
    if options.only in (None, "wall"):
        xen, ours = {}, {}
        for _ in range(options.runs):
            merge(xen, boot("xen", image, f"-t:30:-r:7{rows}", False, 900)[0])
            merge(ours, boot("xenolith", image, f"-t:30:-r:7{rows}", False, 900)[0])
        table(f"Wall time (best of {options.runs} paired boots, 7 batches each)", "", xen, ours, best)
    if options.only in (None, "boot"):
        boot_report(image, options.runs + 1)


if __name__ == "__main__":
    main()
