//! What servers, databases and roles are set to must not matter.
use std::sync::Arc;

use crate::{Followed, driver};

/// Set on the database on either side: other forms of values, other readings of them, and refusals.
const HOSTILE: [(&str, &str); 24] = [
    ("datestyle", "'German, MDY'"),
    ("intervalstyle", "'iso_8601'"),
    ("timezone", "'Pacific/Chatham'"),
    ("bytea_output", "'escape'"),
    ("extra_float_digits", "-15"),
    ("lc_monetary", "'de_DE.UTF-8'"),
    ("lc_numeric", "'de_DE.UTF-8'"),
    ("lc_messages", "'de_DE.UTF-8'"),
    ("search_path", "'hidden', 'public'"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "off"),
    ("xmloption", "document"),
    ("xmlbinary", "hex"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_deferrable", "on"),
    ("default_transaction_read_only", "on"),
    ("row_security", "off"),
    ("session_replication_role", "replica"),
    ("statement_timeout", "1"),
    ("lock_timeout", "1"),
    ("idle_in_transaction_session_timeout", "1"),
];

const SCHEMA: &str = r#"
create schema hidden;
create table t (id int primary key, d date, i interval, z timestamptz, y bytea, r real, f float8, m money, n numeric, x xml,
                a text[], c regclass, s text, ts timestamp, tz timetz);
create table whole (like t); alter table whole replica identity full;
create table hidden.whole (id int);

create function fill(table_name regclass, first int) returns void language plpgsql as $$ begin
    execute format($f$insert into %s select g, date '2020-02-01' + g, interval '1 day -2 hours', timestamptz '2020-03-01 12:00+00', '\x00ff5c27', 0.1, 1/3::float8,
        -12.34, 1.50, '<a/>text', array[null, 'NULL', 'null'], 'public.whole'::regclass, E'a\\b''c"', '2020-02-01 01:02:03.456', '12:00+05:30'
        from generate_series(%s, %s) g$f$, table_name, first, first + 49);
end $$;

select fill('t', 1), fill('whole', 1)
"#;

const WRITES: &str = r"
update t set s = s || '!' where id < 10; update whole set s = s || '!' where id < 10;

update t set id = -id where id = 3; update whole set x = null, a = '{}' where id = 3;

delete from t where id between 10 and 15; delete from whole where id between 10 and 15;

update t set r = r + 1, m = m * 2, d = d + 1; update whole set r = r + 1, m = m * 2, d = d + 1;

select fill('t', 1000), fill('whole', 1000);

update whole set f = f + 1 where id = 1000;

delete from whole where id > 1010
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_databases_do_not_matter() {
    let mut followed = Followed::start("settings", SCHEMA).await;
    followed.write(WRITES).await;
    followed.assert_alike().await;
    // Both sides are set; then the work is begun anew, as by another agent.
    let (source, target) = (Arc::clone(&followed.source), Arc::clone(&followed.target));
    for (name, value) in HOSTILE {
        for cluster in [&source, &target] {
            // A locale that is not on this machine can't be set.
            let statement = format!("alter database settings set {name} to {value}");
            let set = driver::session(cluster, "postgres").await.batch_execute(&statement).await;
            assert!(set.is_ok() || name.starts_with("lc_"), "{name}: {set:?}");
        }
    }
    followed.go_on().await;
    followed.write(WRITES.replace("1000)", "2000)").as_str()).await;
    followed.assert_alike().await;
}

/// Set in the application's session, in which our event trigger runs: what it tells is read on the target under other settings.
const SESSION: &str = r"
set datestyle = 'SQL, DMY';
set intervalstyle = 'sql_standard';
set extra_float_digits = 0;
set standard_conforming_strings = off;
set bytea_output = 'escape';
set quote_all_identifiers = on;

alter table t add d date default '2024-04-05', add i interval default '-1 day -2 hours', add f float8 default pi(),
              add s text default E'a\\b', add y bytea default '\\x00ff5c27'::bytea;
alter table t alter d drop default, alter i drop default, alter f drop default, alter s drop default, alter y drop default;

alter table t add e date default '2024-04-05', add j interval default '-1 day -2 hours', add r text default E'c\\d';

alter table t add constraint late check (e > date '2000-01-02' and r <> E'\\');

create table p1 partition of p for values from ('2025-02-01') to ('2025-03-01');
insert into p values ('2025-02-15');

create view v as select * from t where e > date '2001-03-04' and r <> E'e\\f'
";

/// Defaults, checks, bounds and views of both sides are compared as one session prints them.
const PRINTED: &str = "select string_agg(text, E'\\n' order by text) from (
    select pg_get_expr(adbin, adrelid) as text from pg_attrdef where adrelid = 'public.t'::regclass
    union all select pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
    union all select pg_get_expr(relpartbound, oid) from pg_class where relispartition
    union all select pg_get_viewdef('public.v'::regclass)) texts where text is not null";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_session_that_changes_the_schema_do_not_matter() {
    let schema = "create table t (id int primary key); insert into t select generate_series(1, 9);
                  create table p (at date not null) partition by range (at)";
    let mut followed = Followed::start("session", schema).await;
    followed.write(SESSION).await;
    followed.assert_alike().await;
    let on_source = driver::value(&followed.source, "session", PRINTED).await;
    assert_eq!(driver::value(&followed.target, "session", PRINTED).await, on_source);
}
