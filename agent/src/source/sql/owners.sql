-- Which table an index or a constraint belongs to.
select indexrelid, indrelid from pg_index where indrelid >= 16384
union all
select oid, conrelid from pg_constraint where conrelid >= 16384;
