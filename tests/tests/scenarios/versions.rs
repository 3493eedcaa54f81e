//! From one version to another: each pair with all that the source's version has, under a load.
use whimbrel_tests::{
    Outcome,
    cluster::{Cluster, ClusterOptions},
    ensure,
    installation::Installation,
    stage::{self, Plan, Stage},
    wait, workload,
};

use crate::{migrate_until_cutover, start_bank};

const ZOO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/versions.sql");
const CHANGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/versions_changes.sql");

const OLDEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/version_9_6.sql");

/// Before 13, `gen_random_uuid` is an extension's, and before 11 there is no `sha256`; the bank wants both.
const BANK_BEFORE_13: &str = "create extension pgcrypto";
const BANK_BEFORE_11: &str =
    "create function sha256(bytea) returns bytea language sql as $$ select digest($1, 'sha256') $$";

/// Floats compared as bytes: as text they differ from one version to another.
const FLOATS: &str = "select md5(string_agg(float4send(a_real)::text || float8send(a_double)::text || point_send(a_point)::text
           || array_send(some_doubles)::text, ',' order by id)) from zoo.valued
    union all select md5(string_agg(float8send(b)::text, ',' order by float8send(b)::text collate \"C\")) from zoo.full_identity
    union all select md5(string_agg(float8send(b)::text, ',' order by a)) from zoo.keyless
    union all select md5(string_agg(float8send(note)::text, ',' order by id)) from zoo.referred";

/// A plan for these versions, if this machine has both.
fn plan(source: u32, target: u32) -> Outcome<Option<Plan>> {
    for major in [source, target] {
        if Installation::of(major)?.is_none() {
            eprintln!(
                "NOT TESTED: {source} to {target}: no PostgreSQL {major} here (tests/servers fetches it)"
            );
            return Ok(None);
        }
    }
    let plan = Plan::default();
    let of = |options: ClusterOptions, major| ClusterOptions { major: Some(major), ..options };
    Ok(Some(Plan { source: of(plan.source, source), target: of(plan.target, target), ..plan }))
}

fn create_zoo(cluster: &Cluster, source: u32) -> Outcome {
    cluster.create_database("app")?;
    if source < 13 {
        cluster.psql("app", BANK_BEFORE_13)?;
    }
    if source < 11 {
        cluster.psql("app", BANK_BEFORE_11)?;
    }
    workload::create(&mut cluster.connect("app")?, 100)?;
    cluster.psql_file("app", ZOO.as_ref())
}

fn online(source: u32, target: u32) -> Outcome {
    let Some(plan) = plan(source, target)? else { return Ok(()) };
    stage::play(&plan, |stage| {
        create_zoo(&stage.source, source)?;
        let bank = start_bank(&stage.source, "app");
        migrate_until_cutover(stage, "up", "app")?;
        stage.source.psql_file("app", CHANGES.as_ref())?;
        let before = bank.commits();
        wait::until("commits", || Ok((bank.commits() > before + 50).then_some(())))?;
        bank.stop()?;
        stage.migration("cutover", "up", &["--wait"])?;
        // The materialized view was filled before the load on the source and at the cutover on the target.
        let said = assert_same(stage)?;
        ensure!(said.contains("zoo.a_summary") && said.contains("Stale"), "{said}");
        stage.assert_source_clean("app")?;
        bank.go_on(&stage.target.url("app"))?;
        let before = bank.commits();
        wait::until("commits on the target", || Ok((bank.commits() > before + 20).then_some(())))?;
        let journal = bank.end()?;
        workload::check(&mut stage.target.connect("app")?, &journal)
    })
}

fn offline(source: u32, target: u32) -> Outcome {
    let Some(mut plan) = plan(source, target)? else { return Ok(()) };
    plan.source.wal_level = "replica";
    stage::play(&plan, |stage| {
        create_zoo(&stage.source, source)?;
        stage.create("up", &["--database", "app", "--wait"])?;
        let said = assert_same(stage)?;
        ensure!(!said.contains("Stale"), "{said}");
        stage.assert_source_clean("app")
    })
}

/// The oldest one: no registry has a build of it, so this is tested where somebody has one.
#[test]
fn offline_9_6_to_15() -> Outcome {
    let Some(mut plan) = plan(9, 15)? else { return Ok(()) };
    plan.source.wal_level = "replica";
    stage::play(&plan, |stage| {
        stage.source.create_database("app")?;
        stage.source.psql_file("app", OLDEST.as_ref())?;
        stage.create("up", &["--database", "app", "--mode", "online"])?;
        stage.wait_for("up", "Failed")?;
        let shown = stage.cli.show("up")?.to_string();
        ensure!(shown.contains("SourceVersionUnsupported"), "{shown}");
        stage.migration("delete", "up", &[])?;

        stage.create("up", &["--database", "app", "--wait"])?;
        stage.assert_same_across_versions("app")?;
        let floats = "select md5(string_agg(float8send(v)::text, ',' order by float8send(v)::text collate \"C\")) from zoo.keyless";
        ensure!(stage.source.psql("app", floats)? == stage.target.psql("app", floats)?, "floats");
        stage.migration("compare", "up", &[])?;
        let shown = stage.cli.show("up")?.to_string();
        ensure!(!shown.contains("CheckImpossible"), "{shown}");

        // Canceled, it leaves a source alone that knows no publications.
        stage.create("again", &["--database", "app"])?;
        stage.wait_for("again", "WaitingForTargetDBOverwriteConfirmation")?;
        stage.migration("cancel", "again", &[])?;
        stage.wait_for("again", "Canceled")
    })
}

/// Also what the program's own comparison said: it finds no difference either, whatever the versions say of the same thing in
/// other words.
fn assert_same(stage: &Stage) -> Outcome<String> {
    stage.assert_same_across_versions("app")?;
    let floats = stage.source.psql("app", FLOATS)?;
    ensure!(floats == stage.target.psql("app", FLOATS)?, "floats differ");
    stage.migration("compare", "up", &[])
}

macro_rules! pairs {
    ($mode:ident: $($name:ident $source:literal $target:literal)*) => {
        $(#[test] fn $name() -> Outcome { $mode($source, $target) })*
    };
}

pairs! { online:
    online_10_to_15 10 15
    online_11_to_13 11 13
    online_12_to_16 12 16
    online_13_to_17 13 17
    online_14_to_18 14 18
    online_15_to_18 15 18
    online_16_to_18 16 18
    online_17_to_18 17 18
    online_18_to_18 18 18
}
pairs! { offline:
    offline_10_to_15 10 15
    offline_14_to_17 14 17
}
