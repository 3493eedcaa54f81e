//! Databases of other encodings than UTF-8.
use std::sync::Arc;

use crate::{
    Followed,
    cluster::Cluster,
    driver::{HBA, database, value},
};

/// The encoding, and a text of it as bytes: letters that differ from UTF-8's, and a backslash or a quote as second byte
/// where there can be one.
const ENCODINGS: [(&str, &str); 4] = [
    ("latin1", r"\xe4f6fc5c22"),
    ("euc_jp", r"\xc6fccbdc5c22"),
    ("win1252", r"\x80e45c22"),
    // No encoding: any bytes, of no encoding at all.
    ("sql_ascii", r"\xe45c22ff80c3"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_keep_their_bytes() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    for (encoding, bytes) in ENCODINGS {
        let name = &*format!("in_{encoding}").leak();
        database(
            &source,
            &format!("create database {name} encoding '{encoding}' template template0"),
        )
        .await;
        let text = format!("convert_from('{bytes}', '{encoding}')");
        let schema = format!(
            "create table t (k text primary key, a text[], v int);\n\
             create table whole (k text, v int); alter table whole replica identity full;\n\
             insert into t select {text} || g, array[{text}], 0 from generate_series(1, 50) g;\n\
             insert into whole select {text} || g, 0 from generate_series(1, 50) g"
        );
        let (source, target) = (Arc::clone(&source), Arc::clone(&target));
        let mut followed = Followed::follow(source, target, name, &schema).await;
        let (one, many) = (format!("{text} || 1"), format!("k <> {text} || 1"));
        for condition in [format!("k = {one}"), many] {
            let writes = format!(
                "update t set v = v + 1 where {condition}; update whole set v = v + 1 where {condition}\n\n\
                 update t set k = k || {text}, a = a || {text} where {condition}\n\n\
                 update whole set k = k || {text} where {condition}\n\n\
                 delete from t where v = 1 and k like '%4%'; delete from whole where v = 1 and k like '%4%'"
            );
            followed.write(&writes).await;
        }
        let target = Arc::clone(&followed.target);
        followed.assert_alike().await;
        let query = format!("select bool_and(strpos(k, {text}) = 1) from t");
        assert_eq!(value(&target, name, &query).await, "true");
    }
}
