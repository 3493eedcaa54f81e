//! Objects that were there when the copy began and are altered while the stream runs, of kinds that no event trigger tells in
//! a form that can be carried: they come with the dump of the cutover, and bring what hangs on them.
use super::{cut_over_alike, following};
use crate::driver::sql;

const SCHEMA: &str = "
    create function first_of(int, int) returns int language sql immutable as 'select coalesce($1, $2)';
    create aggregate total (int) (sfunc = int4pl, stype = int, initcond = '0');
    comment on aggregate total (int) is 'sums up';
    create text search configuration words (copy = simple);
    comment on text search configuration words is 'of the shop';
    create foreign data wrapper nothing;
    create server far foreign data wrapper nothing options (host 'a');
    comment on server far is 'far away';
    grant usage on foreign server far to reader;
    create server near foreign data wrapper nothing;
    create user mapping for app server near options (name 'x');
    create table t (id int primary key, v int);
    create table u (id int primary key);
    create publication theirs for table t;
    insert into t select g, g from generate_series(1, 20) g";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_altered_since_the_dump_arrives_as_it_is_with_its_comments_and_rights() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "create or replace aggregate total (int) (sfunc = first_of, stype = int);
         alter text search configuration words alter mapping for asciiword with english_stem;
         alter server far options (set host 'b');
         alter user mapping for app server near options (set name 'y');
         alter publication theirs add table u;
         insert into t values (21, 21)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
