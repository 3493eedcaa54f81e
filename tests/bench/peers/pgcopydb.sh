# pgcopydb with its defaults: 4 table workers, 4 index workers, VACUUM ANALYZE.
set -euo pipefail
createdb --maintenance-db="${TARGET/dbname=app/dbname=postgres}" app
pgcopydb clone --source "$SOURCE" --target "$TARGET" --dir "$WORK/pgcopydb" >"$WORK/log" 2>&1 || { tail -n 20 "$WORK/log" >&2; exit 1; }
