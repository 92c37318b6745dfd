#!/bin/sh
# What the tests' real browser and offscreen phone need from the system. Quiet where it is there already.
set -eu
wanted="chromium libegl1 libgl1 libgles2 libgl1-mesa-dri libmtdev1"
# Any JDK will do to compile the phone's Java.
command -v javac >/dev/null 2>&1 || wanted="$wanted default-jdk-headless"
missing=""
for package in $wanted; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
become=""
[ "$(id -u)" = 0 ] || become="sudo -n"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "Install these yourself, then the browser and phone tests run:$missing" >&2
  exit 0
fi
echo "Installing for the tests:$missing"
log=$(mktemp)
if ! { DEBIAN_FRONTEND=noninteractive $become apt-get update -qq &&
       DEBIAN_FRONTEND=noninteractive $become apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
  tail -n 5 "$log" >&2
  echo "Could not install:$missing (as root: apt-get install$missing)" >&2
  exit 1
fi
