//! Is the source new enough?
use std::future::ready;

use crate::preflight::{
    check::{At, Check, Level, Run, Source},
    finding::Found,
};

/// A version in the form of `server_version_num`, and as people write it.
type Oldest = (u32, &'static str);

/// The oldest whose transactions export a snapshot to a session that can read everything we ask for.
const OFFLINE_MIN: Oldest = (90_600, "9.6");

/// The oldest whose publications have truncates.
const TRUNCATE_FROM: u32 = 110_000;

/// The oldest with publications and pgoutput.
const ONLINE_MIN: Oldest = (100_000, "10");

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SourceVersionValidation",
    level: Level::Server,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Source(|source| Box::pin(ready(Ok(look(source))))),
};

fn look(source: &Source<'_>) -> Vec<Found> {
    let (number, version) = (source.client.server_version_num(), source.client.server_version());
    let mut found = judge(number, version, source.input.online);
    if source.input.online && (ONLINE_MIN.0..TRUNCATE_FROM).contains(&number) {
        found.push(truncates_not_published(version));
    }
    found
}

fn truncates_not_published(version: &str) -> Found {
    let message = format!(
        "the source is PostgreSQL {version}, which publishes no TRUNCATE: a table that is emptied so while it is followed keeps \
         its rows on the target until the cutover, which compares it and copies it again; rows with the keys of old ones stop \
         the stream before"
    );
    Found::warning("TruncateNotPublished", message)
        .object("TRUNCATE")
        .remedy("-- use DELETE instead of TRUNCATE while the migration runs")
}

fn judge(number: u32, version: &str, online: bool) -> Vec<Found> {
    let ((oldest, min), mode) =
        if online { (ONLINE_MIN, "online") } else { (OFFLINE_MIN, "offline") };
    if number >= oldest {
        return Vec::new();
    }
    let remedy = if online && number >= OFFLINE_MIN.0 {
        "-- migrate offline (--mode offline), or upgrade the source"
    } else {
        "-- upgrade the source"
    };
    vec![
        Found::failed(
            "SourceVersionUnsupported",
            format!("the source is PostgreSQL {version}; an {mode} migration needs {min} or later"),
        )
        .object(version)
        .remedy(remedy),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn online_needs_a_newer_server_than_offline() {
        for (number, online, fits) in [
            (90_624, true, false),
            (100_000, true, true),
            (90_600, false, true),
            (90_526, false, false),
        ] {
            assert_eq!(judge(number, "x", online).is_empty(), fits, "{number} {online}");
        }
    }
}
