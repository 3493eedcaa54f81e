# The field's usual way: pg_dump in a folder with two workers, restored with two, and statistics.
set -euo pipefail
createdb --maintenance-db="${TARGET/dbname=app/dbname=postgres}" app
pg_dump -Fd -Z 0 -j 2 -f "$WORK/dump" -d "$SOURCE"
pg_restore -j 2 -d "$TARGET" "$WORK/dump"
vacuumdb -q --analyze-only -j 2 -d "$TARGET"
