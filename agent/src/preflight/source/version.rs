//! Is the source new enough?
use std::future::ready;

use crate::preflight::{
    check::{At, Check, Level, Run, Source},
    finding::Found,
};

/// The oldest whose catalogs we read (pg_attribute.attgenerated, pg_collation.collisdeterministic).
const OFFLINE_MIN: u32 = 12;

/// The oldest whose change stream carries the cutover's markers (logical decoding messages in pgoutput).
const ONLINE_MIN: u32 = 14;

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SourceVersionValidation",
    level: Level::Server,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Source(|source| Box::pin(ready(Ok(look(source))))),
};

fn look(source: &Source<'_>) -> Vec<Found> {
    judge(source.client.server_major(), source.client.server_version(), source.input.online)
}

fn judge(major: u32, version: &str, online: bool) -> Vec<Found> {
    let (min, mode) = if online { (ONLINE_MIN, "online") } else { (OFFLINE_MIN, "offline") };
    if major >= min {
        return Vec::new();
    }
    let remedy = if online && major >= OFFLINE_MIN {
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
        for (major, online, fits) in
            [(13, true, false), (14, true, true), (12, false, true), (11, false, false)]
        {
            assert_eq!(judge(major, "x", online).is_empty(), fits, "{major} {online}");
        }
    }
}
