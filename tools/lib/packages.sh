# Debian packages that are booted, not installed: kernels, real Xen. To be sourced after common.sh.

packages=$XENOLITH_ROOT/out/packages

# unpack_package NAME: unpacks the package under out/packages/NAME, once.
unpack_package() {
  local name=$1 work
  [ ! -d "$packages/$name" ] || return 0
  mkdir -p "$packages"
  work=$(mktemp -d "$packages/fetch.XXXXXX")
  tag GET "$name"
  if ! (cd "$work" && { apt-get download -q "$name" || { refresh_packages && apt-get download -q "$name"; }; }) >"$work/log" 2>&1; then
    cat "$work/log" >&2
    rm -rf "$work"
    fail "cannot download the Debian package $name; check the network and /etc/apt/sources.list"
  fi
  mkdir "$work/tree"
  dpkg-deb -x "$work"/*.deb "$work/tree"
  mv "$work/tree" "$packages/$name"
  rm -rf "$work"
}

# copy_modules VERSION LIST ROOT: copies the modules that a file lists, of a kernel whose package is unpacked, below ROOT; those that it has built in are no files.
copy_modules() {
  local source module file
  source=$(modules_of "$1")
  while read -r module; do
    file=$(find "$source/kernel" -name "$module.ko" -print -quit)
    [ -z "$file" ] || install -D -m 644 "$file" "$3/lib/modules/$1/${file#"$source"/}"
  done <"$2"
}

# modules_of VERSION: where the modules of a kernel whose package is unpacked are.
modules_of() {
  local directory=$packages/linux-image-$1/lib/modules/$1
  [ -d "$directory" ] || directory=$packages/linux-image-$1/usr/lib/modules/$1
  echo "$directory"
}

package_behind() { apt-cache depends "$1" 2>/dev/null | sed -n 's/^  Depends: \(linux-image-[0-9].*\)$/\1/p' | head -1; }

# kernel_package FLAVOUR: the package that Debian's linux-image-FLAVOUR stands for now.
kernel_package() {
  local name
  name=$(package_behind "linux-image-$1")
  if [ -z "$name" ]; then
    # A fresh machine has no lists of packages yet.
    refresh_packages
    name=$(package_behind "linux-image-$1")
  fi
  [ -n "$name" ] || fail "apt knows no kernel package linux-image-$1; flavours of Debian's kernel are amd64, rt-amd64 and cloud-amd64 (elsewhere name a kernel with ./x boot --kernel)"
  echo "$name"
}

# The libraries of Debian's own tools of Xen, those of the C library left out.
xen_libraries=(libgcc-s1 libxenmisc4.17 libxentoollog1 libxentoolcore1 libxenstore4 libxenevtchn1 libxenhypfs1 libxencall1 libxengnttab1
  libxenforeignmemory1 libxendevicemodel1 libyajl2 libuuid1 liblzma5 libzstd1 zlib1g)

# copy_libraries DIRECTORY PACKAGE...: copies the libraries of packages that are unpacked.
copy_libraries() {
  local directory=$1 package
  shift
  for package; do
    find "$packages/$package" -path '*/x86_64-linux-gnu/lib*.so*' -not -path '*/gconv/*' -exec cp -P -t "$directory" {} +
  done
}

# fetch_xen: real Xen 4.17 at out/packages/xen.elf
fetch_xen() {
  [ ! -e "$packages/xen.elf" ] || return 0
  unpack_package xen-hypervisor-4.17-amd64
  zcat "$packages"/xen-hypervisor-4.17-amd64/boot/xen-4.17-amd64.gz >"$packages/xen.elf.part"
  mv "$packages/xen.elf.part" "$packages/xen.elf"
}
