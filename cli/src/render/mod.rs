//! What is printed: serde structs in exactly the contract's JSON shape, and pages for people made from the same structs.
//! Generated types end here.
pub(crate) mod agent;
pub(crate) mod compare;
pub(crate) mod database;
pub(crate) mod event;
pub(crate) mod migration;
pub(crate) mod next;
pub(crate) mod page;
pub(crate) mod report;
pub(crate) mod selection;
pub(crate) mod server;
pub(crate) mod table;
pub(crate) mod validation;

use prost_types::Timestamp;

/// RFC 3339 in UTC; `None` for a time that is unset or can't be one.
pub(crate) fn time(value: Option<&Timestamp>) -> Option<String> {
    let value = value?;
    jiff::Timestamp::new(value.seconds, value.nanos).ok().map(|time| time.to_string())
}

/// A time for people: whole seconds, `2026-01-31T22:00:00Z`.
pub(crate) fn clock(time: Option<&String>) -> String {
    match time.map(|time| time.split_once('.').map_or(time.as_str(), |(seconds, _)| seconds)) {
        Some(time) if time.ends_with('Z') => time.to_owned(),
        Some(time) => format!("{time}Z"),
        None => "-".to_owned(),
    }
}

/// `None` for an empty text.
pub(crate) fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The last part of a resource's name: `a1` of `agents/a1`.
pub(crate) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// "17.3 MB": three digits at most, for people.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    const STEP: f64 = 1024.0;
    if count < 1024 {
        return format!("{count} B");
    }
    // A size for people: what an f64 loses is not shown.
    #[allow(clippy::cast_precision_loss)]
    let mut size = count as f64 / STEP;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= STEP;
        unit += 1;
    }
    format!("{size:.*} {}", if size < 100.0 { 1 } else { 0 }, UNITS[unit])
}

/// "2h 3m 4s", whole seconds, for people.
pub(crate) fn seconds(count: f64) -> String {
    /// A thousand years: more is nonsense that would only make the page wide.
    const SECONDS_MAX: f64 = 3.2e10;
    let whole = if count.is_finite() { count.clamp(0.0, SECONDS_MAX).round() } else { 0.0 };
    humantime::format_duration(std::time::Duration::from_secs_f64(whole)).to_string()
}

#[cfg(test)]
mod tests;
