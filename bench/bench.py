"""Measures Xenolith beside real Xen 4.17 under QEMU's translator; each part prints its tables."""
import argparse

import domain
import domain0
import fairness
import io_devices
import lifecycle
import operations
import scale

PARTS = {"instructions": domain0.instructions, "wall": domain0.wall, "boot": domain0.startup, "domain": domain.domain,
         "operations": operations.operations, "fairness": fairness.fairness, "scale": scale.scale,
         "lifecycle": lifecycle.lifecycle, "io": io_devices.devices}


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench", description="Xenolith beside real Xen 4.17")
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--runs", type=int, default=2, help="pairs of boots for wall time (default 2)")
    parser.add_argument("--cpus", type=int, default=1, help="processors of the machine for the part instructions (default 1)")
    parser.add_argument("rows", nargs="*", help="prefixes of the rows to measure (default: all); of the part scale: small, linux; of the part fairness: xen (also there), ours (only here); of the part lifecycle: many")
    options = parser.parse_args()
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(options)


if __name__ == "__main__":
    main()
