"""Single operations, measured by the micro-guest `operations` on both hypervisors: alone as Domain 0, and two unprivileged domains together."""
import os
import subprocess

from common import ROOT, rows_of, run, table
from toolstack import configuration, run_domains

MEMORY = 16
SERVER = "role=server peer=2"
CLIENT = "role=client peer=1"
CPU = ["--cpu", "max,-smap", "--icount"]


def operations(_) -> None:
    """Instructions under -icount. The pair on real Xen is started by xl; the ids of the first two domains are 1 and 2 on both."""
    subprocess.run([os.path.join(ROOT, "tools", "build", "guests")], check=True)
    guest = os.path.join(ROOT, "out", "guests", "operations.elf")
    end = "MICRO grant_copy_4k"
    xen = rows_of(run("operations-xen", ["--guest", "operations", "--hypervisor", "xen", *CPU], end, 600))
    ours = rows_of(run("operations", ["--guest", "operations", *CPU], end, 600))
    xen |= rows_of(run_domains("operations-xen-pair", {"1server": configuration("1server", MEMORY, "guest", "", SERVER),
                                                       "2client": configuration("2client", MEMORY, "guest", "", CLIENT)},
                               {"guest": guest}, end, 1500))
    pair = [f"{role} kernel={guest} ramdisk=none memory={MEMORY} -- {line}" for role, line in (("server", SERVER), ("client", CLIENT))]
    ours |= rows_of(run("operations-pair", ["--kernel", "none", "--domain", pair[0], "--domain", pair[1], *CPU], end, 600))
    table("Single operations (instructions, `-icount shift=0,sleep=off`; median of 5 batches)", {"Xen 4.17": xen, "Xenolith": ours},
          {"ratio": ("Xenolith", "Xen 4.17")}, lambda row: row[1])
