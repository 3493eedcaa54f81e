-- Every type, as a key (k_…) and in rows without one (f_…, REPLICA IDENTITY FULL), with its odd values; `twins` are equal to
-- one of the values by the type's own operator, and are another text.
create extension citext;
create extension hstore;
create extension ltree;
create schema "own types";
create type "own types".mood as enum ('sad', 'so, so', 'ha"ppy', '');
create type "own types".pair as (a integer, b text);
create domain "own types"."even number" as integer check (value % 2 = 0);
create domain "own types".tags as text[] check (cardinality(value) < 9);
create type "own types".span as range (subtype = numeric);
create collation "own types".nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

create table kind (n serial primary key, type text, keyed boolean, list text[], twins text[]);
insert into kind (type, keyed, list, twins) values
('boolean', true, '{t,f}', '{}'),
('smallint', true, '{-32768,0,32767}', '{}'),
('integer', true, '{-2147483648,0,2147483647}', '{}'),
('bigint', true, '{-9223372036854775808,0,9223372036854775807}', '{}'),
('real', true, '{NaN,-Infinity,0,1e-45,3.4028235e38,0.1}', '{-0}'),
('double precision', true, '{NaN,Infinity,0,5e-324,0.1,1e300}', '{-0}'),
('numeric', true, '{NaN,Infinity,-Infinity,1,0,-1e-100,123456789012345678901234567890.5}', '{1.0,0.000}'),
('numeric(20,5)', true, '{NaN,1.00000,-0.00001,123456789012345.12345}', '{}'),
('money', true, '{-92233720368547758.08,0.00,92233720368547758.07}', '{}'),
('char(5)', true, array['a', 'ab', '', '\', '"', 'NULL'], '{"ab   "}'),
('bpchar', true, array['a', 'b ', '', '  x'], '{"a  "}'),
('varchar(20)', true, array['a', 'a ', '', E'tab\t', E'new\nline', '\N', '\.', '{}', '"'], '{}'),
('text', true, array['a', 'A', 'a ', '', 'NULL', 'null', '\', '\\', '"', '''', '{a,b}', 'naïve €', E'\r\n', E'\x01'], '{}'),
('text collate "own types".nocase', true, array['a', 'b', 'É', ''], '{A,é}'),
('text collate "C"', true, array['a', 'A', 'é'], '{}'),
('"char"', true, array['a', '', '\377', '\'], '{}'),
('name', true, '{a,A," b"}', '{}'),
('bytea', true, array['', '\x00', '\x5c', '\xff22', '\x27'], '{}'),
('date', true, '{infinity,-infinity,4713-01-01 BC,2000-02-29,5874897-12-31}', '{}'),
('time', true, '{24:00:00,00:00:00,23:59:59.999999}', '{}'),
('timetz', true, '{24:00:00-15:59,00:00:00+15:59,12:00:00+00,13:00:00+01}', '{}'),
('timestamp', true, '{infinity,-infinity,4713-01-01 00:00:00 BC,294276-12-31 23:59:59.999999}', '{}'),
('timestamptz', true, '{infinity,-infinity,4714-11-24 00:00:00+00 BC,2020-06-01 12:00:00+00}', '{}'),
('interval', true, '{1 mon,-178000000 years,00:00:00.000001,0}', '{30 days}'),
('uuid', true, '{00000000-0000-0000-0000-000000000000,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '{}'),
('jsonb', true, array['1', 'null', '"a\\\"b"', '{"a": [1, {}]}', '[]'], '{1.00}'),
('bit(4)', true, '{0000,1010}', '{}'),
('bit varying(12)', true, '{"",0,00,1010}', '{}'),
('inet', true, '{1.2.3.4,1.2.3.4/24,::1,::ffff:1.2.3.4/96}', '{}'),
('cidr', true, '{10.0.0.0/8,::/0}', '{}'),
('macaddr', true, '{08:00:2b:01:02:03}', '{}'),
('macaddr8', true, '{08:00:2b:01:02:03:04:05}', '{}'),
('tsvector', true, array['', '''it''''s'':1A,4 ''cat'':2B'], '{}'),
('tsquery', true, array['''fat'':AB & !''cat'':* <-> ''rat''', '''a'''], '{}'),
('int4range', true, array['empty', '(,)', '[1,5)', '(,0)'], '{"[1,4]"}'),
('numrange', true, array['empty', '[1.0,2.5]', '(,)'], '{"[1.00,2.50]"}'),
('tstzrange', true, array['["2020-01-01 00:00:00+00",infinity)', 'empty'], '{}'),
('daterange', true, array['[-infinity,2020-02-29)', 'empty'], '{}'),
('int4multirange', true, array['{}', '{[1,3),[5,)}'], '{}'),
('pg_lsn', true, '{0/0,FFFFFFFF/FFFFFFFF}', '{}'),
('xid8', true, '{0,18446744073709551615}', '{}'),
('oid', true, '{0,4294967295}', '{}'),
('tid', true, array['(0,1)', '(4294967294,65535)'], '{}'),
('oidvector', true, array['', '0 4294967295'], '{}'),
('regclass', true, array['-', 'public.kind', 'pg_class'], '{}'),
('regtype', true, array['integer', '"own types".mood', 'public.citext'], '{}'),
('"own types".mood', true, array['sad', 'so, so', 'ha"ppy', ''], '{}'),
('"own types"."even number"', true, '{-2,0,2}', '{}'),
('"own types".tags', true, array['{}', '{a,NULL,"NULL"}', '{"{}"}'], '{}'),
('"own types".pair', true, array['(1,)', '(,)', '(,"a ""b"", (c)\\")', '(1,a)', '(1,"")'], '{}'),
('"own types".span', true, array['[1.5,)', 'empty'], '{"[1.50,)"}'),
('integer[]', true, array['{}', '{1,NULL,2}', '[0:1]={1,2}', '{{1,2},{3,4}}', '[2:3][-1:0]={{1,2},{3,4}}'], '{}'),
('text[]', true, array['{}', '{NULL,"NULL","","{a,\"b\"}","\\\\"," "}', '{a}'], '{}'),
('numeric[]', true, array['{NaN,1,0}', '{1e-1000}'], '{"{NaN,1.0,0.00}"}'),
('real[]', true, array['{NaN,0,Infinity}'], '{"{NaN,-0,Infinity}"}'),
('"own types".mood[]', true, array['{sad,"so, so","ha\"ppy",""}', '{}'], '{}'),
('"own types".pair[]', true, array['{"(1,)",NULL,"(,\"a \"\"b\"\"\")"}'], '{}'),
('bytea[]', true, array['{"","\\x00","\\x5c"}'], '{}'),
('jsonb[]', true, array['{"null","\"\\\\\"","{\"a\": 1}"}'], '{"{\"null\",\"\\\"\\\\\\\\\\\"\",\"{\\\"a\\\": 1.0}\"}"}'),
('citext', true, array['a', 'B', 'é', ''], '{A,b}'),
('citext[]', true, array['{a,B}'], '{"{A,b}"}'),
('hstore', true, array['', '"a"=>NULL, "b"=>"x"'], '{}'),
('ltree', true, array['', 'Top.Science'], '{}'),
('json', false, array['{"a" :  1, "a": 2}', 'null', '[]'], '{}'),
('xml', false, array['<a b="c">text &amp; more<!-- x --></a>', '', 'only text', '<a/><b/>'], '{}'),
('point', false, array['(1,2)', '(NaN,-0)', '(1.0000001,2)'], '{}'),
('line', false, array['{1,-1,0.1}'], '{}'),
('lseg', false, array['[(0,0),(1e+300,-1e-300)]'], '{}'),
('box', false, array['(3,4),(1,2)', '(2,2),(0,0)'], array['(4,1),(0,0)']),
('path', false, array['[(0,0),(1,1)]', '((0,0),(1,1),(2,0))'], array['[(5,5),(6,6)]']),
('polygon', false, array['((0,0),(1,1),(2,0))'], '{}'),
('circle', false, array['<(1,2),3>'], array['<(9,9),3>']),
('jsonpath', false, array['$."a"[*]?(@."b" > 1)'], '{}'),
('xid', false, '{0,4294967295}', '{}'),
('cid', false, '{7}', '{}'),
('int2vector', false, array['1 -2 3', ''], '{}'),
('aclitem', false, array['postgres=r*w/postgres'], '{}'),
('refcursor', false, array['a cursor'], '{}'),
('pg_snapshot', false, array['10:20:10,14,15'], '{}'),
('xml[]', false, array['{<a/>,"<b x=\"1\"/>"}'], '{}'),
('point[]', false, array['{"(1,2)","(NaN,-0)"}'], '{}');

do $$
declare kind record; one text;
begin
    for kind in select * from kind loop
        if kind.keyed then
            execute format('create table k_%s (v integer, k %s primary key, pad text)', kind.n, kind.type);
        end if;
        execute format('create table f_%s (k %s, v integer, again text)', kind.n, kind.type);
        execute format('alter table f_%s replica identity full', kind.n);
        foreach one in array kind.list loop
            if kind.keyed then execute format('insert into k_%s values (0, %L, %L)', kind.n, one, 'x'); end if;
            execute format('insert into f_%s values (%2$L, 0, null), (%2$L, 0, null), (null, 0, null), (%2$L, null, %3$L)', kind.n, one, 'x');
        end loop;
        foreach one in array kind.twins loop
            execute format('insert into f_%s values (%2$L, 0, null), (%2$L, 0, null), (%2$L, null, %3$L)', kind.n, one, 'x');
        end loop;
    end loop;
end $$;
