//! Makes the source's roles that the target does not have.
//!
//! Roles belong to the server, not to a database, so that no ledger speaks of them: they are made in one transaction,
//! whole or not at all, and one that is there already is never altered; the preflight names what differs. Two migrations
//! that make roles wait for each other. What our role may not give is left, and named with the statement that gives it.
mod statement;

use std::collections::HashSet;

use tokio_postgres::Transaction;

use self::statement::{Statement, complete, create, memberships, parameter};
use super::{fact::Fact, receive::Receiver};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::{Client, MAINTENANCE_DATABASE, connect, identifier},
    wire::{Answer, Ask, Roles, unexpected_answer},
};

const DOING: &str = "making the source's roles on the target";

/// Two migrations would both find a role missing, and one of them would fail. The number means nothing. Whoever holds it
/// is done within seconds; a minute later it is tried again.
const ONE_AT_A_TIME: &str =
    "set local lock_timeout = '60s'; select pg_advisory_xact_lock(7735265010411462)";

/// A statement that fails would stand in the server's log with the password's verifier. Only a superuser may ask for it.
const UNLOGGED: &str = "set local log_statement = none; set local log_min_duration_statement = -1; \
    set local log_min_error_statement = panic";

/// Statements and names that one event spells out; the rest is counted.
const TOLD_MAX: usize = 50;

/// What was made, and what could not be.
#[derive(Default)]
struct Made {
    roles: Vec<String>,
    left: Vec<String>,
    /// Roles that ours was made a member of, to give them what is theirs.
    joined: Vec<String>,
}

impl Receiver {
    /// Makes those that are missing.
    pub(crate) async fn make_roles(&self) -> Result<(), Fault> {
        self.progress.operation("making roles on the target");
        self.lease.require()?;
        let Answer::Roles(roles) = self.caller.ask(Ask::Roles).await? else {
            return Err(unexpected_answer());
        };
        let mut admin = connect(&self.spec.endpoint, MAINTENANCE_DATABASE, "roles").await?;
        let made = make(&mut admin, &roles).await?;
        if !made.roles.is_empty() {
            self.tell(Fact::Milestone("RolesMade", told(&made.roles, ", "))).await;
        }
        if !made.left.is_empty() {
            let text = format!("left to be done by hand: {}", told(&made.left, " "));
            self.tell(Fact::Milestone("RolesIncomplete", text)).await;
        }
        if !made.joined.is_empty() {
            let user = identifier(&self.spec.endpoint.user);
            let text = format!(
                "role {user} was made a member of those it made, to give them what is theirs; when all is over: revoke {} from {user};",
                told(&made.joined, ", ")
            );
            self.tell(Fact::Milestone("RoleMembershipsLent", text)).await;
        }
        Ok(())
    }
}

pub(in crate::target) fn told(things: &[String], separator: &str) -> String {
    let shown = things.len().min(TOLD_MAX);
    let rest = things.len() - shown;
    let text = things[..shown].join(separator);
    if rest == 0 { text } else { format!("{text}{separator}and {rest} more") }
}

async fn make(admin: &mut Client, roles: &Roles) -> Result<Made, Fault> {
    let major = admin.server_major();
    let mut tx = admin.transaction().await.doing(DOING)?;
    tx.batch_execute(ONE_AT_A_TIME).await.doing(DOING)?;
    // Refused to those who are no superusers: then the server's own settings hold.
    attempt(&mut tx, UNLOGGED).await?;
    let here = names(&tx).await?;
    let mut made = Made::default();
    for role in roles.roles.iter().filter(|role| !here.contains(&role.name)) {
        tx.batch_execute(&create(role)).await.doing(format!("{DOING}: {:?}", role.name))?;
        made.roles.push(role.name.clone());
    }
    for role in roles.roles.iter().filter(|role| !here.contains(&role.name)) {
        run(&mut tx, complete(role), &mut made.left).await?;
    }
    let new: HashSet<&str> = made.roles.iter().map(String::as_str).collect();
    let is_new = |name: &str| new.contains(name);
    let granted = roles
        .memberships
        .iter()
        .filter(|membership| is_new(&membership.role) || is_new(&membership.member))
        .map(|membership| memberships(membership, major))
        .collect();
    grant(&mut tx, granted, &mut made.left).await?;
    let parameters =
        roles.parameters.iter().filter(|grant| is_new(&grant.grantee)).map(parameter).collect();
    run(&mut tx, parameters, &mut made.left).await?;
    made.joined = join(&mut tx, &made.roles, major).await?;
    tx.commit().await.doing(DOING)?;
    Ok(made)
}

async fn names(tx: &Transaction<'_>) -> Result<HashSet<String>, Fault> {
    let rows = tx.query("select rolname from pg_roles", &[]).await.doing(DOING)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Runs each; what the server refuses is left.
async fn run(
    tx: &mut Transaction<'_>,
    statements: Vec<Statement>,
    left: &mut Vec<String>,
) -> Result<(), Fault> {
    for statement in statements {
        if !attempt(tx, &statement.sql).await? {
            left.push(statement.by_hand);
        }
    }
    Ok(())
}

/// Grants memberships, each in the first of its ways that goes. One may be the right to grant another, so that what was
/// refused comes again as long as others went; at most as often as there are memberships.
async fn grant(
    tx: &mut Transaction<'_>,
    memberships: Vec<Vec<Statement>>,
    left: &mut Vec<String>,
) -> Result<(), Fault> {
    let mut open = memberships;
    // First as they were granted, whoever has to come first; only then as our own grants.
    for last_resort in [false, true] {
        loop {
            let before = open.len();
            let mut refused = Vec::new();
            for ways in open {
                let way = if last_resort { ways.last() } else { ways.first() };
                let done = match way {
                    Some(way) => attempt(tx, &way.sql).await?,
                    None => true,
                };
                if !done {
                    refused.push(ways);
                }
            }
            open = refused;
            if open.is_empty() || open.len() == before {
                break;
            }
        }
    }
    left.extend(open.into_iter().filter_map(|mut ways| ways.pop()).map(|way| way.by_hand));
    Ok(())
}

/// A superuser gives every role what is its own; others must be members of it.
async fn join(
    tx: &mut Transaction<'_>,
    roles: &[String],
    major: u32,
) -> Result<Vec<String>, Fault> {
    let row = tx
        .query_one("select rolsuper from pg_roles where rolname = current_user", &[])
        .await
        .doing(DOING)?;
    if row.get(0) {
        return Ok(Vec::new());
    }
    // The right to give a role objects is one of its own since 16.
    let with = if major >= 16 { " with inherit true, set true" } else { "" };
    let mut joined = Vec::new();
    for role in roles {
        let role = identifier(role);
        if attempt(tx, &format!("grant {role} to current_user{with}")).await? {
            joined.push(role);
        }
    }
    Ok(joined)
}

/// Whether the server did it. What a later try can mend is an error.
async fn attempt(tx: &mut Transaction<'_>, sql: &str) -> Result<bool, Fault> {
    let one = tx.transaction().await.doing(DOING)?;
    match one.batch_execute(sql).await {
        Ok(()) => one.commit().await.doing(DOING).map(|()| true),
        Err(error) => {
            let fault = Fault::sql(DOING, &error);
            if fault.policy != Policy::Hold {
                return Err(fault);
            }
            one.rollback().await.doing(DOING)?;
            Ok(false)
        }
    }
}
