//! GENERATED ALWAYS AS IDENTITY of partitioned tables: since 17 their partitions share it, before they have none.
use std::sync::Arc;

use super::{cut_over, following_on};
use crate::{
    cluster::{Cluster, programs_of},
    driver::{HBA, moved_alike, sql, value},
};

const SCHEMA: &str = "
    create table m (id bigint generated always as identity, at int, v text, primary key (id, at)) partition by range (at);
    create table m1 partition of m for values from (1) to (100);
    create table m2 partition of m for values from (100) to (200) partition by range (at);
    create table m21 partition of m2 for values from (100) to (200);
    create table single (id int generated always as identity primary key, v text);
    insert into m (at, v) select g * 9, 'x' from generate_series(1, 20) g;
    insert into single (v) values ('a'), ('b')";

const CHANGES: &str = "
    update m set id = default where at in (9, 180);
    update single set id = default where v = 'a';
    create table n (id bigint generated always as identity, at int, primary key (id, at)) partition by list (at);
    create table n1 partition of n for values in (1);
    insert into n (at) values (1), (1);
    update n set id = default where id = 1;
    create table m3 (id bigint not null, at int not null, v text);
    insert into m3 values (1000, 205, 'own');
    alter table m attach partition m3 for values from (200) to (300);
    insert into m (at, v) values (210, 'new');
    update m set id = default where v in ('own', 'new');
    alter table m1 alter v set default 'd';
    alter table m detach partition m1;
    insert into m1 (id, at) values (2000, 50);
    alter table m add w int default 7;
    alter table n1 rename to n_one;
    update n set id = default where id = 2";

/// A column that is one in a partitioned table is one in its partitions too, where the server has it so.
const ALWAYS: &str =
    "select string_agg(concat_ws(' ', c.relname, a.attname, a.attidentity), ',' order by c.relname)
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where a.attidentity <> '' and not c.relispartition";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_of_a_partitioned_table_is_as_it_was_between_versions() {
    for (from, to) in [(15, 15), (16, 17), (17, 18)] {
        let (Some(there), Some(here)) = (programs_of(from), programs_of(to)) else {
            eprintln!(
                "NOT TESTED: PostgreSQL {from} to {to}: this machine lacks one (tests/servers)"
            );
            continue;
        };
        let source = Arc::new(Cluster::start_of(there, HBA, ""));
        let target = Arc::new(Cluster::start_of(here, HBA, ""));
        let mut driver = following_on(&source, &target, SCHEMA, |_| {}).await;
        sql(&source, "shop", CHANGES).await;
        cut_over(&mut driver, 1).await;
        moved_alike(&source, &target, "shop").await;
        let wanted = value(&source, "shop", ALWAYS).await;
        assert_eq!(wanted, "m id a,n id a,single id a", "{from} to {to}");
        assert_eq!(value(&target, "shop", ALWAYS).await, wanted, "{from} to {to}");
        sql(&target, "shop", "insert into m (at) values (250)").await;
    }
}
