#!/usr/bin/env bash
# The one command: builds cais, then starts, shows, stops, cleans or tests the example stack; what each of those means is left to cais and cargo.
# Plain enough for macOS's bash 3.2: no associative arrays, no mapfile, no "${empty[@]}".
set -uo pipefail

CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit 1

# Outside the checkout, so that `git clean` and a second clone do not cost a rebuild; exported, so that
# the services' own build commands in compose.yaml use the same folder.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/cais/target}"
case "$CARGO_TARGET_DIR" in /*) ;; *) CARGO_TARGET_DIR="$PWD/$CARGO_TARGET_DIR" ;; esac
readonly BINARY="$CARGO_TARGET_DIR/release/cais"
readonly RUSTUP_COMMAND="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"

assume_yes=${CAIS_YES:-}
[ "$assume_yes" = 0 ] && assume_yes=

usage() {
  cat <<'TXT'
./start.sh          a menu
./start.sh up       build, start, stay in the foreground; Ctrl-C stops everything
                    up -d --wait starts in the background and returns when all is healthy
                    up --docker runs the same stack in containers
./start.sh logs     the logs of all services (-f follows)
./start.sh ps       tasks and their health
./start.sh down     stop everything
./start.sh VERB     any other verb of cais: plan, deploy, watch, rollback, status, history, events, scale,
                    restart, stop, start, check, build, push, infra, config, ... (cais --help)
./start.sh clean    the same, with volumes, state and built images
./start.sh exec     run a command where a task runs; top lists the tasks' processes
./start.sh test     run the tests
./start.sh help     this text

What follows such a verb goes on to cais; what follows test goes on to cargo test.
-y (or CAIS_YES=1) answers yes to every question.
TXT
}

# ---- talking ---------------------------------------------------------------

bold='' dim='' red='' plain=''
if [ -t 1 ] && [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\033[1m' dim=$'\033[2m' red=$'\033[31m' plain=$'\033[0m'
fi

say() { printf '%s\n' "$*" >&2; }
fail() { printf '%serror%s: %s\n' "$red" "$plain" "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
may_ask() { [ -t 0 ] && [ -t 2 ]; }

# Asks a question; without a terminal the answer is no, with -y it is yes.
agreed() {
  local answer=''
  if [ -n "$assume_yes" ]; then
    say "$1 yes"
    return 0
  fi
  may_ask || return 1
  printf '%s [y/N] ' "$1" >&2
  read -r answer || { say; return 1; }
  case "$answer" in [yY] | [yY][eE][sS]) return 0 ;; *) return 1 ;; esac
}

# Installing is agreed to by -y, by CI, or by a person; never in silence.
agreed_to_install() {
  if [ "${CI:-}" = true ]; then
    say "$1 yes (CI)"
    return 0
  fi
  agreed "$1"
}

# ---- what the machine needs ------------------------------------------------

# The command by which this system's own package manager installs `compiler` or `redis`.
package_command() {
  local sudo='sudo '
  [ "$(id -u)" != 0 ] || sudo=''
  if have apt-get; then
    [ "$1" = redis ] && echo "${sudo}apt-get install redis-server" || echo "${sudo}apt-get install build-essential"
  elif [ "$(uname -s)" = Darwin ]; then
    [ "$1" = redis ] && echo 'brew install redis' || echo 'xcode-select --install'
  elif have dnf; then
    [ "$1" = redis ] && echo "${sudo}dnf install redis" || echo "${sudo}dnf install gcc make"
  elif have pacman; then
    [ "$1" = redis ] && echo "${sudo}pacman -S valkey" || echo "${sudo}pacman -S base-devel"
  else
    [ "$1" = redis ] && echo "your system's package redis" || echo "your system's package of a C compiler that answers to cc"
  fi
}

# Installs Debian packages if this is a Debian system, the user may and agrees.
install_debian() {
  local sudo=''
  have apt-get || return 1
  if [ "$(id -u)" != 0 ]; then
    have sudo && sudo -n true 2>/dev/null || return 1
    sudo='sudo '
  fi
  agreed_to_install "Install with '${sudo}apt-get install $*'?" || return 1
  # shellcheck disable=SC2086 # $sudo is one word or none
  ${sudo}apt-get update -q && ${sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# Is version $1 at least version $2? Major and minor number decide.
at_least() {
  local have_major have_minor want_major want_minor
  IFS=. read -r have_major have_minor _ <<<"$1"
  IFS=. read -r want_major want_minor _ <<<"$2"
  [ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
} 2>/dev/null

wanted_rust() { sed -n 's/^rust-version *= *"\([^"]*\)".*/\1/p' Cargo.toml | head -n 1; }
installed_rust() { cargo --version 2>/dev/null | sed -n 's/^cargo \([0-9][0-9.]*\).*/\1/p'; }

# A Rust toolchain new enough for Cargo.toml, offered through rustup where it is missing.
need_rust() {
  local wanted found
  have cargo || PATH="$PATH:$HOME/.cargo/bin"
  export PATH
  wanted=$(wanted_rust)
  found=$(installed_rust)
  if [ -n "$found" ] && at_least "$found" "$wanted"; then return 0; fi

  if have rustup; then
    if [ -n "$found" ]; then say "cais needs Rust $wanted or later; this is $found."; else say "rustup is here, but no Rust toolchain."; fi
    if agreed_to_install "Install it with 'rustup default stable && rustup update stable'?"; then
      rustup default stable && rustup update stable && at_least "$(installed_rust)" "$wanted" && return 0
      fail "rustup did not bring Rust $wanted or later"
      return 1
    fi
    fail "Rust $wanted or later is needed; type: rustup default stable && rustup update stable"
    return 1
  fi

  if [ -n "$found" ]; then say "cais needs Rust $wanted or later; this is $found."; else say "Rust is not installed; cais needs $wanted or later."; fi
  if have curl || install_debian curl ca-certificates; then
    say "Rust's own installer, rustup, puts it into your home folder:"
    say "  $RUSTUP_COMMAND -s -- -y"
    if agreed_to_install "Run this now?"; then
      sh -c "$RUSTUP_COMMAND -s -- -y" || { fail "rustup's installer failed"; return 1; }
      PATH="$HOME/.cargo/bin:$PATH"
      at_least "$(installed_rust)" "$wanted" && return 0
      fail "the installer ended, but cargo $wanted or later is not in $HOME/.cargo/bin"
      return 1
    fi
  fi
  have curl || fail "curl is needed to install Rust; to install it: sudo apt-get install curl ca-certificates, or your system's package curl"
  fail "Rust $wanted or later is needed; type: $RUSTUP_COMMAND"
  return 1
}

# A C compiler: SQLite and the allocator are compiled from their C sources. Redis is offered in the same
# question, the first time only; without it nothing fails.
need_packages() {
  local redis=''
  if ! have redis-server && [ ! -e "$BINARY" ]; then redis='redis-server'; fi
  if ! have cc; then
    # shellcheck disable=SC2086 # $redis is one word or none
    install_debian build-essential $redis && have cc && return 0
    fail "there is no C compiler (cc); to install one: $(package_command compiler)"
    return 1
  fi
  if [ -n "$redis" ]; then install_debian redis-server || true; fi
}

need_tools() { need_rust && need_packages; }

say_without_redis() {
  have redis-server || say "redis-server is not installed: the services will cache in memory (to have it: $(package_command redis))"
}

# ---- building --------------------------------------------------------------

# Is the binary newer than everything it is made of, and made from this checkout? Its dep-info file,
# which cargo writes beside it, names the sources it was made from. Asked so that `up` need not start cargo.
is_fresh() {
  [ -x "$BINARY" ] && [ -f "$BINARY.d" ] || return 1
  grep -qF "$(printf '%s' "$PWD" | sed 's/ /\\ /g')/crates/cais/src/main.rs" "$BINARY.d" || return 1
  [ -z "$(find Cargo.toml Cargo.lock crates -path '*/tests/*' -prune -o -type f -newer "$BINARY" -print | head -n 1)" ]
}

build() {
  is_fresh && return 0
  need_tools || return 1
  if [ -e "$BINARY" ]; then
    say "${dim}building cais: its sources changed${plain}"
  else
    say "${bold}building cais${plain} into $CARGO_TARGET_DIR: a few minutes the first time, seconds after that"
  fi
  cargo build --release --locked || { fail "cais does not build; the reason is above"; return 1; }
  [ -x "$BINARY" ] || { fail "cargo built cais, but not as $BINARY; is CARGO_BUILD_TARGET or build.target set?"; return 1; }
}

# To look at or stop what runs, the binary that is there will do, even when the sources are broken just now.
build_if_missing() { [ -x "$BINARY" ] || build; }

# ---- verbs -----------------------------------------------------------------

run_up() {
  build || return 1
  case " $* " in *' --docker '*) ;; *) say_without_redis ;; esac
  exec "$BINARY" up --build "$@"
}

run_cais() {
  build_if_missing || return 1
  exec "$BINARY" "$@"
}

run_clean() {
  build_if_missing || return 1
  [ -z "$assume_yes" ] || set -- -y "$@"
  "$BINARY" clean "$@" || return
  say "what cargo built is kept in $CARGO_TARGET_DIR"
}

# Reads cargo test's output, prints one line for each test program, every failure in full, and the sums.
summarise_tests() {
  local line name='' failing='' passed=0 failed=0 ignored=0 skipped=0
  while IFS= read -r line; do
    case "$line" in
      'test result: '*)
        failing=''
        [[ $line =~ ([0-9]+)\ passed\;\ ([0-9]+)\ failed\;\ ([0-9]+)\ ignored.*finished\ in\ (.*) ]] || continue
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) ignored=$((ignored + BASH_REMATCH[3]))
        [ "$((BASH_REMATCH[1] + BASH_REMATCH[2]))" -eq 0 ] ||
          printf '  %-44s %4d passed%s  %s\n' "$name" "${BASH_REMATCH[1]}" "$([ "${BASH_REMATCH[2]}" = 0 ] || printf ', %d failed' "${BASH_REMATCH[2]}")" "${BASH_REMATCH[4]}"
        ;;
      failures:) failing=yes ;;
      *'   Running '*) name=$(test_program "$line") ;;
      *'   Doc-tests '*) name="${line##* } (examples in its documentation)" ;;
      'error: test failed'* | 'error: doctest failed'* | 'error: could not compile'* | *"process didn't exit"*) printf '%s\n' "$line" ;;
    esac
    [ -z "$failing" ] || printf '%s\n' "$line"
  done
  if [ -s "$CAIS_SKIPPED" ]; then
    skipped=$(sort -u "$CAIS_SKIPPED" | wc -l)
    printf 'could not run here:\n'
    sort -u "$CAIS_SKIPPED" | sed 's/^/  /'
  fi
  printf 'tests: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$((skipped + ignored))"
}

# `     Running unittests src/lib.rs (/…/deps/cais_engine-0123abcd)` becomes `cais_engine src/lib.rs`,
# `     Running tests/load.rs (/…/deps/load-0123abcd)` becomes `tests/load.rs`.
test_program() {
  local binary=${1##*/} file=${1#*Running }
  file=${file%% (*}
  case "$file" in
    'unittests '*) printf '%s %s' "${binary%-*}" "${file#unittests }" ;;
    *) printf '%s' "$file" ;;
  esac
}

run_tests() {
  local started=$SECONDS status log="$CARGO_TARGET_DIR/test.log"
  need_tools || return 1
  mkdir -p "$CARGO_TARGET_DIR" || return 1
  export CAIS_SKIPPED="${CAIS_SKIPPED:-$CARGO_TARGET_DIR/skipped.txt}"
  : >"$CAIS_SKIPPED" || return 1
  [ "$#" -gt 0 ] || set -- --workspace

  say "${bold}building the tests${plain} (a few minutes the first time)"
  if [ -t 2 ]; then
    cargo test "$@" --locked --no-run
  else
    cargo test "$@" --locked --no-run 2>&1 | { grep -v '^  Executable' || true; }
  fi || { fail "the tests do not build; the reason is above"; return 1; }

  say "${bold}running the tests${plain}"
  CARGO_TERM_COLOR=never cargo test "$@" --locked --no-fail-fast 2>&1 | tee "$log" | summarise_tests
  status=${PIPESTATUS[0]}
  if [ "$status" -eq 0 ]; then
    say "all of it in $((SECONDS - started)) s"
  else
    fail "there are failures; the whole output is in $log"
  fi
  return "$status"
}

# ---- the menu --------------------------------------------------------------

show_menu() {
  cat <<TXT

  ${bold}cais${plain}  the example stack: clock, calendar and Redis behind one load balancer

    ${bold}1${plain}  start     build, start in the background, wait until all is healthy
    ${bold}2${plain}  logs      follow the logs of all services ${dim}(Ctrl-C comes back here)${plain}
    ${bold}3${plain}  status    tasks and their health
    ${bold}4${plain}  destroy   stop everything
    ${bold}5${plain}  clean     the same, with volumes, state and built images
    ${bold}6${plain}  test      run the tests
    ${bold}0${plain}  quit

TXT
}

# Runs one verb in a process of its own: an interrupt ends the verb, not the menu.
from_menu() {
  trap ':' INT
  ("$@")
  local status=$?
  trap - INT
  case "$status" in
    0 | 130) ;;
    *) say "${dim}(ended with exit code $status)${plain}" ;;
  esac
}

menu() {
  local choice
  while true; do
    show_menu
    printf '  choose: ' >&2
    read -r choice || { say; return 0; }
    case "$choice" in
      1 | start | up) from_menu run_up -d --wait ;;
      2 | logs) from_menu run_cais logs -f ;;
      3 | status | ps) from_menu run_cais ps ;;
      4 | destroy | down) from_menu run_cais down ;;
      5 | clean) from_menu run_clean ;;
      6 | test) from_menu run_tests ;;
      0 | q | quit | exit) return 0 ;;
      '') ;;
      *) say "  there is no '$choice' here" ;;
    esac
  done
}

main() {
  local verb
  while [ "${1:-}" = -y ] || [ "${1:-}" = --yes ]; do
    assume_yes=1
    shift
  done
  [ "$#" -gt 0 ] || { menu; return; }
  verb=$1
  shift
  # Right after the verb -y is this script's; further on it belongs to whatever the words go to.
  if [ "${1:-}" = -y ] || [ "${1:-}" = --yes ]; then
    assume_yes=1
    shift
  fi
  case "$verb" in
    up) run_up "$@" ;;
    # Named one by one, so that a slip of the finger on a new machine does not build for minutes first.
    logs | ps | exec | top | down | plan | deploy | watch | rollback | status | history | events | scale | restart | stop | start | \
    check | build | push | pull | ci | secret | config | infra | init | schema | completion | version)
      run_cais "$verb" "$@" ;;
    clean) run_clean "$@" ;;
    test) run_tests "$@" ;;
    help | -h | --help) usage ;;
    *)
      fail "there is no '$verb' here"
      usage >&2
      return 2
      ;;
  esac
}

main "$@"
