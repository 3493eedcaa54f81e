-- As initdb makes it.
create schema public;
alter schema public owner to pg_database_owner; -- since 15
grant usage on schema public to public;
grant create on schema public to public; -- before 15
comment on schema public is 'standard public schema';
