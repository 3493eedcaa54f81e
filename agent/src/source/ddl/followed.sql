exists (
    select from pg_publication_rel fr join pg_publication fp on fp.oid = fr.prpubid
    where fr.prrelid = c.oid and fp.pubname in ({publication}, {keyless})
)