select pg_char_to_encoding($1::text) >= 0 as encoding_known,
       exists (select from pg_collation where collprovider = 'i') as icu
