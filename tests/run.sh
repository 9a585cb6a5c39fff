#!/usr/bin/env bash
# Run pytest, given as the arguments, so that nothing of it stays on the machine and nothing on the machine reaches into it:
# what a killed run left under /tmp (a disk still mounted, say) would otherwise fail the next one when pytest clears it away.
set -euo pipefail
# A short path, whatever TMPDIR is: the names of sockets below it have room for 107 bytes.
folder=$(mktemp -d /tmp/bongsu-tests.XXXXXX)
own=()
# Disks that tests mount vanish with the last of their processes, however those end.
if [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then own=(unshare --mount); fi
code=0
"${own[@]}" "$@" --basetemp="$folder/all" || code=$?
if [ "$code" -eq 0 ]; then
  rm -rf "$folder" || true
else
  echo "what the tests left is in $folder" >&2
fi
exit "$code"
