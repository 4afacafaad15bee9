"""Domains on real Xen 4.17: Domain 0 with xl in its RAM disk starts them and prints what they say."""
import os
import shutil
import subprocess
import tempfile

from common import OPTIONS, OUT, ROOT, pack_onto, run


def configuration(name: str, memory: int, kernel: str, ramdisk: str, line: str, more: str = "") -> str:
    """xl's description of a domain with one vcpu; kernel and ramdisk are names of files in the RAM disk's /domains ('' = none).

    The file that holds it has to be called like the domain.
    """
    disk = f'ramdisk = "/domains/{ramdisk}"\n' if ramdisk else ""
    return (f'name = "{name}"\ntype = "pv"\nmemory = {memory}\nvcpus = 1\nkernel = "/domains/{kernel}"\n{disk}extra = "{line}"\n'
            f'on_poweroff = "destroy"\non_reboot = "destroy"\non_crash = "destroy"\n{more}')


def run_domains(log: str, configurations: dict, files: dict, until: str, timeout: int, times: int = 1) -> list[tuple[float, str]]:
    """Starts the domains in the order of their names under -icount. files: {name in /domains: file}. Gives the console's lines."""
    subprocess.run([os.path.join(ROOT, "bench", "toolstack", "build")], check=True)
    image = os.path.join(OUT, f"{log}.gz")
    with tempfile.TemporaryDirectory() as tree:
        domains = os.path.join(tree, "domains")
        os.mkdir(domains)
        for name, path in files.items():
            shutil.copy(path, os.path.join(domains, name))
        for name, text in configurations.items():
            with open(os.path.join(domains, f"{name}.cfg"), "w", encoding="utf-8") as file:
                file.write(text)
        pack_onto(os.path.join(OUT, "toolstack.gz"), tree, image)
    return run(log, ["--hypervisor", "xen", "--initrd", image, "--cpu", "max,-smap", "--options", OPTIONS, "--icount"], until, timeout, times)
