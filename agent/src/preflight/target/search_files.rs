//! Has the target's machine the files that text search dictionaries read? The server reads them when one is made.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Target},
        facts::DictionaryFacts,
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "TextSearchFilesValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

#[derive(Deserialize)]
struct Absent {
    file: String,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    for dictionary in &target.source_database()?.dictionaries {
        let sql = include_str!("../sql/search_files_here.sql");
        let doing = format!("looking for the files of dictionary {}", dictionary.dictionary);
        // Only a superuser may look at the machine's files.
        match ask::<Absent>(target.client, &doing, sql, &[&dictionary.files]).await {
            Ok(absent) if absent.is_empty() => {}
            Ok(absent) => {
                let files: Vec<String> = absent.into_iter().map(|absent| absent.file).collect();
                found.push(missing(dictionary, &files));
            }
            Err(fault) if fault.code == "InsufficientPrivilege" => found.push(hidden(dictionary)),
            Err(fault) => return Err(fault),
        }
    }
    Ok(found)
}

fn missing(dictionary: &DictionaryFacts, files: &[String]) -> Found {
    let name = &dictionary.dictionary;
    let files = listed(files);
    let message = format!(
        "text search dictionary {name} reads files that the target's machine does not have: {files}"
    );
    Found::failed("TextSearchFileMissing", message).object(name).remedy(format!(
        "-- copy {files} from the source's machine into tsearch_data, in the folder that pg_config --sharedir names on the \
         target's, or drop the dictionary on the source"
    ))
}

fn hidden(dictionary: &DictionaryFacts) -> Found {
    let name = &dictionary.dictionary;
    let files = listed(&dictionary.files);
    let message = format!(
        "text search dictionary {name} reads files of the server's machine ({files}); our role may not see whether the \
         target has them"
    );
    Found::warning("TextSearchFileUnknown", message).object(name).remedy(format!(
        "-- make sure that {files} are in tsearch_data, in the folder that pg_config --sharedir names on the target's machine"
    ))
}
