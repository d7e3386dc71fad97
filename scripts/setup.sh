# Set-up shared by scripts/quickstart and scripts/test: sourced, not run. Progress goes to stderr.
# shellcheck shell=bash
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Prints a progress line with the seconds since the script began.
say() {
  printf '[%4d s] %s\n' "$SECONDS" "$*" >&2
}

# Ends with exit code 3 (a requirement is missing): what is missing, and what to do.
missing() {
  printf 'error: %s\n' "$1" >&2
  printf 'hint: %s\n' "${@:2}" >&2
  exit 3
}

# To build the addon.
BUILD_PACKAGES=(ca-certificates g++ git make python3)
# The same, and to get and boot the guest's kernel.
BASE_PACKAGES=("${BUILD_PACKAGES[@]}" debian-archive-keyring kmod qemu-system-x86)
# For the checks on the C++ code; zlib and the libraries that the codec is compared with; what runs beside a cell.
CHECK_PACKAGES=(accel-config clang-19 clang-format-19 clang-tidy-19 libaccel-config1 libclang-rt-19-dev liblz4-1 liblzo2-2 libzstd1 linux-perf zlib1g-dev zstd)

# True when `node` and `npm` are there and Node is 20.19 or newer.
have_node() {
  command -v node >/dev/null && command -v npm >/dev/null &&
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
}

# Installs those of the Debian packages that are missing; says the exact command when not root.
need_packages() {
  command -v apt-get >/dev/null || missing 'apt-get was not found: this script sets up Debian 12 and 13 only' \
    "install what these Debian packages hold, then run 'npm ci && npm run build': $*"
  local wanted=("$@") package
  # Debian 13 has a Node that is new enough; Debian 12 has not (see need_node).
  if ! have_node && [ "$(. /etc/os-release && echo "${VERSION_ID:-0}")" = 13 ]; then
    wanted+=(libnode-dev nodejs npm)
  fi
  local absent=()
  for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || absent+=("$package")
  done
  [ ${#absent[@]} -gt 0 ] || return 0
  local install=(apt-get install --yes --no-install-recommends "${absent[@]}")
  if [ "$(id -u)" != 0 ]; then
    missing "these Debian packages are missing: ${absent[*]}" \
      "run as root: apt-get update && ${install[*]}"
  fi
  say "installing Debian packages: ${absent[*]}"
  apt-get update --quiet=2 >&2
  DEBIAN_FRONTEND=noninteractive "${install[@]}" --quiet=2 >&2
}

need_node() {
  have_node || missing "Node 20.19 or newer with npm is needed; found: $(node --version 2>/dev/null || echo none)" \
    "Debian 13: apt-get install nodejs npm" \
    "Debian 12: install it from https://nodejs.org or https://github.com/nodesource/distributions, then run again"
}

# Does all set-up; the arguments are the Debian packages needed.
setup() {
  need_packages "$@"
  need_node
  # npm writes node_modules/.package-lock.json last: an older one is from another lock file or from a broken install.
  if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    say 'installing npm packages'
    # The addon is built below, in a way that the next run can build upon.
    npm ci --ignore-scripts --no-progress >&2
    touch node_modules/.package-lock.json
  fi
  say 'building'
  node scripts/build.mjs >&2
  say 'set up'
}
