"""Disks and networks of domains: fio and iperf3 in Debian guests, with the same programs in Domain 0 on Xenolith and on Xen 4.17. Wall time."""
import os
import re
import shutil
import subprocess
import tempfile

from common import OUT, ROOT, mean_of, pack_onto, run, show

# Without XSAVE: with it, Xen does not keep the wide registers of Domain 0's processes under QEMU's translator.
MACHINE = ["--cpu", "max,-smap,-xsave", "--memory", "3072", "--options", "console=com1 com1=115200,8n1 dom0_mem=1536M"]
SAID = re.compile(r"IO (io\d) (\S+) ([\d.]+) (\S+)")
TOGETHER = "together_"


def copy_programs(tree: str) -> None:
    """fio and iperf3 with the libraries that they are linked with."""
    directory = os.path.join(tree, "lib", "x86_64-linux-gnu")
    os.makedirs(directory)
    os.makedirs(os.path.join(tree, "usr", "bin"))
    for name in ("fio", "iperf3"):
        program = shutil.which(name)
        shutil.copy(program, os.path.join(tree, "usr", "bin"))
        for library in re.findall(r"=> (/\S+)", subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout):
            shutil.copy(library, directory)
    os.makedirs(os.path.join(tree, "lib64"))
    shutil.copy("/lib64/ld-linux-x86-64.so.2", os.path.join(tree, "lib64"))


def build_disk(seconds: int) -> str:
    """Domain 0's RAM disk with its tools, the programs, the job, and a guest's RAM disk with the programs."""
    image = os.path.join(OUT, "io.gz")
    with tempfile.TemporaryDirectory() as tree:
        copy_programs(tree)
        bench = os.path.join(tree, "bench")
        guest = os.path.join(OUT, "io-guest.gz")
        pack_onto(os.path.join(ROOT, "out", "dom0", "initrd-amd64.gz"), tree, guest)
        os.mkdir(bench)
        shutil.move(guest, os.path.join(bench, "initrd.img"))
        shutil.copy(os.path.join(ROOT, "bench", "io-job"), bench)
        with open(os.path.join(bench, "start"), "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n/bench/io-job {seconds}\n")
        os.chmod(file.name, 0o755)
        for number in (1, 2):
            with open(os.path.join(bench, f"io{number}.cfg"), "w", encoding="utf-8") as file:
                file.write(f'name = "io{number}"\nmemory = 384\nkernel = "/boot/vmlinuz"\nramdisk = "/bench/initrd.img"\n'
                           f'extra = "console=hvc0 quiet xenolith.name=io{number}"\n'
                           f'disk = [ "/run/io{number}.img,raw,xvda,w" ]\nvif = [ "ip=10.87.0.{10 + number}" ]\n')
        pack_onto(os.path.join(ROOT, "out", "dom0", "tools-amd64.gz"), tree, image)
    return image


def measure(log: str, arguments: list[str], image: str) -> dict:
    """{row: {domain: (number, unit)}}."""
    rows = {}
    for _, line in run(log, [*MACHINE, *arguments, "--initrd", image, "--append", "console=hvc0 quiet xenolith.run=bench/start"], "IO done", 3600):
        if m := SAID.search(line):
            rows.setdefault(m[2], {})[m[1]] = (float(m[3]), m[4])
    return rows


def devices(options) -> None:
    """One domain alone, and what two get at the same time."""
    for program in ("fio", "iperf3"):
        if shutil.which(program) is None:
            raise SystemExit(f"bench: the part io needs {program}: install it with apt-get install --no-install-recommends {program}")
    subprocess.run([os.path.join(ROOT, "dom0", "image", "tools"), "amd64"], check=True)
    image = build_disk(8)
    theirs, ours = measure("io-xen", ["--hypervisor", "xen"], image), measure("io", [], image)
    print("\nDisk in Domain 0's memory and network of a domain (1 processor, wall time, more is better)\n\n| row | unit | Xen 4.17 | Xenolith | ratio |\n|---|---|---:|---:|---:|")
    ratios = {}
    for row in ours:
        if not row.startswith(TOGETHER):
            (xen, unit), (own, _) = theirs[row]["io1"], ours[row]["io1"]
            ratios[row] = own / xen
            print(f"| {row} | {unit} | {show(xen)} | {show(own)} | {ratios[row]:.2f} |")
    print(f"| **geometric mean** | | | | **{mean_of(ratios):.3f}** |")
    print("\nTwo domains at the same time on Xenolith\n\n| row | unit | first | second | share of the first |\n|---|---|---:|---:|---:|")
    for row, both in ours.items():
        if row.startswith(TOGETHER):
            (first, unit), (second, _) = both["io1"], both["io2"]
            print(f"| {row.removeprefix(TOGETHER)} | {unit} | {show(first)} | {show(second)} | {first / (first + second):.0%} |")
