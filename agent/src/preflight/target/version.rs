//! Is the target new enough, and not older than the source?
use crate::{
    fault::Fault,
    preflight::{
        check::{At, Check, Level, Run, Target},
        finding::Found,
    },
};

/// The oldest that can drop a database that others are connected to.
const TARGET_MIN: u32 = 13;

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "TargetVersionValidation",
    level: Level::Server,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Target(|target| Box::pin(std::future::ready(look(target)))),
};

fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let source = target.source()?;
    let (version, major) = (target.client.server_version(), target.client.server_major());
    let source_major = source.server_version_num / 10_000;
    Ok(judge(major, version, source_major, &source.server_version))
}

fn judge(major: u32, version: &str, source_major: u32, source_version: &str) -> Vec<Found> {
    let mut found = Vec::new();
    if major < TARGET_MIN {
        let message =
            format!("the target is PostgreSQL {version}; {TARGET_MIN} or later is needed");
        found.push(Found::failed("TargetVersionUnsupported", message));
    }
    if major < source_major {
        let message =
            format!("the target is PostgreSQL {version}, older than the source's {source_version}");
        found.push(Found::failed("TargetOlderThanSource", message));
    }
    let newest = source_major.max(TARGET_MIN);
    let remedy = format!("-- choose a target of PostgreSQL {newest} or later");
    found.into_iter().map(|found| found.object(version).remedy(&remedy)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_back_to_an_older_one() {
        for (target, source, findings) in [(15, 15, 0), (17, 15, 0), (14, 15, 1), (12, 13, 2)] {
            assert_eq!(judge(target, "t", source, "s").len(), findings, "{target} {source}");
        }
    }
}
