"""What all parts of the benchmark share: the RAM disk, a boot with its console, rows and tables."""
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
KERNEL = os.path.join(ROOT, "out", "dom0", "vmlinuz-amd64")
OPTIONS = "console=com1 com1=115200,8n1 dom0_mem=512M"
ROW = re.compile(r"MICRO (\S+) ([\d.]+) (\S+) ([\d.]+) ([\d.]+) (\d+)\s*$")


def build_image() -> str:
    """A RAM disk of busybox, micro and the program that the exec rows start."""
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
        pack(tree, image)
    return image


def pack(tree: str, image: str) -> None:
    """Packs a directory as a RAM disk."""
    os.makedirs(OUT, exist_ok=True)
    if os.geteuid() == 0 and os.path.isdir(os.path.join(tree, "dev")):
        os.mknod(os.path.join(tree, "dev", "console"), 0o20600, os.makedev(5, 1))
    subprocess.run(f"find . | cpio -o -H newc --quiet | gzip -9 > {image}", shell=True, cwd=tree, check=True)


def pack_onto(base: str, tree: str, image: str) -> None:
    """Packs a RAM disk of another one and a directory: the kernel unpacks archives that follow each other into one root."""
    pack(tree, image)
    with open(base, "rb") as first, open(image, "rb") as second:
        below, own = first.read(), second.read()
    with open(image, "wb") as file:
        file.write(below + bytes(-len(below) % 4) + own)


class Machine:
    """A machine in QEMU: its console's lines with the seconds at which they came, and its keyboard."""

    def __init__(self, log: str, arguments: list[str], timeout: int) -> None:
        self._path = os.path.join("out", "bench", f"{log}.log")
        self._start = time.monotonic()
        self._process = subprocess.Popen([os.path.join(ROOT, "x"), "boot", *arguments, "--timeout", str(timeout)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")

    def lines(self):
        """All lines until the machine ends, as they come; the log keeps them."""
        os.makedirs(OUT, exist_ok=True)
        with open(os.path.join(ROOT, self._path), "w", encoding="utf-8", buffering=1) as file:
            for line in self._process.stdout:
                at = time.monotonic() - self._start
                file.write(f"{at:.3f} {line.rstrip()}\n")
                yield at, line.rstrip()

    def type(self, text: str) -> None:
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def fail(self, why: str) -> None:
        self.stop()
        sys.exit(f"bench: {why}; {self._path} shows how far the machine came")


def run(log: str, arguments: list[str], until: str, timeout: int, times: int = 1) -> list[tuple[float, str]]:
    """Boots a machine until so many lines hold that text; gives the console's lines. Ends the benchmark if they do not come."""
    machine = Machine(log, arguments, timeout)
    lines = []
    for at, line in machine.lines():
        lines.append((at, line))
        times -= until in line
        if times == 0:
            machine.stop()
            return lines
        if "BENCH:FAILED" in line:
            machine.fail(line)
    return machine.fail(f"nothing said '{until}'")


def rows_of(lines: list) -> dict:
    """The measurements that micro has printed: {name: (unit, median, low, high)}."""
    matches = (ROW.search(line) for _, line in lines)
    return {m[1]: (m[3], float(m[2]), float(m[4]), float(m[5])) for m in matches if m}


def show(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:.0f}"


def mean_of(ratios: dict) -> float:
    return math.exp(sum(math.log(r) for r in ratios.values()) / len(ratios))


def table(title: str, columns: dict, compared: dict, value) -> None:
    """Prints one table. columns: {heading: rows}; compared: {heading of a ratio: (numerator, denominator)}, both names of columns.

    Rows ctx_ are differences of large numbers and are left out.
    """
    first = next(iter(columns.values()))
    names = [n for n in first if all(n in rows for rows in columns.values()) and not n.startswith("ctx_") and n != "total_seconds"]
    ratios = {heading: {} for heading in compared}
    print(f"\n{title}\n\n| operation | unit | {' | '.join([*columns, *compared])} |\n|---|---|{'---:|' * (len(columns) + len(compared))}")
    for name in names:
        unit = first[name][0]
        values = {heading: value(rows[name]) for heading, rows in columns.items()}
        if min(values.values()) <= 0:
            continue
        for heading, (top, bottom) in compared.items():
            ratios[heading][name] = values[bottom] / values[top] if unit == "MB/s" else values[top] / values[bottom]
        print(f"| {name} | {unit} | {' | '.join([*map(show, values.values()), *(f'{r[name]:.2f}' for r in ratios.values())])} |")
    if names:
        blank = " | |" + " |" * len(columns)
        print(f"| **geometric mean**{blank} {' | '.join(f'**{mean_of(r):.3f}**' for r in ratios.values())} |")
        print(f"| worst{blank} {' | '.join(f'{max(r.values()):.2f} {max(r, key=r.get)}' for r in ratios.values())} |")
