"""Many domains at once on Xenolith: all up, all answering, and what one more costs. Wall time; needs a machine with free memory."""
import os
import re
import subprocess
import tempfile

from common import OUT, ROOT, Machine, pack

CPU = ["--cpu", "max,-smap", "--cpus", "2"]
LINUX = {"count": 100, "memory": 96, "machine": 12288}
SMALL = {"count": 1000, "memory": 4, "machine": 6144}
SWITCH = "\x01\x01\x01"
SAID = re.compile(r"^\[(\w+?)(\d+)\] SCALE:(UP|BEAT|LOST)\b")


def build_disk() -> str:
    """A RAM disk of busybox and the program that keeps vector registers live and checks them."""
    image = os.path.join(OUT, "scale.gz")
    with tempfile.TemporaryDirectory() as tree:
        for directory in ("bin", "dev", "proc"):
            os.mkdir(os.path.join(tree, directory))
        source = os.path.join(ROOT, "tests", "LinuxPrograms", "fpu.c")
        subprocess.run(["gcc", "-O2", "-static", "-o", f"{tree}/bin/fpu", source], check=True)
        busybox = subprocess.run(["sh", "-c", "command -v busybox"], check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["cp", busybox, f"{tree}/bin/busybox"], check=True)
        subprocess.run(["cp", os.path.join(ROOT, "bench", "init-scale"), f"{tree}/init"], check=True)
        pack(tree, image)
    return image


def start(name: str, kind: dict, count: int, domain: str, timeout: int) -> Machine:
    return Machine(f"scale-{name}-{count}", ["--kernel", "none", "--memory", str(kind["machine"]), *CPU, "--domain",
                                             f"{name} count={count} memory={kind['memory']} {domain}"], timeout)


def free_frames(machine: Machine, count: int, lines) -> int:
    """Asks the hypervisor. The keys pass from each domain to the next and come to it last."""
    machine.type(SWITCH * count + "m")
    for _, line in lines:
        if m := re.search(r"frames free (\d+)", line):
            return int(m[1])
    return machine.fail("the hypervisor did not say how many frames are free")


def free_with_one(name: str, kind: dict, domain: str) -> int:
    """Free frames of the same machine with a single domain."""
    machine = start(name, kind, 1, domain, 600)
    lines = machine.lines()
    for _, line in lines:
        if "SCALE:UP" in line:
            break
    free = free_frames(machine, 1, lines)
    machine.stop()
    return free


def measure(name: str, kind: dict, domain: str, timeout: int) -> None:
    """Starts the domains, waits until each is up and has then said that it is well, and prints what that took."""
    count = kind["count"]
    free = free_with_one(name, kind, domain)
    machine = start(name, kind, count, domain, timeout)
    built, up, beating, answered = [], {}, set(), None
    lines = machine.lines()
    for at, line in lines:
        if m := re.search(r"built in (\d+) ms", line):
            built.append(int(m[1]))
        elif m := SAID.search(line):
            if m[3] == "LOST":
                machine.fail(f"domain {m[1]}{m[2]} has lost its registers: {line}")
            if m[3] == "UP":
                up[m[2]] = at
            elif len(up) == count:
                beating.add(m[2])
            if len(beating) == count:
                answered = at
                free -= free_frames(machine, count, lines)
                break
        elif "' is not started" in line or "[panic]" in line or "crashed" in line:
            machine.fail(line)
    if answered is None:
        machine.fail(f"{len(built)} domains were built, {len(up)} came up, {len(beating)} of them answered after that")
    machine.stop()
    beside = (free / (count - 1) - kind["memory"] * 256) * 4
    print(f"| {count} domains of {kind['memory']} MiB, {name} | {max(up.values()):.0f} | {answered:.0f} | {sum(built) / len(built):.1f} | {beside:.1f} |", flush=True)


def scale(options) -> None:
    """Linux domains check their vector registers without end; micro-guests only keep their timers."""
    subprocess.run([os.path.join(ROOT, "dom0", "image", "build"), "cloud-amd64"], check=True)
    subprocess.run([os.path.join(ROOT, "tools", "build", "guests")], check=True)
    kernel = os.path.join(ROOT, "out", "dom0", "vmlinuz-cloud-amd64")
    guest = os.path.join(ROOT, "out", "guests", "beat.elf")
    print("\nMany domains (2 processors, wall seconds since QEMU's start)\n\n"
          "| what | all are up | all have answered after that | ms to build one | KiB for one beside its memory |\n|---|---:|---:|---:|---:|")
    if not options.rows or "small" in options.rows:
        measure("small", SMALL, f"kernel={guest} ramdisk=none", 1800)
    if not options.rows or "linux" in options.rows:
        measure("linux", LINUX, f"kernel={kernel} ramdisk={build_disk()} -- console=hvc0 quiet", 7200)
