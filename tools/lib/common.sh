# What the verbs share: messages, and installing what is missing. To be sourced.

tag() { printf '%-4s %s\n' "$1" "$2"; }

fail() { echo "x: $1" >&2; exit "${2:-1}"; }

# need PROGRAM:PACKAGE...: installs the Debian packages of the programs that are not there, after saying so.
need() {
  local pair missing=()
  for pair; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

install_packages() {
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  command -v apt-get >/dev/null || fail "these Debian packages are missing and there is no apt-get to install them with: $*"
  tag APT "installing $*"
  "${sudo[@]}" apt-get update -q >/dev/null 2>&1 || true
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -q --no-install-recommends "$@" >"$XENOLITH_ROOT/out/apt.log" 2>&1 \
    || fail "apt-get could not install: $*; out/apt.log says why"
}

need_dotnet() {
  command -v dotnet >/dev/null || fail "the .NET SDK 10 is missing; install it (https://dot.net/download), then run this again"
  case "$(dotnet --version)" in
    10.*) ;;
    *) fail "the .NET SDK 10 is needed, this is $(dotnet --version); install it (https://dot.net/download), then run this again" ;;
  esac
}

need_build_tools() { need gcc:gcc ld:binutils python3:python3-minimal; need_dotnet; }

need_machine() { need qemu-system-x86_64:qemu-system-x86; }

need_image_tools() { need cpio:cpio depmod:kmod busybox:busybox-static dpkg-deb:dpkg gzip:gzip; }

mkdir -p "$XENOLITH_ROOT/out"
