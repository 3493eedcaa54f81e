alter table pgbench_history add column id bigserial primary key;
create table marker (id bigserial primary key);
create table hot (id integer primary key, n bigint not null, note text);
insert into hot select i, 0, 'x' from generate_series(1, 100) i;
create table insert_only (id bigserial primary key, a integer, b text, at timestamptz default now());
create table short_lived (id integer primary key, a integer, b text);
insert into short_lived select i, i, md5(i::text) from generate_series(1, 100000) i;
create index on short_lived (a);
create table keyless (a integer, b integer, c text);
insert into keyless select i, i, md5(i::text) from generate_series(1, 500) i;
alter table keyless replica identity full;
create table large (id integer primary key, a integer, b text);
insert into large select i, i, md5(i::text) from generate_series(1, 100000) i;
do $$
begin
    execute 'create table forty (id integer primary key, '
        || (select string_agg(format('c%s %s', i, (array['integer', 'text', 'numeric', 'timestamptz'])[1 + i % 4]), ', ')
            from generate_series(1, 39) i) || ')';
    execute 'insert into forty (id, c4, c1, c2, c3) select i, i, ''a text of some length'', 1.5 * i, now() from generate_series(1, 20000) i';
end
$$;
