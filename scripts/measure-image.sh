#!/usr/bin/env bash
# Prints how large the image is, how fast it starts and how much memory it takes, beside the targets; fails where one is missed.
#
#   scripts/build-image && scripts/measure-image.sh [--image TAG] [--simulator target/debug/harbor-pilot]
#
# Needs a Docker Engine (scripts/with-docker), a C compiler for the empty container, and a program with the simulator.
set -euo pipefail
exec python3 "$(dirname "$0")/container/measure.py" "$@"
