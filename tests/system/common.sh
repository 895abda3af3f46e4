# Shared by the tests in this folder: waiting, failing, one line for each result, and the stand-in
# of the provider. They source this first, and create $work themselves.
# shellcheck shell=bash disable=SC2034
system=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$system/../.." && pwd)
token=fake-token-of-the-system-test
# All of 127/8 is this host. A random address in it is used by nobody else.
page=127.$((RANDOM % 200 + 20)).$((RANDOM % 200 + 20)).1:9180

work='' provider='' passed=0 failed=0

give_up() { echo "$(basename "$0"): $*" >&2; exit 1; }

gone() { ! kill -0 "$1" 2>/dev/null; }

# within SECONDS COMMAND…: repeats the command until it succeeds; fails after SECONDS.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# point WHAT COMMAND…: runs a check and prints one line of the result.
point() {
    local what=$1
    shift
    if "$@" >"$work/point" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $what"
    else
        failed=$((failed + 1))
        echo "FAILED  $what"
        sed 's/^/          /' "$work/point"
        return 1
    fi
}

# install_packages NAME…: installs what the test needs; requires root.
install_packages() {
    command -v apt-get >/dev/null || give_up "needs $*; install them"
    [ "$(id -u)" = 0 ] || give_up "needs $*, which root can install by apt-get"
    echo "installing $*"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "$@"; } >"$work/apt" 2>&1 ||
        { tail -n 20 "$work/apt"; give_up "apt could not install $*"; }
}

start_provider() {
    command -v python3 >/dev/null || give_up "needs python3 for the stand-in of the provider"
    python3 "$system/provider.py" "$work/port" "$work/requests" "$token" 2>"$work/provider" &
    provider=$!
    within 10 test -s "$work/port" || { cat "$work/provider"; give_up "the stand-in did not start"; }
}
