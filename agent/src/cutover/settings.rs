//! What is set on the source's database comes with the switch as it was when the copy began: writes are often stopped by a setting.
//! Here it is tried first. What the target refuses keeps its name in the error, and is given up, or taken as it is now, once the
//! source has it otherwise: nobody stops writes by what a server refuses.
use super::{on_database::without_value, steps::Steps};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::{Client, PRELOADING, refused, setting_parts, unloadable},
    wire::{Answer, Ask, unexpected_answer},
};

const TRYING: &str = "trying what is set on the source's database on the target's";

/// # Errors
/// The first one that the target refuses, and that the source has still.
pub(super) async fn try_all(steps: &Steps<'_>, session: &mut Client) -> Result<(), Fault> {
    let then = steps.receiver.database_settings(session).await?;
    let refused = refusals(steps, session, &then).await?;
    if refused.is_empty() {
        return Ok(());
    }
    let Answer::Statements(now) = steps.receiver.caller.ask(Ask::DatabaseSettings).await? else {
        return Err(unexpected_answer());
    };
    let mended = mended(&then, refused, &now)?;
    if let Some((_, fault)) = refusals(steps, session, &mended).await?.pop() {
        return Err(fault);
    }
    steps.receiver.keep_database_settings(session, steps.copied.ledger, &mended).await
}

/// Those of `then`, each that was refused as it is `now`.
fn mended(
    then: &[String],
    refused: Vec<(usize, Fault)>,
    now: &[String],
) -> Result<Vec<String>, Fault> {
    let mut mended: Vec<Option<&String>> = then.iter().map(Some).collect();
    for (place, fault) in refused {
        let here = without_value(&then[place]);
        let there = now.iter().find(|statement| without_value(statement) == here);
        if there == Some(&then[place]) {
            return Err(fault);
        }
        mended[place] = there;
    }
    Ok(mended.into_iter().flatten().cloned().collect())
}

/// The places of those that the target refuses, each with why.
async fn refusals(
    steps: &Steps<'_>,
    session: &Client,
    statements: &[String],
) -> Result<Vec<(usize, Fault)>, Fault> {
    let (places, settings): (Vec<usize>, Vec<String>) = statements
        .iter()
        .enumerate()
        .filter(|(_, statement)| setting_parts(statement).is_some())
        .map(|(place, statement)| (place, statement.clone()))
        .unzip();
    let mut found: Vec<(usize, Fault)> = Vec::new();
    for (place, error) in refused(session, "", &settings).await.doing(TRYING)? {
        let doing = format!("{TRYING}: {}", without_value(&settings[place]));
        let fault = Fault::sql(doing, &error);
        found.push((places[place], with_remedy(fault, &settings[place])));
    }
    for (place, statement) in settings.iter().enumerate() {
        if found.iter().any(|(refused, _)| *refused == places[place]) {
            continue;
        }
        if let Some(fault) = not_loaded(steps, session, statement).await? {
            found.push((places[place], fault));
        }
    }
    Ok(found)
}

/// With a library that is missing nobody could connect to the database any more, we neither.
async fn not_loaded(
    steps: &Steps<'_>,
    session: &Client,
    statement: &str,
) -> Result<Option<Fault>, Fault> {
    let Some((_, name, value)) = setting_parts(statement) else { return Ok(None) };
    let Some(name) = PRELOADING.into_iter().find(|it| name.trim_matches('"') == *it) else {
        return Ok(None);
    };
    let libraries = format!("select array[{value}]::text[]");
    let libraries = session.query_one(&libraries, &[]).await.doing(TRYING)?.get(0);
    let spec = &steps.receiver.spec;
    let purpose = format!("complete {}", spec.epoch);
    let tried = unloadable(&spec.endpoint, &spec.database, &purpose, name, libraries).await?;
    Ok(tried.map(|(library, _)| {
        let set = without_value(statement);
        let message = format!(
            "{TRYING}: {set}: the target's machine can't load {library}, so nobody could connect with that setting"
        );
        with_remedy(Fault::hold("PreloadedLibraryMissing", message), statement)
    }))
}

fn with_remedy(fault: Fault, statement: &str) -> Fault {
    if fault.policy != Policy::Hold {
        return fault;
    }
    let (altered, name, _) = setting_parts(statement).unwrap_or_default();
    let role = match &*fault.code {
        "InsufficientPrivilege" => {
            "; or, on the target, let our role set it (grant set on parameter, from 15 on) or be a superuser until the migration is over"
        }
        "PreloadedLibraryMissing" => "; or install the library on the target's machine",
        _ => "",
    };
    fault.remedy(format!(
        "{altered} reset {name}; -- on the source{role}; then order the cutover again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_refused_is_taken_as_it_is_now() {
        let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let then = texts(&[
            "alter database d set \"a\" to 'x'",
            "alter database d set \"b\" to 'x'",
            "alter database d set \"default_transaction_read_only\" to 'off'",
            "alter role r in database d set \"a\" to 'x'",
        ]);
        let refused = |places: &[usize]| {
            places.iter().map(|&place| (place, Fault::hold("InvalidData", "no"))).collect()
        };
        let now = texts(&[
            "alter database d set \"default_transaction_read_only\" to 'on'",
            "alter database d set \"b\" to 'y'",
            "alter role r in database d set \"a\" to 'x'",
        ]);
        let kept = mended(&then, refused(&[0, 1]), &now).unwrap();
        assert_eq!(kept[..], [now[1].clone(), then[2].clone(), then[3].clone()]);
        assert!(mended(&then, refused(&[3]), &now).is_err());
    }
}
