#!/bin/sh
# TER-235, first step: the columns that point from purchase order items and vendor notes to the client.
set -eu
cd "$(dirname "$0")"

case "${1:-}" in
--dry-run)
    echo "ter-235 columns: looking only"
    sql ter235-columns-check.sql
    ;;
--confirm-production)
    echo "ter-235 columns: adding purchaseOrderItems.supplier_client_id and vendorNotes.client_id"
    sql ter235-columns.sql
    echo "ter-235 columns: done"
    ;;
*)
    echo "usage: $0 --dry-run|--confirm-production" >&2
    exit 2
    ;;
esac
