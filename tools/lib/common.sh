# What the verbs share: messages, options, and installing what is missing. To be sourced.

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1

tag() { printf '%-4s %s\n' "$1" "$2"; }

fail() { echo "x: $1" >&2; exit "${2:-1}"; }

# unknown ARGUMENT: ends the verb, because it does not know that argument.
unknown() { local verb=${0##*/}; fail "$verb: there is no option '$1'; ./x $verb --help lists them" 2; }

# need PROGRAM:PACKAGE...: installs the Debian packages of the programs that are not there, after saying so.
need() {
  local pair missing=()
  for pair; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# need_file FILE PACKAGE: the same for a package that has no program.
need_file() { [ -e "$1" ] || install_packages "$2"; }

# as_root COMMAND...: with sudo where that is needed.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

refresh_packages() { as_root apt-get update -q >/dev/null 2>&1 || true; }

install_packages() {
  command -v apt-get >/dev/null || fail "these Debian packages are missing and there is no apt-get to install them with: $*"
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || fail "these Debian packages are missing and there is no sudo to install them with: $*"
  tag APT "installing $*"
  refresh_packages
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >"$XENOLITH_ROOT/out/apt.log" 2>&1 \
    || fail "apt-get could not install: $*; out/apt.log says why"
}

has_dotnet() { command -v dotnet >/dev/null && [[ $(cd "$XENOLITH_ROOT" && dotnet --version 2>/dev/null) = 10.* ]]; }

# need_dotnet: the .NET SDK 10, from the distribution where it has it (Ubuntu), else by Microsoft's script into ~/.dotnet.
need_dotnet() {
  ! has_dotnet || return 0
  local home=$HOME/.dotnet
  if [ -x "$home/dotnet" ]; then
    PATH=$home:$PATH
    ! has_dotnet || return 0
  fi
  if [ -n "$(apt-cache policy dotnet-sdk-10.0 2>/dev/null)" ]; then
    install_packages dotnet-sdk-10.0
    has_dotnet || fail "dotnet-sdk-10.0 is installed, but another dotnet comes before it in PATH: $(command -v dotnet)"
    return 0
  fi
  need curl:curl
  need_file /etc/ssl/certs/ca-certificates.crt ca-certificates
  tag GET "the .NET SDK 10, into $home"
  if ! curl -sSfL https://dot.net/v1/dotnet-install.sh -o "$XENOLITH_ROOT/out/dotnet-install.sh" \
    || ! bash "$XENOLITH_ROOT/out/dotnet-install.sh" --channel 10.0 --install-dir "$home" >"$XENOLITH_ROOT/out/dotnet.log" 2>&1; then
    fail "the .NET SDK 10 is missing and could not be fetched; install it (https://dot.net/download), then run this again"
  fi
  PATH=$home:$PATH
  has_dotnet || fail "the .NET SDK in $home does not start; out/dotnet.log says how it was installed"
}

need_build_tools() { need gcc:gcc ld:binutils python3:python3-minimal; need_dotnet; }

need_machine() { need qemu-system-x86_64:qemu-system-x86; }

need_image_tools() { need cpio:cpio depmod:kmod busybox:busybox-static dpkg-deb:dpkg gzip:gzip; }

# What Domain 0's daemon needs of the system: digests, and the network of guests.
need_daemon_tools() { need_file /usr/lib/x86_64-linux-gnu/libssl.so.3 libssl3; need ip:iproute2; need_file /usr/sbin/nft nftables; need_file /usr/sbin/dnsmasq dnsmasq-base; need_file /usr/sbin/dmsetup dmsetup; }

# What packs the kernels that the unpacker is tested with.
# pack_onto BASE TREE TARGET: makes a RAM disk of another one and what is below a directory; the kernel unpacks archives that follow each other into one root.
pack_onto() {
  { cat "$1"; (cd "$2" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0 | gzip -1); } >"$3.part"
  mv "$3.part" "$3"
}

need_packers() { need gzip:gzip xz:xz-utils zstd:zstd lz4:lz4; }

# What the xenstore server is compared with.
need_xenstore_tools() { need xenstore-read:xenstore-utils; }

# What the tests that compile C programs for Domain 0 need, and the benchmark.
need_c_library() { need gcc:gcc; need_file /usr/include/stdio.h libc6-dev; }

mkdir -p "$XENOLITH_ROOT/out"

# alone NAME: waits until no other process makes the same thing; the lock is descriptor 9, which servers that outlive the verb must not keep.
alone() { exec 9>"$XENOLITH_ROOT/out/$1.lock"; flock 9; }
