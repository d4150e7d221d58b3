#!/bin/sh
# Bring Temporal's two databases to the schema of this version. Safe to run at every start:
# an update of a current schema does nothing, and only a database without one is set up anew.
# The connection comes from the SQL_* variables of temporal-sql-tool.
set -eu
versions=/etc/temporal/schema/postgresql/v12

bring_up() {
    temporal-sql-tool --db "$1" update-schema --schema-dir "$versions/$2/versioned" && return
    temporal-sql-tool --db "$1" setup-schema --version 0.0
    temporal-sql-tool --db "$1" update-schema --schema-dir "$versions/$2/versioned"
}

bring_up temporal temporal
bring_up temporal_visibility visibility
