# Boots a Debian container with its own systemd for the tests in this folder.
#
#     SUITE=trixie     another Debian release than bookworm
#     CACHE=DIR        where the container's root is kept between runs; default: target/system-test
#
# Requires root, to mount and boot. Installs debootstrap and systemd-container by apt if they are
# missing. The container shares the host's network, so it sees what listens on the host's loopback;
# once its root is built, it requests nothing else over the network.
# shellcheck shell=bash
# shellcheck source=tests/system/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
suite=${SUITE:-bookworm}
cache=${CACHE:-$project/target/system-test}

nspawn='' init='' cgroups=() helpers=()
unit=snaprotate.service
logs=/var/log/private/snaprotate

# Ends what this script started, by process id, and removes what it created.
clean_up() {
    trap '' INT TERM HUP
    for helper in $provider "${helpers[@]}"; do kill "$helper" 2>/dev/null; done
    if [ -n "$nspawn" ]; then
        [ -n "$init" ] || init=$(pgrep -P "$nspawn" | head -n 1)
        # nspawn then asks its init to power off.
        kill "$nspawn" 2>/dev/null
        within 15 gone "$nspawn" || kill -KILL "$nspawn" 2>/dev/null
        # An init outlives a killed nspawn. Killing the init ends the whole container.
        [ -z "$init" ] || gone "$init" || kill -KILL "$init" 2>/dev/null
    fi
    wait 2>/dev/null
    for group in "${cgroups[@]}"; do
        within 5 remove_cgroup "$group"
    done
    [ -z "$work" ] || rm -rf --one-file-system "$work"
}

remove_cgroup() {
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
    [ ! -d "$1" ]
}

# Runs a command in the container. The time limit is longer than TimeoutStopSec=, so that it is seen
# to act.
inside() { timeout 130 nsenter -t "$init" -m -p -u -i -n -C -- "$@"; }

# prepare_host BINARY: checks the requirements before anything starts.
prepare_host() {
    [ "$(id -u)" = 0 ] || give_up "needs root, to mount and boot a container; run it with sudo"
    [ -x "$1" ] || give_up "$1 is no program; run cargo build, or name one"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
    if ! command -v debootstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
        install_packages debootstrap systemd-container debian-archive-keyring
    fi
}

# The root is built once and never booted; each run boots a copy.
build_root() {
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock 9
    # A root that an older test built lacks the certificates.
    if [ ! -d "$cache/$suite/usr/share/ca-certificates" ]; then
        echo "building the container's root in $cache/$suite (about a minute, 270 MB)"
        local mirror
        # shellcheck disable=SC2016
        mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | head -n 1)
        rm -rf --one-file-system "$cache/$suite.new"
        # In a mount namespace, so that no mount is left behind after an interrupt.
        unshare --mount timeout 540 debootstrap --variant=minbase \
            --include=systemd,systemd-sysv,dbus,procps,ca-certificates "$suite" "$cache/$suite.new" ${mirror:+"$mirror"} \
            >"$work/debootstrap" 2>&1 ||
            { tail -n 20 "$work/debootstrap"; give_up "debootstrap failed"; }
        rm -rf --one-file-system "${cache:?}/$suite"
        mv "$cache/$suite.new" "$cache/$suite"
    fi
    cp -a --reflink=auto "$cache/$suite" "$work/root" || give_up "no room for a copy of the root"
    exec 9>&-
}

# Without systemd on the host, the container gets its own cgroup in each hierarchy that systemd
# uses. It then touches no other cgroup, and all its processes can be found.
boot() {
    local keep=() hierarchy
    if [ ! -d /run/systemd/system ]; then
        keep=(--keep-unit)
        if [ -e /sys/fs/cgroup/cgroup.procs ]; then
            set -- /sys/fs/cgroup
        else
            set -- /sys/fs/cgroup/systemd /sys/fs/cgroup/unified
        fi
        for hierarchy in "$@"; do
            [ -e "$hierarchy/cgroup.procs" ] || continue
            mkdir "$hierarchy/snaprotate-test.$$" || give_up "$hierarchy can't be written"
            cgroups+=("$hierarchy/snaprotate-test.$$")
        done
        [ "${#cgroups[@]}" -gt 0 ] || give_up "no cgroups for systemd under /sys/fs/cgroup"
    fi
    (
        for group in "${cgroups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
        # Newer versions refuse to boot on a host with cgroups v1 unless this is set.
        exec systemd-nspawn --quiet --directory="$work/root" --machine="snaprotate-test-$$" \
            --register=no "${keep[@]}" --resolv-conf=off --timezone=off --console=pipe \
            --setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 --boot \
            systemd.firstboot=off SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
    ) </dev/null >"$work/console" 2>&1 &
    nspawn=$!
    within 60 booted || { tail -n 30 "$work/console"; give_up "the container did not boot in a minute"; }
    version=$(inside systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
    echo "systemd $version of $suite is up"
}

booted() {
    init=$(pgrep -P "$nspawn" | head -n 1)
    [ -n "$init" ] && inside systemctl is-system-running | grep -Eq '^(running|degraded)$'
}

# The state of the service in the container.
property() { inside systemctl show "$unit" --property="$1" --value; }
is() { [ "$(property "$1")" = "$2" ] || { echo "$1 is $(property "$1"), not $2"; said; }; }
said() { inside journalctl --no-pager --lines=12 --unit="$unit" --unit='snaprotate-hook*'; return 1; }

# recorded COUNT EVENT: the trail has exactly COUNT such events.
recorded() {
    local lines
    lines=$(cat "$work/root$logs"/audit-*.jsonl | grep -c "\"event\":\"$2\"")
    [ "$lines" = "$1" ] || { echo "$2 stands $lines times in the trail, not $1 times"; return 1; }
}
soon_recorded() { within 20 recorded "$@" || { recorded "$@"; said; }; }
running() { [ "$(property ActiveState)/$(property SubState)" = active/running ]; }
