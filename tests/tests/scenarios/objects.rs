//! One of every kind of object (`sql/zoo.sql`), with its roles, moved while it is written to: the target is the source.
use std::process::Command;

use whimbrel_tests::{
    Outcome, cli,
    cluster::Cluster,
    compare::compare_schemas,
    ensure,
    stage::{self, Plan},
};

const ROLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/zoo_roles.sql");
const ZOO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/zoo.sql");

/// Written while the changes are followed.
const CHANGES: &str = "
set search_path = aviary;
update bird set note = 'short', mood = 'between' where by_default = 3;
update bird set name = 'No. ' || by_default where by_default > 40;
delete from bird where by_default = 50;
insert into bird (by_default, name, even) values (1001, 'late', '{2}');
update flight set at = at + 3000 where who = 7;
update by_index set b = 'changed';
insert into child (a, own) values (9, 9);
update child set own = 4, late = 6 where a = 2;
delete from whole where ctid = '(0,1)';
update keyless set what = 'two' where n = 1;
insert into forgetful values (2, 'unlogged');
select nextval('never_called'), nextval('down');
select lo_put(90001, 2, 'P'), lo_unlink(90002), lo_from_bytea(90003, 'new');
";

/// How many there are of each kind of object, by catalog.
const COUNTS: &str = "
select string_agg(format('%s %s', kind, count), e'\\n' order by kind) from (
    select 'class ' || relkind::text || relpersistence::text as kind, count(*) from pg_class where oid >= 16384 and relnamespace <> 'pg_toast'::regnamespace group by 1
    union all select 'function ' || prokind::text, count(*) from pg_proc where oid >= 16384 group by 1
    union all select 'type ' || typtype::text, count(*) from pg_type where oid >= 16384 group by 1
    union all select 'constraint ' || contype::text, count(*) from pg_constraint where oid >= 16384 group by 1
    union all select 'trigger ' || tgenabled::text, count(*) from pg_trigger group by 1
    union all select 'rule ' || ev_enabled::text, count(*) from pg_rewrite where oid >= 16384 group by 1
    union all select 'event trigger ' || evtenabled::text, count(*) from pg_event_trigger group by 1
    union all select 'cast', count(*) from pg_cast where oid >= 16384
    union all select 'operator', count(*) from pg_operator where oid >= 16384
    union all select 'operator class', count(*) from pg_opclass where oid >= 16384
    union all select 'operator family', count(*) from pg_opfamily where oid >= 16384
    union all select 'operator of a family', count(*) from pg_amop where oid >= 16384
    union all select 'function of a family', count(*) from pg_amproc where oid >= 16384
    union all select 'collation', count(*) from pg_collation where oid >= 16384
    union all select 'conversion', count(*) from pg_conversion where oid >= 16384
    union all select 'text search', (select count(*) from pg_ts_config where oid >= 16384) * 1000
        + (select count(*) from pg_ts_dict where oid >= 16384) * 100
        + (select count(*) from pg_ts_parser where oid >= 16384) * 10 + (select count(*) from pg_ts_template where oid >= 16384)
    union all select 'statistics', count(*) from pg_statistic_ext
    union all select 'policy', count(*) from pg_policy
    union all select 'publication', count(*) from pg_publication
    union all select 'foreign data wrapper', count(*) from pg_foreign_data_wrapper
    union all select 'foreign server', count(*) from pg_foreign_server
    union all select 'user mapping', count(*) from pg_user_mapping
    union all select 'language', count(*) from pg_language
    union all select 'access method', count(*) from pg_am
    union all select 'transform', count(*) from pg_transform
    union all select 'extension', count(*) from pg_extension
    union all select 'default privileges', count(*) from pg_default_acl
    union all select 'large object', count(*) from pg_largeobject_metadata
    union all select 'enum label', count(*) from pg_enum
    union all select 'inheritance', count(*) from pg_inherits
    union all select 'comment', count(*) from pg_description where objoid >= 16384
    union all select 'shared comment', count(*) from pg_shdescription where classoid = 'pg_authid'::regclass
) c (kind, count)";

/// What pg_dump does not tell.
const BESIDE: &[&str] = &[
    "select string_agg(format('%s %s %s %s', oid, lomowner::regrole, lomacl, encode(lo_get(oid), 'escape')), ' ' order by oid)
     from pg_largeobject_metadata",
    "select string_agg((select string_agg(o, ',' order by o) from unnest(umoptions) o), ' ' order by usename) from pg_user_mappings",
    "select string_agg(format('%s %s', relname, relispopulated), ' ' order by relname) from pg_class where relkind = 'm'",
    "select total from aviary.a_mat_on_mat",
    "select string_agg(format('%s %s', rolname, rolpassword), ' ' order by rolname) from pg_authid where rolname = 'keeper'",
    "select string_agg(r.rolname || ' ' || s.setconfig::text, ' ' order by r.rolname, s.setconfig::text)
     from pg_db_role_setting s join pg_roles r on r.oid = s.setrole",
    "select string_agg(g.rolname || ' ' || m.rolname || ' ' || a.admin_option, ' ' order by g.rolname, m.rolname)
     from pg_auth_members a join pg_roles g on g.oid = a.roleid join pg_roles m on m.oid = a.member",
];

#[test]
fn a_zoo_of_every_kind_of_object_moves_whole() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        stage.source.create_database("zoo")?;
        stage.source.psql_file("zoo", ROLES.as_ref())?;
        stage.source.psql_file("zoo", ZOO.as_ref())?;
        stage.create("zoo", &["--database", "zoo", "--mode", "online", "--migrate-roles"])?;
        stage.wait_for("zoo", "WaitingForCutoverTrigger")?;
        stage.source.psql("zoo", CHANGES)?;
        stage.migration("cutover", "zoo", &["--wait"])?;
        let shown = stage.cli.show("zoo")?;
        ensure!(cli::state(&shown) == "Succeeded", "{shown:#}");

        // The first difference that there may be: the subscription, which preflight has named.
        ensure!(shown.to_string().contains("SubscriptionsNotCarried"), "{shown:#}");
        stage.source.psql("zoo", "alter subscription from_nowhere set (slot_name = none); drop subscription from_nowhere")?;
        let differences = compare_schemas(whole(&stage.source)?, whole(&stage.target)?)?;
        ensure!(differences.is_empty(), "{}", differences.join("\n"));
        stage.assert_same("zoo")?;
        for query in [&[COUNTS], BESIDE].concat() {
            let (ours, theirs) =
                (stage.source.psql("zoo", query)?, stage.target.psql("zoo", query)?);
            ensure!(ours == theirs, "{query}\nsource: {ours}\ntarget: {theirs}");
        }
        Ok(())
    })
}

/// The database's own properties too.
fn whole(cluster: &Cluster) -> Outcome<Command> {
    let mut command = cluster.client("pg_dump", "zoo")?;
    command.arg("--create");
    Ok(command)
}
