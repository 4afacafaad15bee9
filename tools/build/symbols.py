"""Makes the symbol table that the hypervisor's backtraces use, from the linked ELF.

Layout, little-endian: u32 count, 20 bytes of build id; count rows of {u32 offset from the start of the text,
u32 offset of the name from the start of the names}; then the names, each ended by a zero byte.
"""
import hashlib
import struct
import subprocess
import sys


def main(elf: str, output: str) -> None:
    lines = subprocess.run(["nm", "-n", elf], check=True, capture_output=True, text=True).stdout.splitlines()
    symbols: dict[int, str] = {}
    start = 0
    for line in lines:
        address, kind, name = line.split(" ", 2)
        if name == "image_text_start":
            start = int(address, 16)
        if kind in "tT" and start and name != "image_text_start" and not name.startswith("trap_stub_"):
            symbols.setdefault(int(address, 16), name)
    names = bytearray()
    rows = bytearray()
    for address, name in sorted(symbols.items()):
        rows += struct.pack("<II", address - start, len(names))
        names += name.encode() + b"\0"
    with open(elf, "rb") as file:
        build = hashlib.sha1(file.read()).digest()
    with open(output, "wb") as file:
        file.write(struct.pack("<I", len(symbols)) + build + rows + names)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
