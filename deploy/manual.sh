#!/bin/sh
# Writes the manual pages of a program and of its commands into a folder: manual.sh PROGRAM FOLDER
set -eu
program=$1 name=${1##*/}
mkdir -p "$2"
"$program" --manual >"$2/$name.1"
[ "$name" = plateau ] || exit 0
for command in $("$program" help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do
  "$program" "$command" --manual >"$2/$name-$command.1"
done
