//! Join tokens, and what is done with them.
use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use whimbrel_proto::{agent::v1 as link, name};

use super::{Fleet, FleetError};
use crate::store::{Agent, JoinToken, Memo, StoreError};

/// Long enough to start an agent by hand.
const TTL_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// A token that lies about for longer is one that somebody finds.
const TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// X25519.
const SEALING_KEY_LENGTH: usize = 32;

/// Bounds what an agent can make us remember.
const LABELS_MAX: usize = 64;

/// Makes the secrets of join tokens. The same request id gives the same secret, so that a repeated request can be answered
/// although the secret is kept nowhere.
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// From 32 random bytes, kept beside the authority's key.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Both inputs have a fixed length, so a hash of the two keyed by the first is a sound generator.
    fn secret(&self, request: Uuid) -> [u8; 32] {
        Sha256::new().chain_update(self.0).chain_update(request.as_bytes()).finalize().into()
    }
}

/// A join token, told once.
pub struct Invitation {
    /// The whole token.
    pub token: String,
    /// Not good after.
    pub expires_at: Timestamp,
}

/// What an agent gets when it joins.
pub struct Enrolled {
    /// Its record.
    pub agent: Agent,
    /// PEM.
    pub certificate_pem: String,
    /// PEM.
    pub ca_pem: String,
    /// Not good after.
    pub expires_at: Timestamp,
}

/// The part of the token that is base64.
#[derive(Serialize)]
struct Token<'a> {
    v: u32,
    addresses: &'a [String],
    ca: String,
    secret: String,
    expires: i64,
}

impl Fleet {
    /// How long a token of this wish is good.
    ///
    /// # Errors
    /// [`FleetError::Invalid`].
    pub fn token_ttl(wish: Option<Duration>) -> Result<Duration, FleetError> {
        let ttl = wish.unwrap_or(TTL_DEFAULT);
        if ttl.is_zero() || ttl > TTL_MAX {
            let problem = "is not between a second and 24 hours".to_owned();
            return Err(FleetError::Invalid { field: "ttl", code: "InvalidArgument", problem });
        }
        Ok(ttl)
    }

    /// Makes a join token. `request` decides its secret.
    ///
    /// # Errors
    /// [`FleetError`].
    pub async fn invite(
        &self,
        request: Uuid,
        expires_at: Timestamp,
        labels: BTreeMap<String, String>,
        memo: Option<Memo>,
    ) -> Result<Invitation, FleetError> {
        check_labels(&labels)?;
        let hash = Sha256::digest(self.token_key.secret(request)).to_vec();
        self.store.add_token(JoinToken { hash, labels, expires_at }, memo).await?;
        self.invitation(request, expires_at)
    }

    /// The token that `invite` made for this request.
    ///
    /// # Errors
    /// [`FleetError`].
    pub fn invitation(
        &self,
        request: Uuid,
        expires_at: Timestamp,
    ) -> Result<Invitation, FleetError> {
        let token = Token {
            v: 1,
            addresses: &self.addresses,
            ca: self.authority.fingerprint(),
            secret: URL_SAFE_NO_PAD.encode(self.token_key.secret(request)),
            expires: expires_at.as_second(),
        };
        let json = serde_json::to_vec(&token).map_err(|e| StoreError::Failed {
            doing: "writing a join token",
            cause: e.to_string(),
        })?;
        Ok(Invitation { token: format!("whj1.{}", URL_SAFE_NO_PAD.encode(json)), expires_at })
    }

    /// Spends a join token: the agent is known from now on.
    ///
    /// # Errors
    /// [`FleetError::Token`], [`FleetError::NameTaken`], [`FleetError::Invalid`].
    pub async fn enrol(&self, request: link::EnrolRequest) -> Result<Enrolled, FleetError> {
        // A host name is a fine wish, but for its dots.
        let id = request.agent_name.replace('.', "-");
        let invalid_name = |e: name::InvalidName| FleetError::Invalid {
            field: "agent_name",
            code: "InvalidName",
            problem: e.to_string(),
        };
        name::check_id("agent_name", &id).map_err(invalid_name)?;
        if request.sealing_key.len() != SEALING_KEY_LENGTH {
            let problem = "is not an X25519 public key of 32 bytes".to_owned();
            let (field, code) = ("sealing_key", "InvalidArgument");
            return Err(FleetError::Invalid { field, code, problem });
        }
        let labels: BTreeMap<_, _> = request.labels.into_iter().collect();
        check_labels(&labels)?;
        let now = Self::now();
        let uid = Uuid::new_v4().to_string();
        // Signed before the token is spent: a bad request costs no token.
        let mut signed = self.authority.sign_agent(&request.csr_pem, &id, &uid, now)?;
        let made = uid.clone();
        let agent = Agent {
            id: id.clone(),
            uid,
            version: 1,
            labels,
            program_version: request.version,
            incarnation: String::new(),
            past_incarnations: Vec::new(),
            key_hash: signed.key_hash.clone(),
            sealing_key: request.sealing_key,
            postgres_programs: Vec::new(),
            draining: false,
            revoked: false,
            created_at: now,
            last_seen_at: None,
        };
        let hash = Sha256::digest(&request.secret);
        let agent = self.store.enrol(&hash, agent, now).await.map_err(|e| match e {
            StoreError::NameTaken { .. } => FleetError::NameTaken { agent: id },
            e => e.into(),
        })?;
        if agent.uid != made {
            // It has joined before, and did not hear so.
            signed = self.authority.sign_agent(&request.csr_pem, &agent.id, &agent.uid, now)?;
        }
        tracing::info!(agent = agent.id, "an agent has joined");
        Ok(Enrolled {
            agent,
            certificate_pem: signed.certificate_pem,
            ca_pem: self.authority.pem().to_owned(),
            expires_at: signed.expires_at,
        })
    }
}

fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), FleetError> {
    const LENGTH_MAX: usize = 256;
    let long = labels.iter().any(|(k, v)| k.is_empty() || k.len() + v.len() > LENGTH_MAX);
    if labels.len() <= LABELS_MAX && !long {
        return Ok(());
    }
    let problem =
        format!("are too many or too long: at most {LABELS_MAX} of {LENGTH_MAX} bytes each");
    Err(FleetError::Invalid { field: "labels", code: "InvalidArgument", problem })
}
