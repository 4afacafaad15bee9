# Debian packages that are booted, not installed: kernels, real Xen. To be sourced after common.sh.

packages=$XENOLITH_ROOT/out/packages

# unpack_package NAME: unpacks the package under out/packages/NAME, once.
unpack_package() {
  local name=$1 work
  [ ! -d "$packages/$name" ] || return 0
  mkdir -p "$packages"
  work=$(mktemp -d "$packages/fetch.XXXXXX")
  tag GET "$name"
  if ! (cd "$work" && { apt-get download -q "$name" || { apt-get update -q && apt-get download -q "$name"; }; }) >"$work/log" 2>&1; then
    cat "$work/log" >&2
    rm -rf "$work"
    fail "cannot download the Debian package $name; check the network and /etc/apt/sources.list"
  fi
  mkdir "$work/tree"
  dpkg-deb -x "$work"/*.deb "$work/tree"
  mv "$work/tree" "$packages/$name"
  rm -rf "$work"
}

# kernel_package FLAVOUR: the package that Debian's linux-image-FLAVOUR stands for now.
kernel_package() {
  local name
  name=$(apt-cache depends "linux-image-$1" 2>/dev/null | sed -n 's/^  Depends: \(linux-image-[0-9].*\)$/\1/p' | head -1)
  [ -n "$name" ] || fail "apt knows no kernel package linux-image-$1; run 'apt-get update', or choose another flavour (amd64, rt-amd64, cloud-amd64)"
  echo "$name"
}

# fetch_xen: real Xen 4.17 at out/packages/xen.elf
fetch_xen() {
  [ ! -e "$packages/xen.elf" ] || return 0
  unpack_package xen-hypervisor-4.17-amd64
  zcat "$packages"/xen-hypervisor-4.17-amd64/boot/xen-4.17-amd64.gz >"$packages/xen.elf.part"
  mv "$packages/xen.elf.part" "$packages/xen.elf"
}
