-- Digests of the contents of the large objects $1, read in pieces of $2 bytes: a whole one could be of 4 TB.
with recursive piece(oid, number, length, hash) as (
    select o.oid, 0::int8, length(p.data), md5(p.data)
    from unnest($1::oid[]) o(oid), lateral (select lo_get(o.oid, 0, $2::int4) as data offset 0) p
    union all
    select w.oid, w.number + 1, length(p.data), md5(p.data)
    from piece w, lateral (select lo_get(w.oid, (w.number + 1) * $2::int4, $2::int4) as data offset 0) p
    where w.length = $2::int4
)
select oid, md5(string_agg(hash, '' order by number)) from piece group by oid
