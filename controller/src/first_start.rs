//! What the first start makes and later ones read: the administrator's token and context file, the key of join tokens.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{TryRngCore as _, rngs::OsRng};
use serde::Serialize;

use crate::{
    data_dir::{DataDir, DataDirError},
    fleet::TokenKey,
    tls::Authority,
};

/// 256 bits: no one guesses it.
const SECRET_LENGTH: usize = 32;

/// What can go wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// A file.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The system gave no random bytes.
    #[error("getting random bytes from the system: {0}")]
    Random(String),
    /// A file that is not ours.
    #[error("{0} is not as it was written: put back what was there, or delete it and start again")]
    Damaged(String),
}

/// The administrator's context, as the CLI reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    address: &'a str,
    ca: &'a str,
    token: &'a str,
    agent_ca_fingerprint: String,
}

/// The administrator's token. Who deletes `admin.token` and starts again has another.
///
/// # Errors
/// [`FirstStartError`].
pub fn admin_token(dir: &DataDir) -> Result<String, FirstStartError> {
    let path = dir.path("admin.token");
    if !path.exists() {
        let token = format!("wha1.{}", URL_SAFE_NO_PAD.encode(random()?));
        DataDir::write_secret(&path, token.as_bytes())?;
        tracing::info!(path = %path.display(), "made the administrator's credential");
    }
    Ok(DataDir::read(&path)?.trim().to_owned())
}

/// The key of join tokens' secrets.
///
/// # Errors
/// [`FirstStartError`].
pub fn token_key(dir: &DataDir) -> Result<TokenKey, FirstStartError> {
    let path = dir.path("token.key");
    if !path.exists() {
        DataDir::write_secret(&path, URL_SAFE_NO_PAD.encode(random()?).as_bytes())?;
    }
    let damaged = || FirstStartError::Damaged(path.display().to_string());
    let bytes = URL_SAFE_NO_PAD.decode(DataDir::read(&path)?.trim()).map_err(|_| damaged())?;
    Ok(TokenKey::new(bytes.try_into().map_err(|_| damaged())?))
}

/// Writes `admin.yaml`, unless it is as it should be.
///
/// # Errors
/// [`FirstStartError`].
pub fn write_context(
    dir: &DataDir,
    authority: &Authority,
    address: &str,
    token: &str,
) -> Result<(), FirstStartError> {
    let path = dir.path("admin.yaml");
    let agent_ca_fingerprint = authority.fingerprint();
    let context = Context { address, ca: authority.pem(), token, agent_ca_fingerprint };
    let yaml = serde_yaml_ng::to_string(&context)
        .map_err(|e| FirstStartError::Damaged(format!("{}: {e}", path.display())))?;
    if path.exists() && DataDir::read(&path)? == yaml {
        return Ok(());
    }
    DataDir::write_secret(&path, yaml.as_bytes())?;
    tracing::info!(path = %path.display(), address, "wrote the administrator's context for the CLI");
    Ok(())
}

fn random() -> Result<[u8; SECRET_LENGTH], FirstStartError> {
    let mut bytes = [0; SECRET_LENGTH];
    OsRng.try_fill_bytes(&mut bytes).map_err(|e| FirstStartError::Random(e.to_string()))?;
    Ok(bytes)
}
