# Domain 0's programs as native code. To be sourced after common.sh, in the project's root.

# publish NAME: makes out/NAME/NAME, native code, when what it is made of has changed. The linker runs by its name alone; the runtime's own pieces come as packages.
publish() {
  local name=$1 program=out/$1/$1
  [ ! -e "$program" ] || [ -n "$(find dom0 src/Xenolith.Abi src/Xenolith.Loading Directory.Build.props -name obj -prune -o -name bin -prune -o -type f \( -name '*.cs' -o -name '*.csproj' -o -name '*.props' \) -newer "$program" -print -quit)" ] || return 0
  tag AOT "$program"
  mkdir -p "out/$name"
  if ! dotnet publish "dom0/$name" -c Release -r linux-x64 -v q --nologo -clp:NoSummary -o "out/$name" >"out/build-$name.log" 2>&1 9>&-; then
    grep -E 'error|warning' "out/build-$name.log" | sort -u >&2 || cat "out/build-$name.log" >&2
    exit 1
  fi
  touch "$program"
}
