#!/usr/bin/env bash
# Tests the Debian package in a booted container: installs it, adds a policy, upgrades, removes and
# purges it, and checks it with lintian.
#
#     tests/system/package.sh [BINARY]        default: target/debug/snaprotate
#
# container.sh lists the requirements. Installs lintian and cargo-deb if they are missing. A debug
# build is packaged like a release, equally stripped and linked, so lintian finds the same in both;
# only the size of the program differs.
set -uo pipefail

# shellcheck source=tests/system/container.sh
. "$(dirname "$0")/container.sh"
binary=${1:-$project/target/debug/snaprotate}
export LC_ALL=C

build_packages() {
    echo "building the package"
    "$project/packaging/build" --binary "$binary" --output "$work/packages" deb >"$work/build" 2>&1 ||
        { tail -n 20 "$work/build"; give_up "the package could not be built"; }
    deb=$(echo "$work"/packages/*.deb)
    # The same package as the next revision.
    dpkg-deb -R "$deb" "$work/newer"
    sed -i 's/^\(Version: .*\)-1$/\1-2/' "$work/newer/DEBIAN/control"
    dpkg-deb --root-owner-group -Zgzip -z1 -b "$work/newer" "$work/packages/newer.deb" >/dev/null ||
        give_up "the newer package could not be built"
    install -d "$work/root/srv/packages"
    cp "$deb" "$work/root/srv/packages/this.deb"
    cp "$work/packages/newer.deb" "$work/root/srv/packages/"
}

start_receivers() {
    python3 "$system/receivers.py" "$work/ports" "$work/webhook" "$work/mail" &
    helpers+=($!)
    within 10 test -s "$work/ports" || give_up "the receivers of alerts did not start"
    read -r webhook_port mail_port <"$work/ports"
    touch "$work/webhook" "$work/mail"
}

get() { inside env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "$@" </dev/null; }

command -v dpkg-deb >/dev/null || give_up "needs dpkg; run it on Debian, or what is made from it"
prepare_host "$binary"
command -v lintian >/dev/null || install_packages lintian
build_root
build_packages
start_provider
start_receivers
boot

# shellcheck source=tests/system/package_points.sh
. "$system/package_points.sh"

echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
