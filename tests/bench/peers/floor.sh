# The floor of a base copy: nothing but the servers' own programs, tuned by hand. Two COPY pipes in binary by ranges of
# 16,384 pages, the largest first, then keys and indexes by two workers. No statistics: it is a floor.
# $SOURCE, $TARGET: connection strings; $WORK: an empty folder.
set -euo pipefail
createdb --maintenance-db="${TARGET/dbname=app/dbname=postgres}" app
pg_dump -Fc -s -f "$WORK/schema" -d "$SOURCE"
pg_restore --section=pre-data -d "$TARGET" "$WORK/schema"
psql -XAtq -d "$SOURCE" -F ' ' > "$WORK/parts" <<'SQL'
select quote_ident(n.nspname) || '.' || quote_ident(c.relname), part * 16384,
       case when (part + 1) * 16384 >= c.relpages then 4294967295 else (part + 1) * 16384 end
from pg_class c join pg_namespace n on n.oid = c.relnamespace,
     generate_series(0, greatest(c.relpages - 1, 0) / 16384) part
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
order by c.relpages desc, 2
SQL
copy_part() {
  psql -Xq -d "$SOURCE" -c "copy (select * from $1 where ctid >= '($2,0)' and ctid < '($3,0)') to stdout (format binary)" |
    psql -Xq -d "$TARGET" -c "copy $1 from stdin (format binary)"
}
export -f copy_part
xargs -P 2 -L 1 bash -c 'copy_part "$1" "$2" "$3"' part < "$WORK/parts"
pg_restore --section=post-data -j 2 -d "$TARGET" "$WORK/schema"
