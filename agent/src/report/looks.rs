//! What is looked at, each by one query that gives `object`, `detail` and `remedy`.
use serde::{Deserialize, Serialize};

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
};

/// Rows of one look: more are no longer read by anybody.
const ROWS_MAX: i64 = 200;

/// Whose rows are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The source's that the target has not.
    Missing,
    /// All of the source's.
    OfSource,
    /// All of the target's.
    OfTarget,
}

/// Where it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// Once on the server.
    Server,
    /// In each database, and in `postgres`, where jobs are kept.
    EachDatabase,
    /// In each database that was migrated.
    EachMigrated,
}

/// One look.
pub(super) struct Look {
    pub(super) topic: &'static str,
    pub(super) code: &'static str,
    /// What the detail is.
    pub(super) says: &'static str,
    pub(super) told: Told,
    pub(super) place: Where,
    /// A relation that must be there.
    pub(super) needs: Option<&'static str>,
    pub(super) sql: &'static str,
}

/// Found by a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) code: String,
    pub(super) database: String,
    pub(super) object: String,
    pub(super) detail: String,
    pub(super) remedy: String,
}

pub(super) const LOOKS: [Look; 11] = [
    Look {
        topic: "access rules",
        code: "AccessRule",
        says: "pg_hba.conf of the source has",
        told: Told::Missing,
        place: Where::Server,
        needs: Some("pg_catalog.pg_hba_file_rules"),
        sql: include_str!("sql/hba.sql"),
    },
    Look {
        topic: "connections",
        code: "ConnectedToSource",
        says: "still connected to the source",
        told: Told::OfSource,
        place: Where::EachMigrated,
        needs: None,
        sql: include_str!("sql/connections.sql"),
    },
    Look {
        topic: "roles",
        code: "PasswordToSet",
        says: "logs in with a password on the source",
        told: Told::Missing,
        place: Where::Server,
        needs: None,
        sql: include_str!("sql/passwords.sql"),
    },
    Look {
        topic: "roles",
        code: "Md5Password",
        says: "its password on the target is an MD5 digest, which later versions take no more",
        told: Told::OfTarget,
        place: Where::Server,
        needs: None,
        sql: include_str!("sql/md5.sql"),
    },
    Look {
        topic: "high availability",
        code: "StandbyOfSource",
        says: "follows the source",
        told: Told::OfSource,
        place: Where::Server,
        needs: None,
        sql: include_str!("sql/standbys.sql"),
    },
    Look {
        topic: "high availability",
        code: "SlotOfSource",
        says: "a replication slot of the source",
        told: Told::Missing,
        place: Where::Server,
        needs: None,
        sql: include_str!("sql/slots.sql"),
    },
    Look {
        topic: "high availability",
        code: "BackupSetting",
        says: "set on the source",
        told: Told::Missing,
        place: Where::Server,
        needs: None,
        sql: include_str!("sql/backups.sql"),
    },
    Look {
        topic: "extensions",
        code: "PreloadMissing",
        says: "loaded at the start of the source's server",
        told: Told::Missing,
        place: Where::Server,
        needs: None,
        sql: include_str!("sql/preload.sql"),
    },
    Look {
        topic: "subscriptions",
        code: "SubscriptionNotCarried",
        says: "a subscription of the source, which is not carried",
        told: Told::Missing,
        place: Where::EachDatabase,
        needs: Some("pg_catalog.pg_subscription"),
        sql: concat!(
            "select name as object, publications as detail, '-- on the target, with the source''s connection string'
                 || coalesce(', and the position that the source has when it is disabled (' || position || ')', '')
                 || ': ' || anew as remedy from (\n",
            include_str!("../postgres/subscriptions.sql"),
            "\n) s"
        ),
    },
    Look {
        topic: "jobs",
        code: "JobOfSource",
        says: "a job that pg_cron runs on the source",
        told: Told::Missing,
        place: Where::EachDatabase,
        needs: Some("cron.job"),
        sql: include_str!("sql/cron.sql"),
    },
    Look {
        topic: "statistics",
        code: "NeverAnalyzed",
        says: "tables of the target without statistics",
        told: Told::OfTarget,
        place: Where::EachDatabase,
        needs: None,
        sql: include_str!("sql/never_analyzed.sql"),
    },
];

impl Look {
    /// The rows, over a session in a database.
    pub(super) async fn rows(&self, client: &Client) -> Result<Vec<Row>, Fault> {
        let doing = format!("looking at the {} for the report", self.topic);
        if let Some(needs) = self.needs {
            let there = client
                .query_one("select to_regclass($1) is not null", &[&needs])
                .await
                .doing(&doing)?;
            if !there.get::<_, bool>(0) {
                return Ok(Vec::new());
            }
        }
        let sql = format!(
            "select object::text, detail::text, remedy::text from (\n{}\n) q order by 1, 2 limit $1",
            client.sql(self.sql)
        );
        let rows = client.query(&sql, &[&ROWS_MAX]).await.doing(&doing)?;
        let database = match self.place {
            Where::Server => String::new(),
            Where::EachDatabase | Where::EachMigrated => client.database().to_owned(),
        };
        let text =
            |row: &tokio_postgres::Row, at| row.get::<_, Option<String>>(at).unwrap_or_default();
        let row = |row: &tokio_postgres::Row| Row {
            code: self.code.to_owned(),
            database: database.clone(),
            object: text(row, 0),
            detail: text(row, 1),
            remedy: text(row, 2),
        };
        Ok(rows.iter().map(row).collect())
    }
}
