select pg_char_to_encoding($1::text) >= 0 as encoding_known,
       -- From 16 on "unicode" is ICU's and everywhere; this one comes with ICU only.
       exists (select from pg_collation where collname = 'und-x-icu') as icu
