//! What a target can't give one of its databases.
use serde_json::json;
use whimbrel_proto::v1::FindingState;

use crate::{
    bench::Bench,
    target_server::{elsewhere, facts_with},
};

#[tokio::test]
async fn extensions_that_are_missing_or_older() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database extended").await;
    bench.sql("extended", "create extension hstore schema public; create extension citext schema public version '1.4'").await;
    let source = bench.source(&bench.superuser(), &["extended"]).await;
    let facts = facts_with(&source, |facts| {
        elsewhere(facts);
        let extensions = facts["databases"][0]["extensions"].as_array_mut().unwrap();
        for extension in extensions.iter_mut().filter(|extension| extension["name"] == "hstore") {
            extension["version"] = json!("99.0");
        }
        for name in ["postgis", "home_made"] {
            extensions.push(json!({"name": name, "version": "1", "schema": "public"}));
        }
    });
    let looked = bench.target(&bench.superuser(), &["extended"], &facts).await;
    looked.assert_told(&[
        "extended: ExtensionUnavailable postgis",
        "extended: ExtensionUnavailable home_made",
        "extended: ExtensionVersionDiffers hstore",
    ]);
    assert_eq!(looked.only("ExtensionVersionDiffers").state(), FindingState::FindingWarning);
    let remedies = looked.remedies();
    assert!(remedies[0].contains("apt install postgresql-") && remedies[0].contains("postgis-3"));
    assert!(remedies[1].contains("home_made"), "{remedies:?}");
}

#[tokio::test]
async fn locales_that_are_missing() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database local").await;
    bench
        .sql(
            "postgres",
            "create database utf template template0 lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'",
        )
        .await;
    let source = bench.source(&bench.superuser(), &["utf", "local"]).await;
    let facts = facts_with(&source, |facts| {
        elsewhere(facts);
        let local = &mut facts["databases"][1];
        local["collate"] = json!("xx_XX.UTF-8");
        local["encoding"] = json!("KLINGON");
        local["provider"] = json!("b");
        local["icu_locale"] = json!("C.UTF-8");
    });
    let looked = bench.target(&bench.superuser(), &["utf", "local"], &facts).await;
    looked.assert_told(&[
        "local: EncodingUnknown KLINGON",
        "local: LocaleProviderNotCarried C.UTF-8",
        "local: LocaleMissing xx_XX.UTF-8",
    ]);
    assert!(
        looked.only("LocaleMissing").remedy.starts_with("localedef -i xx_XX -f UTF-8 xx_XX.UTF-8")
    );
}
