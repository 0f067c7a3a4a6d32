#!/usr/bin/env bash
# The scenarios that take their time, one after the other: bash slow.sh BIN-FOLDER [NAME…]
set -u
here=$(dirname "$0")
bin=${1:-$here/../../build/dev/bin}
shift
failed=0
for s in "$here"/slow/*.sh; do
    name=$(basename "$s" .sh)
    if [ $# -gt 0 ] && ! printf '%s\n' "$@" | grep -qx "$name"; then continue; fi
    begun=$(date +%s)
    bash "$s" "$bin" >"/tmp/slow.$$" 2>&1
    status=$?
    case $status in
    0) echo "passed: $name ($(($(date +%s) - begun)) s)" ;;
    77) echo "skipped: $name: $(tail -1 "/tmp/slow.$$")" ;;
    *) echo "FAILED: $name (status $status)"; cat "/tmp/slow.$$"; failed=1 ;;
    esac
done
rm -f "/tmp/slow.$$"
exit $failed
