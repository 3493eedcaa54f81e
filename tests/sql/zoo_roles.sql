-- Roles for the zoo (zoo.sql). All are on the source alone: the migration makes them.
create role keeper login password 'keeper''s';
create role visitor noinherit;
create role "Dr. ""Who""" createrole;
grant visitor to keeper with admin option;
grant pg_read_all_settings to visitor;
comment on role visitor is 'comes and goes';
alter role keeper set statement_timeout to '33s';
alter role keeper in database zoo set search_path to 'aviary', "Odd schema", public;
