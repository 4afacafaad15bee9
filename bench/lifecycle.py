"""Making and destroying domains from Domain 0: xeno and its daemon on Xenolith beside Debian's xl on Xen 4.17. Wall time."""
import os
import re
import shutil
import statistics
import subprocess
import tempfile

from common import OUT, ROOT, pack_onto, run

# Without XSAVE: with it, Xen does not keep the wide registers of Domain 0's processes under QEMU's translator.
MACHINE = ["--cpu", "max,-smap,-xsave", "--memory", "4096", "--options", "console=com1 com1=115200,8n1 dom0_mem=768M"]
SAID = re.compile(r"LIFE (begin|end) (\S+)(?: (\d+))?")
ROWS = {"start": "the toolstack's daemons are up", "create_small": "create, micro-guest of 32 MiB", "destroy_small": "destroy it",
        "create_linux": "create, Debian's kernel, 128 MiB", "up_linux": "... to its userland", "destroy_linux": "destroy it",
        "create_devices": "create, with a disk and an interface", "up_devices": "... to its userland", "destroy_devices": "destroy it",
        "list": "list"}


def configuration(name: str, memory: int, kernel: str, more: str = "") -> str:
    return f'name = "{name}"\ntype = "pv"\nmemory = {memory}\nkernel = "{kernel}"\n{more}'


def build_disk(tool: str, base: str, many: int) -> str:
    """The tool's RAM disk with the job and descriptions of the domains that it makes."""
    linux = 'ramdisk = "/boot/initrd.img"\nextra = "console=hvc0 quiet xenolith.name=guest"\n'
    devices = linux + 'disk = [ "/run/disk.img,raw,xvda,w" ]\nvif = [ "bridge=xenbr0" ]\n'
    image = os.path.join(OUT, f"lifecycle-{tool}.gz")
    with tempfile.TemporaryDirectory() as tree:
        bench = os.path.join(tree, "bench")
        os.mkdir(bench)
        shutil.copy(os.path.join(ROOT, "out", "guests", "beat.elf"), bench)
        shutil.copy(os.path.join(ROOT, "bench", "lifecycle-job"), bench)
        with open(os.path.join(bench, "start"), "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\ntruncate -s 16M /run/disk.img\n/bench/lifecycle-job {tool} {many}\n")
        os.chmod(file.name, 0o755)
        for name, text in {"small": configuration("small", 32, "/bench/beat.elf"), "linux": configuration("linux", 128, "/boot/vmlinuz", linux),
                           "devices": configuration("devices", 128, "/boot/vmlinuz", devices)}.items():
            with open(os.path.join(bench, f"{name}.cfg"), "w", encoding="utf-8") as file:
                file.write(text)
        pack_onto(os.path.join(ROOT, "out", base), tree, image)
    return image


def measure(tool: str, base: str, many: int, arguments: list[str]) -> tuple[dict, list[float], int]:
    """Milliseconds of each step by name, of each of many domains in turn, and KiB of the daemon with 20 of them."""
    lines = run(f"lifecycle-{tool}", [*MACHINE, *arguments, "--initrd", build_disk(tool, base, many), "--append", "console=hvc0 quiet xenolith.run=bench/start"],
                "LIFE done", 3600)
    steps, begun, resident = {}, {}, 0
    for at, line in lines:
        if m := SAID.search(line):
            if m[1] == "begin":
                begun[m[2]] = at
            else:
                steps.setdefault(m[2], []).append((at - begun[m[2]]) * 1000)
        elif m := re.search(r"LIFE resident (\d+)", line):
            resident = int(m[1])
    return steps, steps.pop("many", []), resident


def lifecycle(options) -> None:
    """With the row 'many', 160 domains are made one after another too."""
    subprocess.run([os.path.join(ROOT, "tools", "build", "guests")], check=True)
    subprocess.run([os.path.join(ROOT, "tools", "build", "xl-image")], check=True)
    many = 160 if "many" in options.rows else 20
    ours, grown, resident = measure("xeno", "dom0/tools-amd64.gz", many, [])
    theirs, _, _ = measure("xl", "tests/xl-amd64.gz", 0, ["--hypervisor", "xen"])
    print("\nDomains from Domain 0 (1 processor, wall milliseconds, median and in brackets the first)\n\n| step | xl on Xen 4.17 | xeno on Xenolith | ratio |\n|---|---:|---:|---:|")
    for name, text in ROWS.items():
        xl, xeno = theirs[name], ours[name]
        print(f"| {text} | {statistics.median(xl):.0f} ({xl[0]:.0f}) | {statistics.median(xeno):.0f} ({xeno[0]:.0f}) | {statistics.median(xeno) / statistics.median(xl):.2f} |")
    print(f"\n{many} domains of 8 MiB, one after another: create {statistics.median(grown[:10]):.0f} ms for the first ten, {statistics.median(grown[-10:]):.0f} ms for the last ten;"
          f" the daemon with 20 of them has {resident / 1024:.0f} MiB resident")
