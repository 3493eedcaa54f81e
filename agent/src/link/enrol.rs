//! Enrolment: a join token becomes an identity.
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::time::{sleep, timeout};
use tonic::Code;
use tonic_types::StatusExt as _;
use whimbrel_points::point;
use whimbrel_proto::agent::v1::{
    EnrolRequest, EnrolResponse, enrolment_service_client::EnrolmentServiceClient,
};

use super::{
    backoff::Backoff,
    data_dir::DataDir,
    dial::{DialError, Pinned, dial, enrolment_config},
    error::LinkError,
    identity::{Identity, Keys},
    token::JoinToken,
};

/// A first start waits this long for its controller: both may be started together. Longer, and a wrong address would
/// look like a slow start.
const PATIENCE: Duration = Duration::from_secs(60);
/// One call: the controller signs a key and writes one transaction.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// What the agent wishes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Wished name.
    pub name: String,
    /// Labels.
    pub labels: HashMap<String, String>,
}

/// Spends the token and keeps the identity in `dir`. Tries for a minute while nobody answers.
///
/// With the keys of an identity that is there already, and its name, the agent is who it was, with a new certificate.
///
/// # Errors
/// [`LinkError`]: `WrongController`, `EnrolRefused`, `Unreachable`, or about the folder.
pub async fn enrol(
    dir: &DataDir,
    token: &JoinToken,
    wish: &Enrolment,
) -> Result<Identity, LinkError> {
    let keys = Keys::load_or_make(dir)?;
    let request = EnrolRequest {
        secret: token.secret.to_vec(),
        agent_name: wish.name.clone(),
        labels: wish.labels.clone(),
        csr_pem: keys.request_pem(&wish.name)?,
        sealing_key: keys.sealing.public_key().as_bytes().to_vec(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let deadline = Instant::now() + PATIENCE;
    let mut backoff = Backoff::new();
    loop {
        let cause = match ask_each(token, &request).await? {
            Ok((response, ca_pem)) => {
                point!("enrol.answered");
                let addresses = token.addresses.clone();
                return Identity::save(dir, keys, response, ca_pem, addresses);
            }
            Err(cause) => cause,
        };
        let pause = backoff.next();
        if Instant::now() + pause >= deadline {
            return Err(LinkError::Unreachable { seconds: PATIENCE.as_secs(), cause });
        }
        tracing::warn!(%cause, ?pause, "enrolling: the controller can't be reached yet");
        sleep(pause).await;
    }
}

/// The response and the CA, or why nobody could be reached; a refusal is the outer error.
type Answer = Result<(EnrolResponse, String), String>;

async fn ask_each(token: &JoinToken, request: &EnrolRequest) -> Result<Answer, LinkError> {
    let mut last = Err("the token names no address".to_owned());
    for address in &token.addresses {
        last = ask(address, token, request).await?;
        if last.is_ok() {
            break;
        }
    }
    Ok(last)
}

async fn ask(
    address: &str,
    token: &JoinToken,
    request: &EnrolRequest,
) -> Result<Answer, LinkError> {
    let (config, pinned) = enrolment_config(token.ca_fingerprint)?;
    let channel = match dial(address, config).await {
        Ok((channel, _)) => channel,
        Err(error) if error.is_certificate() => {
            return Err(LinkError::WrongController { address: address.to_owned() });
        }
        Err(error @ DialError::Tls { .. }) => return Ok(Err(error.to_string())),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut client = EnrolmentServiceClient::new(channel);
    let call = timeout(CALL_TIMEOUT, client.enrol(request.clone())).await;
    match call {
        Ok(Ok(response)) => Ok(Ok((response.into_inner(), ca_pem(&pinned)))),
        Ok(Err(status)) => refused_or_lost(address, &status).map(Err),
        Err(_) => Ok(Err(format!("{address}: no answer within {} s", CALL_TIMEOUT.as_secs()))),
    }
}

fn refused_or_lost(address: &str, status: &tonic::Status) -> Result<String, LinkError> {
    match status.code() {
        // A broken connection comes as any of these.
        Code::Unavailable
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::ResourceExhausted
        | Code::Internal => Ok(format!("{address}: {}", status.message())),
        other => Err(LinkError::EnrolRefused {
            address: address.to_owned(),
            code: reason(status).unwrap_or_else(|| format!("{other:?}")),
            message: status.message().to_owned(),
        }),
    }
}

/// The stable code in a status.
pub(super) fn reason(status: &tonic::Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason).filter(|reason| !reason.is_empty())
}

/// The CA as it was checked by its fingerprint in the handshake, not as the response tells it.
fn ca_pem(pinned: &Pinned) -> String {
    /// As RFC 7468 wants its lines.
    const LINE: usize = 64;
    let der = pinned.ca().map(|ca| ca.as_ref()).unwrap_or_default();
    let text = BASE64_STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for start in (0..text.len()).step_by(LINE) {
        pem.push_str(&text[start..text.len().min(start + LINE)]);
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
