-- Has a database of encoding $2 the system's collation $1 here? And is there ICU?
select exists (
           select from pg_collation
           where collname = $1::text and collnamespace = 'pg_catalog'::regnamespace
             and collencoding in (-1, pg_char_to_encoding($2::text))
       ) as collation,
       -- From 16 on "unicode" is ICU's and everywhere; this one comes with ICU only.
       exists (select from pg_collation where collname = 'und-x-icu') as icu
