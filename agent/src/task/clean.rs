//! CLEAN_SOURCE and CLEAN_TARGET: take what is ours away.
use uuid::Uuid;
use whimbrel_proto::agent::v1::{CleanSource, CleanTarget};

use super::{kit::Kit, report::Reporter};
use crate::{
    fault::{Fault, Policy},
    postgres::connect,
    source::remove_objects,
    target::remove_ledger,
};

pub(super) async fn source(kit: &Kit, reporter: &Reporter, spec: CleanSource) -> Result<(), Fault> {
    let database = &reporter.id().database;
    let endpoint = kit.secrets.endpoint(&spec.source.unwrap_or_default(), database)?;
    let objects = spec.objects.unwrap_or_default();
    match remove_objects(&endpoint, database, &objects).await {
        // With the database its slots and publications are gone.
        Err(fault) if fault.code == "DatabaseDoesNotExist" => Ok(()),
        other => other,
    }
}

pub(super) async fn target(kit: &Kit, reporter: &Reporter, spec: CleanTarget) -> Result<(), Fault> {
    let database = &reporter.id().database;
    let endpoint = kit.secrets.endpoint(&spec.target.unwrap_or_default(), database)?;
    let migration = Uuid::parse_str(&reporter.id().migration).map_err(|_| {
        Fault::new(Policy::Hold, "CommandInvalid", "the migration's uid is not a UUID")
    })?;
    reporter.outlet().lease().require()?;
    let mut client = connect(&endpoint, database, "clean").await?;
    remove_ledger(&mut client, migration).await
}
