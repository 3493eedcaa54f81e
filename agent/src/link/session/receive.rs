//! What the controller sends, and what becomes of it.
use std::sync::Arc;

use whimbrel_proto::{
    agent::v1::{
        Certificate, Command, CommandAck, ControllerMessage, LeaseGrant, Query, QueryAnswer,
        controller_message::Kind as Told, query, query_answer,
    },
    v1::ServerTest,
};

use super::{End, Kind, open::duration, serve::Session};
use crate::link::error::LinkError;

/// Questions answered at once: each opens a connection.
const QUERIES_MAX: usize = 8;

impl Session<'_> {
    pub(super) fn receive(&mut self, message: ControllerMessage) -> Result<(), End> {
        match message.kind {
            Some(Told::Command(command)) => self.command(command)?,
            Some(Told::ReportAck(ack)) => {
                self.link.outlet.shared.reports.acknowledge(ack.sequence);
            }
            Some(Told::Lease(grant)) => self.lease(&grant),
            Some(Told::Query(query)) => self.query(query),
            Some(Told::Certificate(certificate)) => self.certificate(certificate),
            Some(Told::Superseded(superseded)) => {
                return Err(End::Fatal(LinkError::Superseded { reason: superseded.reason }));
            }
            Some(Told::GoAway(away)) => return Err(End::GoAway(duration(away.pause))),
            Some(Told::Welcome(_)) => {
                return Err(End::Lost("the controller sent a second welcome".to_owned()));
            }
            // Of a later version, which Hello did not ask for.
            None => tracing::warn!("the controller sent a message that is not known here"),
        }
        Ok(())
    }

    fn command(&mut self, command: Command) -> Result<(), End> {
        let accepted = self.link.term.accept(&self.link.dir, command.term);
        if !accepted.map_err(|error| End::Lost(error.to_string()))? {
            tracing::warn!(term = command.term, "a command of an old term was refused");
            self.ready.push_back(Kind::Ack(CommandAck {
                command_id: command.command_id,
                accepted: false,
                refusal: "StaleTerm".to_owned(),
                epoch: 0,
            }));
            return Ok(());
        }
        // It is sent again in the next session: nothing is lost by ending this one.
        let full = |_| End::Lost("more commands than can wait here".to_owned());
        let number = command.number;
        self.work.commands.try_send(command).map_err(full)?;
        self.link.told.note(&self.link.dir, number);
        Ok(())
    }

    fn lease(&mut self, grant: &LeaseGrant) {
        if let Some(sent) = self.heartbeats.answered(grant.heartbeat_sequence) {
            self.link.outlet.shared.lease.grant(sent, duration(grant.ttl));
        }
    }

    fn query(&mut self, query: Query) {
        if self.queries.len() >= QUERIES_MAX {
            self.ready.push_back(Kind::Answer(busy(query)));
            return;
        }
        let tasks = Arc::clone(&self.work.tasks);
        self.queries.push(Box::pin(async move { tasks.query(query).await }));
    }

    fn certificate(&mut self, certificate: Certificate) {
        let link = &mut *self.link;
        match link.identity.renew(&link.dir, certificate.certificate_pem) {
            Ok(()) => tracing::info!("the certificate was renewed"),
            // The old one is good for a third of its life still; it is asked for again.
            Err(error) => tracing::error!(%error, "the certificate was not renewed"),
        }
    }
}

fn busy(query: Query) -> QueryAnswer {
    let failure = ServerTest {
        code: "AgentBusy".to_owned(),
        message: format!("asking the agent: it answers {QUERIES_MAX} questions already"),
        remedy: "ask again in a moment".to_owned(),
        ..Default::default()
    };
    let kind = match query.kind {
        Some(query::Kind::TestServer(_)) | None => query_answer::Kind::ServerTest(failure),
        Some(_) => query_answer::Kind::Failure(failure),
    };
    QueryAnswer { query_id: query.query_id, kind: Some(kind) }
}
