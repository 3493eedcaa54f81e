//! CLEAN_SOURCE: takes what is ours off the source.
use whimbrel_proto::agent::v1::CleanSource;

use super::{kit::Kit, report::Reporter};
use crate::{fault::Fault, source::remove_objects};

pub(super) async fn source(kit: &Kit, reporter: &Reporter, spec: CleanSource) -> Result<(), Fault> {
    let database = &reporter.id().database;
    let endpoint = kit.secrets.endpoint(&spec.source.unwrap_or_default(), database)?;
    let objects = spec.objects.unwrap_or_default();
    remove_objects(&endpoint, database, &objects).await
}
