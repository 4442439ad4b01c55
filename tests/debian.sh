# Sourced by what makes Debian trees (tests/validators/make-tree, tests/lab/make-tree).
# shellcheck shell=bash disable=SC2016  # apt and mmdebstrap read these, not this shell

suite=trixie
# shellcheck disable=SC2034  # those who source this use it
cache=${COPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cops-gen}

# Frozen mirrors serve release files that are past their date.
lenient=(Acquire::Check-Valid-Until=false Acquire::Check-Date=false Acquire::Languages=none)

say() { printf '%s: %4ds  %s\n' "${0##*/}" "$SECONDS" "$*" >&2; }

# Says why the tree can't be made. Only CI must not pass without it.
skip() {
  echo "SKIPPED: ${0#"$PWD"/} cannot make its tree: $*"
  [ "${CI:-}" = true ] && exit 1
  exit 0
}

# Prints the archive that this machine's own apt reads Debian from.
find_mirror() {
  if [ -n "${COPS_MIRROR:-}" ]; then echo "$COPS_MIRROR"; return; fi
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1 | grep . && return
  sed -n 's/^URIs: *//p; s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' \
    /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1
}

# Installs mmdebstrap where it is missing, and sets $mirror.
find_tools() {
  [ "$(id -u)" = 0 ] || skip "it takes root (mmdebstrap, chroot, network namespaces)"
  if ! command -v mmdebstrap >/dev/null; then
    command -v apt-get >/dev/null || skip "mmdebstrap is not installed, and there is no apt-get"
    say "installing mmdebstrap"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends mmdebstrap; } >&2 ||
      skip "mmdebstrap could not be installed"
  fi
  mirror=$(find_mirror) || true
  [ -n "$mirror" ] || skip "no Debian archive in this machine's apt sources (COPS_MIRROR=URL names one)"
}

# Prints the packages that a file lists, one a line, joined by commas.
packages_of() { grep -v '^#' "$1" | paste -sd,; }

# make_debian TARGET PACKAGES [OPTION…]: a directory, or an archive where TARGET ends in .tar.
make_debian() {
  local target=$1 packages=$2 opts=() opt
  shift 2
  for opt in "${lenient[@]}" Apt::Install-Recommends=false; do opts+=("--aptopt=${opt%%=*} \"${opt#*=}\""); done
  for opt in /usr/share/man /usr/share/doc /usr/share/locale /usr/share/info; do opts+=("--dpkgopt=path-exclude=$opt/*"); done
  mmdebstrap --mode=root --variant=minbase --dpkgopt=force-unsafe-io "${opts[@]}" --include="$packages" "$@" \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin' \
    "$suite" "$target" "deb $mirror $suite main"
}

# fetch_package SUITE PACKAGE TARGET: unpacks one package of that Debian below TARGET, without what it depends on, and prints its
# version. Needs no root.
fetch_package() {
  local apt opts=() opt status=0
  apt=$(mktemp -d)
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$3"
  echo "deb $mirror $1 main" >"$apt/sources.list"
  for opt in "${lenient[@]}" "Dir::State=$apt/state" "Dir::State::status=/dev/null" "Dir::Cache=$apt/cache" \
    "Dir::Etc::sourcelist=$apt/sources.list" Dir::Etc::sourceparts=- Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    "APT::Sandbox::User=$(id -un)"; do opts+=(-o "$opt"); done
  {
    apt-get "${opts[@]}" -qq update >&2 && (cd "$apt" && apt-get "${opts[@]}" -qq download "$2" >&2) &&
      dpkg-deb -x "$apt/$2"_*.deb "$3" && dpkg-deb -f "$apt/$2"_*.deb Version
  } || status=$?
  rm -rf "$apt"
  return $status
}
