//! Has the target the libraries that sessions of the database load before they begin? With one that is missing there, nobody could
//! connect to the database any more, a superuser neither.
use std::collections::HashMap;

use crate::{
    fault::Fault,
    postgres::{MAINTENANCE_DATABASE, PRELOADING, libraries_of, unloadable},
    preflight::{
        check::{At, Check, Level, Run, Target},
        facts::SettingFacts,
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "PreloadedLibrariesValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let mut seen: HashMap<(String, &str), Option<String>> = HashMap::new();
    let mut found = Vec::new();
    for setting in &target.source_database()?.settings {
        let name = setting.name.to_lowercase();
        let Some(value) = &setting.value else { continue };
        // A function's comes too late to load anything.
        if !PRELOADING.contains(&&*name) || setting.object.starts_with("function ") {
            continue;
        }
        let key = (name, value.as_str());
        let missing = match seen.get(&key) {
            Some(missing) => missing.clone(),
            None => {
                let missing = missing(target, &key.0, value).await?;
                seen.entry(key).or_insert(missing).clone()
            }
        };
        found.extend(missing.map(|library| not_loaded(setting, &library, target)));
    }
    Ok(found)
}

async fn missing(target: &Target<'_>, name: &str, value: &str) -> Result<Option<String>, Fault> {
    let endpoint = target.client.endpoint();
    let libraries = libraries_of(value);
    let tried = unloadable(endpoint, MAINTENANCE_DATABASE, "preflight", name, libraries).await?;
    Ok(tried.map(|(library, _)| library))
}

fn not_loaded(setting: &SettingFacts, library: &str, target: &Target<'_>) -> Found {
    let SettingFacts { name, object, remedy, .. } = setting;
    let major = target.client.server_major();
    let message = format!(
        "{object} sets {name} with library {library}, which the target's machine can't load: nobody could connect with that setting"
    );
    let remedy = format!(
        "{remedy} -- on the source, or install {library}, built for PostgreSQL {major}, on the target's machine"
    );
    Found::failed("PreloadedLibraryMissing", message).object(object).remedy(remedy)
}
