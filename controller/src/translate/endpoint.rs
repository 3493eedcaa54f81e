//! Endpoints and secrets.
use whimbrel_proto::{name, v1};

use super::InvalidField;
use crate::migration::{Endpoint, SealedCopy, Secret, SslMode};

const PORT_DEFAULT: u16 = 5432;

/// A complete endpoint. `field` is where it was in the request.
///
/// # Errors
/// [`InvalidField`]: host, user or password missing, or a value that can't be used.
pub fn endpoint_in(field: &str, endpoint: Option<&v1::Endpoint>) -> Result<Endpoint, InvalidField> {
    let missing = |name: &str| InvalidField::new(format!("{field}.{name}"), "is missing");
    let endpoint = endpoint.ok_or_else(|| InvalidField::new(field, "is missing"))?;
    if endpoint.host.is_empty() {
        return Err(missing("host"));
    }
    if endpoint.host.contains("://") || endpoint.host.contains(char::is_whitespace) {
        let problem = "is not a host name or an address: a URL can't be used here";
        return Err(InvalidField::new(format!("{field}.host"), problem));
    }
    if endpoint.user.is_empty() {
        return Err(missing("user"));
    }
    let password = endpoint.password.as_ref().ok_or_else(|| missing("password"))?;
    Ok(Endpoint {
        host: endpoint.host.clone(),
        port: port_in(field, endpoint.port)?,
        user: endpoint.user.clone(),
        password: secret_in(&format!("{field}.password"), password)?,
        ssl_mode: ssl_mode_in(field, endpoint.ssl_mode)?.unwrap_or(SslMode::Prefer),
    })
}

/// A port; 0 stands for PostgreSQL's own.
///
/// # Errors
/// [`InvalidField`].
pub fn port_in(field: &str, port: u32) -> Result<u16, InvalidField> {
    if port == 0 {
        return Ok(PORT_DEFAULT);
    }
    u16::try_from(port)
        .map_err(|_| InvalidField::new(format!("{field}.port"), "is not a port: 1 to 65535"))
}

/// A mode; `None` when nothing was said.
///
/// # Errors
/// [`InvalidField`].
pub fn ssl_mode_in(field: &str, mode: i32) -> Result<Option<SslMode>, InvalidField> {
    let field = || format!("{field}.ssl_mode");
    match v1::SslMode::try_from(mode) {
        Ok(v1::SslMode::Unspecified) => Ok(None),
        Ok(v1::SslMode::Disable) => Ok(Some(SslMode::Disable)),
        Ok(v1::SslMode::Prefer) => Ok(Some(SslMode::Prefer)),
        Ok(v1::SslMode::Require) => Ok(Some(SslMode::Require)),
        Ok(v1::SslMode::VerifyCa) => Ok(Some(SslMode::VerifyCa)),
        Ok(v1::SslMode::VerifyFull) => Ok(Some(SslMode::VerifyFull)),
        Err(_) => Err(InvalidField::new(field(), "is not an SSL mode that this controller knows")),
    }
}

/// A reference, or sealed copies.
///
/// # Errors
/// [`InvalidField`] when there is none, or an empty one.
pub fn secret_in(field: &str, secret: &v1::Secret) -> Result<Secret, InvalidField> {
    use v1::secret::Kind;
    let empty = |what: &str| InvalidField::new(field, format!("{what} is empty"));
    match &secret.kind {
        None => Err(InvalidField::new(field, "has no kind: env, file, pgpass or sealed")),
        Some(Kind::Env(name)) if name.is_empty() => Err(empty("the variable's name")),
        Some(Kind::File(path)) if path.is_empty() => Err(empty("the path")),
        Some(Kind::Env(name)) => Ok(Secret::Env(name.clone())),
        Some(Kind::File(path)) => Ok(Secret::File(path.clone())),
        Some(Kind::Pgpass(_)) => Ok(Secret::Pgpass),
        Some(Kind::Sealed(sealed)) if sealed.copies.is_empty() => Err(empty("the list of copies")),
        Some(Kind::Sealed(sealed)) => {
            let copies = sealed.copies.iter().map(|copy| copy_in(field, copy));
            Ok(Secret::Sealed(copies.collect::<Result<_, _>>()?))
        }
    }
}

fn copy_in(field: &str, copy: &v1::SealedCopy) -> Result<SealedCopy, InvalidField> {
    let agent = name::parse_agent("sealed.copies.agent", &copy.agent)
        .map_err(|e| InvalidField::new(field, e.to_string()))?;
    Ok(SealedCopy {
        agent: agent.to_owned(),
        sealing_key: copy.sealing_key.clone(),
        ciphertext: copy.ciphertext.clone(),
    })
}

/// For operators: of the password only its kind, never a ciphertext.
#[must_use]
pub fn endpoint_out(endpoint: &Endpoint) -> v1::Endpoint {
    let mut out = endpoint_raw(endpoint);
    if let Some(v1::Secret { kind: Some(v1::secret::Kind::Sealed(sealed)) }) = &mut out.password {
        for copy in &mut sealed.copies {
            copy.ciphertext = Vec::new();
        }
    }
    out
}

/// For agents: with what they open.
#[must_use]
pub fn endpoint_raw(endpoint: &Endpoint) -> v1::Endpoint {
    v1::Endpoint {
        host: endpoint.host.clone(),
        port: u32::from(endpoint.port),
        user: endpoint.user.clone(),
        password: Some(secret_out(&endpoint.password)),
        ssl_mode: ssl_mode_out(endpoint.ssl_mode).into(),
    }
}

fn secret_out(secret: &Secret) -> v1::Secret {
    use v1::secret::Kind;
    let kind = match secret {
        Secret::Env(name) => Kind::Env(name.clone()),
        Secret::File(path) => Kind::File(path.clone()),
        Secret::Pgpass => Kind::Pgpass(v1::Pgpass {}),
        Secret::Sealed(copies) => Kind::Sealed(v1::SealedSecret {
            copies: copies
                .iter()
                .map(|copy| v1::SealedCopy {
                    agent: name::agent(&copy.agent),
                    sealing_key: copy.sealing_key.clone(),
                    ciphertext: copy.ciphertext.clone(),
                })
                .collect(),
        }),
    };
    v1::Secret { kind: Some(kind) }
}

const fn ssl_mode_out(mode: SslMode) -> v1::SslMode {
    match mode {
        SslMode::Disable => v1::SslMode::Disable,
        SslMode::Prefer => v1::SslMode::Prefer,
        SslMode::Require => v1::SslMode::Require,
        SslMode::VerifyCa => v1::SslMode::VerifyCa,
        SslMode::VerifyFull => v1::SslMode::VerifyFull,
    }
}
