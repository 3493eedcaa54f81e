-- A row of every built-in type, and the values that break copies: extremes, infinities, empties, nulls, text that looks
-- like COPY's own marks, OIDs that differ from server to server.
create schema odd;

create type odd.mood as enum ('sad', 'ok', 'it''s "fine"');
create domain odd.even as integer check (value % 2 = 0);
create type odd.pair as (n integer, label text);
create type odd.span as range (subtype = numeric);

create table odd.every_type (
    id integer primary key,
    a_boolean boolean, a_smallint smallint, an_integer integer, a_bigint bigint,
    a_real real, a_double double precision, a_numeric numeric, a_scaled numeric(20, 5), a_money money,
    a_char char(5), a_varchar varchar(20), a_text text, a_one_byte "char", a_name name, a_bytea bytea,
    a_date date, a_time time, a_timetz timetz, a_timestamp timestamp, a_timestamptz timestamptz(3), an_interval interval,
    a_uuid uuid, a_json json, a_jsonb jsonb, a_jsonpath jsonpath, an_xml xml,
    a_bit bit(8), a_varbit bit varying(12),
    an_inet inet, a_cidr cidr, a_macaddr macaddr, a_macaddr8 macaddr8,
    a_point point, a_line line, an_lseg lseg, a_box box, a_path path, a_polygon polygon, a_circle circle,
    a_tsvector tsvector, a_tsquery tsquery,
    an_int4range int4range, an_int8range int8range, a_numrange numrange, a_tsrange tsrange, a_tstzrange tstzrange,
    a_daterange daterange, an_int4multirange int4multirange, a_datemultirange datemultirange,
    a_pg_lsn pg_lsn, a_txid_snapshot txid_snapshot, a_pg_snapshot pg_snapshot, an_xid xid, an_xid8 xid8, a_cid cid,
    a_tid tid, an_oid oid, a_regclass regclass, a_regtype regtype, a_regproc regproc, a_regprocedure regprocedure,
    a_regoper regoper, a_regoperator regoperator, a_regrole regrole, a_regnamespace regnamespace,
    a_regcollation regcollation, a_regconfig regconfig, a_regdictionary regdictionary,
    a_refcursor refcursor, an_int2vector int2vector, an_oidvector oidvector, an_aclitem aclitem,
    a_mood odd.mood, an_even odd.even, a_pair odd.pair, a_span odd.span,
    some_integers integer[], some_text text[], a_matrix integer[][], some_numerics numeric[], some_moods odd.mood[],
    some_pairs odd.pair[], some_json jsonb[], some_bytes bytea[], some_ranges daterange[],
    a_generated bigint generated always as (an_integer::bigint * 2) stored,
    "a ""quoted"" naïve COLUMN" text default 'x'
);

insert into odd.every_type (id) values (0);

insert into odd.every_type values (
    1,
    true, -32768, 2147483647, -9223372036854775808,
    'NaN', '-Infinity', 'NaN', 123456789012345.12345, '-92233720368547758.08',
    'ab', 'naïve €', E'tab\there, newline\nthere, return\r, backslash \\N \\. \\, quote '' " end', '\377', 'a_name',
    decode('000102fffe5c4e0a0d09', 'hex'),
    'infinity', '24:00:00', '23:59:59.999999-15:59', '-infinity', '4713-01-01 00:00:00+00 BC',
    '-178000000 years 11 mons -3 days 04:05:06.789',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a" :  1, "a": 2}', '{"deep": [null, 1e400, "\u20ac", {}]}',
    '$.a[*] ? (@.b > 1)', '<a b="c">text &amp; more<!-- x --></a>',
    B'10101010', B'',
    '::ffff:1.2.3.4/96', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
    '(NaN,-0)', '{1,-1,0.1}', '[(0,0),(1e300,-1e-300)]', '(3,4),(1,2)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))',
    '<(1,2),3>',
    $$'it''s':1A,4 cat:2B fat$$, $$'fat':AB & !cat:* <-> rat$$,
    'empty', '[-9223372036854775808,)', '(1.10,2.200]', '["2020-01-01 00:00","infinity")', '(,)',
    '[-infinity,2020-02-29]', '{[1,3),[5,)}', '{}',
    'FFFFFFFF/FFFFFFFF', '10:20:10,14,15', '10:20:10,14,15', '4294967295', '18446744073709551615', '7',
    '(4294967294,65535)', '4294967295', 'odd.every_type', 'odd.mood', 'pg_catalog.now', 'lower(text)',
    'pg_catalog.||/', '+(integer,integer)', 'postgres', 'odd', '"C"', 'english', 'simple',
    'a cursor', '1 -2 3', '0 4294967295', 'postgres=r*w/postgres',
    'it''s "fine"', -42, row (null, 'a "b", (c)\'), '[1.5,)',
    '{}', array [null, 'NULL', '', '{a,"b"}', E'\\', ' '], '[0:1][-1:0]={{1,2},{3,4}}', '{NaN,-0.00,1e-1000}',
    '{sad,"it''s \"fine\""}', array [row (1, null)::odd.pair, null], array ['null'::jsonb, '"\\"'],
    array [''::bytea, '\x00'], '{empty,"[2020-01-01,2020-01-02)",NULL}',
    default, ''
);

insert into odd.every_type (
    id, a_boolean, a_smallint, an_integer, a_bigint, a_real, a_double, a_numeric, a_scaled, a_money, a_char, a_text,
    a_one_byte, a_bytea, a_date, a_time, a_timetz, a_timestamp, a_timestamptz, an_interval, a_jsonb, a_bit, an_inet,
    some_text, a_pair, an_even
) values (
    2, false, 32767, -2147483648, 9223372036854775807, 3.4028235e38, 5e-324, '-Infinity', -0.00001, '92233720368547758.07',
    '', '', '', '', '4713-01-01 BC', '00:00', '00:00+15:59', '294276-12-31 23:59:59.999999', 'infinity', '0',
    'null', B'00000000', '255.255.255.255', '{}', row (null, null), 0
);

-- A numeric with many digits, a text that is stored out of line, compressed and not.
insert into odd.every_type (id, a_numeric, a_text, a_bytea)
select 3, (repeat('9', 30000) || '.' || repeat('1', 10000))::numeric, repeat('compresses well ', 20000),
       string_agg(sha256(n::text::bytea), '') from generate_series(1, 3000) n;

-- Tables that are not like others.
create table odd.no_columns ();
insert into odd.no_columns select from generate_series(1, 3);

create table odd."Ünïcode ""and"" spaces.dots" ("select" integer primary key, "from" text);
insert into odd."Ünïcode ""and"" spaces.dots" values (1, 'one'), (2, null);

create table odd.dropped_columns (gone integer, id integer primary key, also_gone text, kept text);
alter table odd.dropped_columns drop column gone, drop column also_gone;
alter table odd.dropped_columns add column added integer not null default 7;
insert into odd.dropped_columns values (1, 'kept', 8), (2, null, default);

create table odd.by_year (id bigint, year integer not null, note text, primary key (year, id)) partition by list (year);
create table odd.by_year_1999 partition of odd.by_year for values in (1999);
create table odd.by_year_2000 partition of odd.by_year for values in (2000) partition by range (id);
create table odd.by_year_2000_low partition of odd.by_year_2000 for values from (minvalue) to (100);
create table odd.by_year_2000_high partition of odd.by_year_2000 for values from (100) to (maxvalue);
create table odd.by_year_rest partition of odd.by_year default;
insert into odd.by_year select n, 1998 + n % 4, 'row ' || n from generate_series(1, 300) n;

create table odd.parent (id integer primary key, note text);
create table odd.child (more integer, primary key (id)) inherits (odd.parent);
insert into odd.parent values (1, 'parent'); insert into odd.child values (2, 'child', 3);

create unlogged table odd.unlogged (id integer primary key, note text);
insert into odd.unlogged values (1, 'not in the WAL');

-- Sequences: serial, identity, of nobody, never called, at their end, counting down.
create table odd.numbered (
    id bigint generated by default as identity (start 5 increment 3) primary key,
    other serial
);
insert into odd.numbered select from generate_series(1, 4);
create sequence odd.of_nobody start 10 minvalue -100 maxvalue 50 increment -5 cache 3;
select nextval('odd.of_nobody') from generate_series(1, 4);
create sequence odd.never_called start 77;
create sequence odd.at_its_end maxvalue 2;
select nextval('odd.at_its_end') from generate_series(1, 2);

-- Things that hang on tables.
create view odd.a_view as select id, note from odd.parent where id > 0;
create materialized view odd.a_summary as select year, count(*) from odd.by_year group by year;
create index a_summary_year on odd.a_summary (year);
create rule a_view_write as on update to odd.a_view do instead update odd.parent set note = new.note where id = old.id;
create function odd.shout(text) returns text language sql immutable as 'select upper($1)';
create index shouted on odd.parent (odd.shout(note)) where note is not null;
alter table odd.parent add constraint note_is_short check (length(note) < 1000) not valid;
create statistics odd.some_statistics (dependencies) on id, note from odd.parent;
comment on table odd.parent is 'it''s commented';

-- Arrays that can be sent as binary though their elements can't, or though their type's OID is another on every server.
create table odd.rights (id integer primary key, acl aclitem[], names information_schema.sql_identifier[]);
insert into odd.rights select 1, array['postgres=r*w/postgres'::aclitem], array['a'::information_schema.sql_identifier];
insert into odd.rights values (2, '{}', null);
