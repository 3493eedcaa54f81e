//! `migration report`.
use std::time::Duration;

use whimbrel_proto::v1::ReportMigrationRequest;

use super::full_name;
use crate::{
    args::migration::MigrationRef, client::call_within, failure::Failure, render::report::Report,
    verb::Session,
};

/// Both agents look at their servers, one after the other, as a preflight does.
const REPORT_TIMEOUT: Duration = Duration::from_secs(300);

pub(super) async fn run(session: &Session, args: &MigrationRef) -> Result<(), Failure> {
    let request = call_within(ReportMigrationRequest { name: full_name(args)? }, REPORT_TIMEOUT);
    let report = session.client.comparisons().report_migration(request).await?.into_inner();
    let report = Report::from(report);
    session.screen.print(&report, || report.page(&session.screen))
}
