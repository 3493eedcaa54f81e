//! Families of tables: a parent's command reaches its partitions and heirs, and each is told. And rows that stand in the way
//! here, where the source has others.
use whimbrel_proto::agent::v1::Step;

use super::{cut_over, cut_over_alike, following, following_as, following_with, schema_of, steps};
use crate::driver::{session, sql, until, value};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_parent_loses_its_partitions_and_heirs_lose() {
    let (source, target, mut driver) = following(
        "create table p (id int primary key, v int, w int) partition by range (id);
         create table p1 partition of p for values from (1) to (1000);
         alter table p add constraint small check (v < 100), add constraint known unique (id, v);
         create table parent (id int primary key, v int, extra text);
         create table heir (own int, primary key (id)) inherits (parent);
         create table second_heir (own int, primary key (id)) inherits (heir);
         alter table parent add constraint small check (v < 100);
         insert into p select g, g, g from generate_series(1, 20) g;
         insert into second_heir select g, g, 'x', g from generate_series(1, 20) g",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table p drop constraint small;
         insert into p values (100, 1000, 1);
         alter table p drop constraint known;
         alter table p drop column w;
         alter table parent drop constraint small;
         alter table parent drop column extra;
         insert into second_heir values (100, 1000, 1);
         create table p2 partition of p for values from (1000) to (2000);
         insert into p values (1001, 1);
         alter table p detach partition p2;
         create table p2_again partition of p for values from (1000) to (1500);
         insert into p values (1001, 2);
         update p2 set v = 3",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_with_a_foreign_key_of_its_own_is_attached() {
    let (source, target, mut driver) = following(
        "create table pk (a int primary key);
         insert into pk select generate_series(1, 20);
         create table p (id int, a int references pk, primary key (id, a)) partition by list (a)",
    )
    .await;
    sql(
        &source,
        "shop",
        "create table q (id int, a int, primary key (id, a), constraint own foreign key (a) references pk) partition by range (id);
         create table q1 partition of q for values from (0) to (10);
         create table q2 (id int, a int, primary key (id, a), constraint second foreign key (a) references pk);
         alter table q attach partition q2 for values from (10) to (20);
         insert into q values (5, 5);
         alter table p attach partition q for values in (5);
         insert into p values (15, 5);
         alter table p detach partition q;
         alter table p attach partition q for values in (5);
         insert into p values (16, 5);
         create table own_parent (id int primary key, above int) partition by range (id);
         create table own_parent1 partition of own_parent for values from (0) to (10);
         alter table own_parent add foreign key (above) references own_parent;
         create table own_parent2 (above int, id int not null);
         alter table own_parent attach partition own_parent2 for values from (10) to (20);
         insert into own_parent values (1, null), (11, 1), (2, 1);
         alter table own_parent detach partition own_parent2",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_takes_its_new_parents_keys_over() {
    let (source, target, mut driver) = following(
        "create table p (id int primary key, v int) partition by range (id);
         create index by_v on p (v);
         create table p1 partition of p for values from (0) to (10)",
    )
    .await;
    sql(
        &source,
        "shop",
        "create table q (v int, id int not null) partition by range (id);
         create table q1 partition of q for values from (10) to (15);
         create table q2 (id int not null, v int) partition by range (id);
         create table q21 partition of q2 for values from (15) to (20);
         alter table q attach partition q2 for values from (15) to (20);
         insert into q values (11, 11);
         alter table p attach partition q for values from (10) to (20);
         insert into p values (1, 1), (12, 12), (16, 16);
         update p set v = 0 where id = 11",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_columns_and_sequences_in_forms_that_must_come_in_order() {
    let (source, target, mut driver) = following(
        "create table item (id int not null, a int, b int, twice int generated always as (a * 2) stored);
         create unique index item_id on item (id);
         create unique index item_late on item (id, b);
         insert into item (id, a, b) select g, g, g from generate_series(1, 20) g;
         create table named (key text primary key);
         insert into named select 'n' || g from generate_series(1, 20) g;
         create sequence s maxvalue 100;
         select setval('s', 90)",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table item add primary key using index item_id;
         alter table item add constraint item_late unique using index item_late deferrable;
         insert into item values (21, 21, 21);
         alter table item drop column a cascade;
         alter table item add column n int;
         update item set n = id;
         alter table item alter column n set not null, alter column n add generated always as identity,
             alter column n type bigint;
         insert into item (id, b) values (1001, 22);
         alter table item set (fillfactor = 80, toast.autovacuum_vacuum_cost_delay = 23);
         create table stored (id int primary key, v text) with (fillfactor = 40, toast.autovacuum_vacuum_cost_delay = 23);
         alter table stored reset (fillfactor, toast.autovacuum_vacuum_cost_delay);
         create index item_b on item (b);
         alter index item_b set (fillfactor = 60);
         alter table named drop constraint named_pkey, add column id bigserial not null, add primary key (id);
         insert into named values ('new');
         alter sequence s increment by -1 minvalue -100 maxvalue -5 start with -5 restart",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Its deletes and updates are not in the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_without_a_key_takes_what_its_rows_on_the_source_allow() {
    let (source, target, mut driver) = following(
        "create table bare (v int);
         insert into bare select g % 10 from generate_series(1, 100) g;
         create table p (v int) partition by list (v);
         create table rest partition of p default;
         insert into p values (1), (2), (3);
         create domain filled as int;
         create table uses (v filled);
         insert into uses values (null), (1)",
    )
    .await;
    sql(
        &source,
        "shop",
        "update bare set v = ctid::text::point <-> '(0,0)'::point;
         delete from bare a using bare b where a.v = b.v and a.ctid > b.ctid;
         alter table bare add unique (v);
         insert into bare values (5000);
         delete from p where v = 2;
         create table two partition of p for values in (2);
         insert into p values (2), (4);
         update uses set v = 2 where v is null;
         alter domain filled set not null;
         insert into uses values (3)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_was_made_since_comes_with_what_it_owns() {
    let (source, target, mut driver) =
        following_with("create table t (id int primary key)", |driver| driver.migrate_roles = true)
            .await;
    sql(
        &source,
        "shop",
        "create role \"newly made\" login connection limit 7;
         create table hers (id int primary key);
         alter table hers owner to \"newly made\";
         insert into hers values (1);
         create role granted;
         grant select on t to granted",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    let limit = "select rolconnlimit from pg_roles where rolname = 'newly made'";
    assert_eq!(value(&target, "postgres", limit).await, "7");
}

/// A foreign table is made from the dump of the cutover, and so must what attaches it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_table_comes_as_the_partition_that_it_is() {
    let (source, target, mut driver) = following(
        "create foreign data wrapper nothing;
         create server far foreign data wrapper nothing;
         create table m (id int, at date) partition by range (at);
         create table m1 partition of m for values from ('2024-01-01') to ('2025-01-01');
         create foreign table apart (id int, at date) server far;
         insert into m1 select g, '2024-06-01' from generate_series(1, 20) g",
    )
    .await;
    sql(
        &source,
        "shop",
        "create foreign table m2 partition of m for values from ('2025-01-01') to ('2026-01-01') server far;
         create foreign table \"m 3\" partition of m default server far;
         alter table m attach partition apart for values from ('2026-01-01') to ('2027-01-01')",
    )
    .await;
    // An attempt that comes after another finds them here.
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    steps(&mut driver, 1, end, &[Step::Drain, Step::Complete]).await;
    driver.back(1).await;
    sql(&source, "shop", "create table later (id int primary key)").await;
    cut_over(&mut driver, 2).await;
    assert_eq!(schema_of(&source), schema_of(&target));
}

/// Nothing but the cutover's dump and comparison knows of them, and no more than the parents has changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_table_gets_the_parents_and_the_bound_that_it_has() {
    let schema = "create foreign data wrapper nothing;
        create server far foreign data wrapper nothing;
        create table p (a int, v text) partition by range (a);
        create table q (a int, v text) partition by range (a);
        create foreign table p1 partition of p for values from (0) to (10) server far;
        create foreign table p2 partition of p for values from (10) to (20) server far;
        create foreign table gone partition of p for values from (20) to (30) server far;
        create foreign table apart (a int, v text) server far;
        create table one (a int, v text);
        create table other (a int, v text);
        create foreign table heir (a int, v text, w int) inherits (one) server far;
        create foreign table own (a int, v text) server far;
        create view seen as select v from p1 union all select v from heir;
        create table t (id int primary key)";
    let steps = [
        "alter table p detach partition p1; alter table p attach partition p1 for values from (0) to (9);
         alter table p detach partition p2; alter table q attach partition p2 for values from (0) to (10);
         alter table p detach partition gone;
         alter foreign table heir no inherit one; alter foreign table heir inherit other;
         alter foreign table own inherit one",
        // What is attached has its place from what goes.
        "alter table p detach partition p1; alter table p detach partition p2; drop foreign table gone;
         alter table p attach partition p2 for values from (0) to (10);
         alter table p attach partition apart for values from (10) to (20);
         create foreign table made partition of p for values from (20) to (30) server far;
         alter foreign table heir inherit other, alter w options (add column_name 'x'), options (add name 'y')",
    ];
    for follow in [true, false] {
        for step in steps {
            let (source, target, mut driver) = following_as(schema, follow).await;
            sql(&source, "shop", step).await;
            cut_over(&mut driver, 1).await;
            assert_eq!(schema_of(&source), schema_of(&target), "{step}");
        }
    }
}

/// Without event triggers no message tells that the foreign one has left its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_takes_the_place_of_a_foreign_partition() {
    for follow in [true, false] {
        let schema = "create foreign data wrapper nothing;
            create server far foreign data wrapper nothing;
            create table p (a int, v text) partition by range (a);
            create foreign table archived partition of p for values from (0) to (10) server far;
            create foreign table stays partition of p for values from (10) to (20) server far;
            create table back (a int, v text)";
        let (source, target, mut driver) = following_as(schema, follow).await;
        sql(
            &source,
            "shop",
            "alter table p detach partition archived;
             insert into back values (1, 'x');
             alter table p attach partition back for values from (0) to (10);
             insert into p values (2, 'y')",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// Made of its ends, it must not be there when the partitions are attached, or each of them gets a share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_which_not_all_partitions_have_a_share_comes_as_it_is() {
    for follow in [true, false] {
        let (source, target, mut driver) =
            following_as("create table t (id int primary key)", follow).await;
        sql(
            &source,
            "shop",
            "create table p (a int, b int, v text) partition by range (a);
             create table p1 partition of p for values from (0) to (10) partition by range (b);
             create table p11 partition of p1 for values from (0) to (10);
             create table p12 partition of p1 for values from (10) to (20);
             create table p2 partition of p for values from (10) to (20);
             create index in_part on only p (v);
             create unique index once on only p1 (b);
             create index only_p1 on only p1 (v);
             create index leaf on p11 (v);
             alter index only_p1 attach partition leaf;
             create index apart on only p (b);
             create index apart_1 on p1 (b);
             alter index apart attach partition apart_1;
             create index whole on p (a);
             insert into p values (1, 1, 'x'), (11, 1, 'y')",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// The partitions wait for their rows, since a rewrite told none, when the source has given them another column already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_copied_again_get_their_parents_column_first() {
    let (source, target, mut driver) = following(
        "create table p (id int primary key, note text) partition by range (id);
         create table p1 partition of p for values from (0) to (100);
         insert into p select g, g from generate_series(1, 20) g",
    )
    .await;
    // A slot's snapshot waits for it: the partitions wait for their copy until it ends.
    let older = session(&source, "shop").await;
    older.batch_execute("begin; select txid_current()").await.unwrap();
    sql(&source, "shop", "alter table p alter note type varchar(60) using note || '!'").await;
    until(&target, "shop", "select count(*) from whimbrel.relation where point is null").await;
    sql(
        &source,
        "shop",
        "alter table p add column added int default 3;\ninsert into p values (30)",
    )
    .await;
    older.batch_execute("commit").await.unwrap();
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Each partition's share too, and what they are attached to: an index that has not all of its shares is not valid, and of a
/// unique one ON CONFLICT knows nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_made_again_has_its_shares() {
    let indexes = "select string_agg(format('%s %s %s', i.indexrelid::regclass, i.indisvalid, h.inhparent::regclass), '; ' order by i.indexrelid::regclass::text)
        from pg_index i left join pg_inherits h on h.inhrelid = i.indexrelid where i.indrelid >= 16384";
    for follow in [true, false] {
        let (source, target, mut driver) = following_as(
            "create table s (a int primary key, b int) partition by range (a);
             create table s1 partition of s for values from (0) to (1000);
             create unique index su on s (a, b);
             create index s_b on s (b);
             create table deep (a int) partition by range (a);
             create table deep2 partition of deep for values from (0) to (1000) partition by range (a);
             create table deep21 partition of deep2 for values from (0) to (100);
             create index on deep (a)",
            follow,
        )
        .await;
        sql(
            &source,
            "shop",
            "drop index su;
             create unique index su on s (a, b);
             drop index s_b;
             create index other on s (b);
             insert into s values (1, 1) on conflict (a, b) do nothing;
             drop index deep_a_idx;
             create index on deep (a);
             insert into deep values (1)",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
        let wanted = value(&source, "shop", indexes).await;
        assert_eq!(value(&target, "shop", indexes).await, wanted, "follow: {follow}");
    }
}

/// The parent's column comes to all that are its partitions here, before it is known that one is none any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_has_left_gets_no_later_column_of_its_parent() {
    let schema = "create table p (id int primary key, v text) partition by range (id);
        create table \"p 1%\" partition of p for values from (0) to (10);
        create table p2 partition of p for values from (10) to (20);
        insert into p select g, 'x' from generate_series(1, 15) g";
    let (source, target, mut driver) = following_as(schema, false).await;
    sql(
        &source,
        "shop",
        "alter table p detach partition \"p 1%\"; alter table p add column z int default 7; update p set v = 'y'",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Its rows go elsewhere from then on, where they do not fit here as long as it has its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_has_left_without_a_word_makes_room_for_what_has_its_place() {
    let schema = "create table p (k text, id int, v text default 'low', primary key (k, id)) partition by list (k);
        create table pa partition of p for values in ('a'); create table pb partition of p for values in ('b');
        create table pd partition of p default; create table t (id int primary key);
        insert into p values ('a', 1), ('b', 1), ('z', 2)";
    for step in [
        "alter table p detach partition pa; alter table pa alter v type varchar using upper(v); insert into p values ('a', 3)",
        "drop table pa; insert into p values ('a', 3)",
        "alter table p detach partition pa; insert into p values ('a', 3); insert into pa values ('a', 4)",
        "alter table p detach partition pa; alter table p attach partition pa for values in ('a', 'c'); insert into p values ('c', 3)",
    ] {
        let (source, target, mut driver) = following_as(schema, false).await;
        sql(&source, "shop", &format!("{step}; insert into t values (1)")).await;
        until(&target, "shop", "select count(*) from t").await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}
