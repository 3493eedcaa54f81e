//! `validationDetails`: what the checks found.
use serde::Serialize;
use whimbrel_proto::v1;

use super::{filled, time};
use crate::words;

/// `validationDetails`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValidationDetails {
    pub(crate) status: Option<&'static str>,
    validation_start_time_in_utc: Option<String>,
    validation_end_time_in_utc: Option<String>,
    pub(crate) server_level_validation_details: Vec<Validation>,
    pub(crate) db_level_validation_details: Vec<DatabaseValidation>,
}

/// One of `dbLevelValidationDetails`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DatabaseValidation {
    pub(crate) database_name: String,
    started_on: Option<String>,
    ended_on: Option<String>,
    pub(crate) summary: Vec<Validation>,
}

/// One check.
#[derive(Debug, Serialize)]
pub(crate) struct Validation {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) state: Option<&'static str>,
    pub(crate) messages: Vec<Message>,
}

/// One thing that it found.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) state: Option<&'static str>,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) object: Option<String>,
    pub(crate) remedy: Option<String>,
}

impl From<&v1::ValidationDetails> for ValidationDetails {
    fn from(details: &v1::ValidationDetails) -> Self {
        Self {
            status: words::finding_state(details.status()),
            validation_start_time_in_utc: time(details.start_time.as_ref()),
            validation_end_time_in_utc: time(details.end_time.as_ref()),
            server_level_validation_details: details.server.iter().map(Into::into).collect(),
            db_level_validation_details: details.databases.iter().map(Into::into).collect(),
        }
    }
}

impl ValidationDetails {
    /// What was found though nothing is wrong.
    pub(crate) fn notes(&self) -> usize {
        let of_databases = self.db_level_validation_details.iter().flat_map(|d| &d.summary);
        let checks = self.server_level_validation_details.iter().chain(of_databases);
        let messages = checks.flat_map(|check| &check.messages);
        messages.filter(|message| message.state == Some("Succeeded")).count()
    }
}

impl From<&v1::DatabaseValidation> for DatabaseValidation {
    fn from(validation: &v1::DatabaseValidation) -> Self {
        Self {
            database_name: validation.database.clone(),
            started_on: time(validation.start_time.as_ref()),
            ended_on: time(validation.end_time.as_ref()),
            summary: validation.validations.iter().map(Into::into).collect(),
        }
    }
}

impl From<&v1::Validation> for Validation {
    fn from(validation: &v1::Validation) -> Self {
        Self {
            kind: validation.r#type.clone(),
            state: words::finding_state(validation.state()),
            messages: validation.findings.iter().map(Into::into).collect(),
        }
    }
}

impl From<&v1::Finding> for Message {
    fn from(finding: &v1::Finding) -> Self {
        Self {
            state: words::finding_state(finding.state()),
            code: filled(&finding.code),
            message: finding.message.clone(),
            object: filled(&finding.object),
            remedy: filled(&finding.remedy),
        }
    }
}
