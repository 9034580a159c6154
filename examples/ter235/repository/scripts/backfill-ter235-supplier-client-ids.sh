#!/bin/sh
# TER-235, second step: fills the new columns from supplier_profiles.legacy_vendor_id.
set -eu
cd "$(dirname "$0")"

if [ "${1:-}" != --confirm-production ]; then
    echo "usage: $0 --confirm-production" >&2
    exit 2
fi
echo "ter-235 backfill: filling supplier_client_id and client_id from supplier_profiles.legacy_vendor_id"
sql ter235-backfill.sql
echo "ter-235 backfill: done"
