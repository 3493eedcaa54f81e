//! Who this agent is: its name, its keys, its certificate, the controller's CA. All of it in the data folder.
use std::fmt;

use crypto_box::SecretKey;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{data_dir::DataDir, error::LinkError, renew};

/// Written last: what makes the rest an identity.
const RECORD: &str = "identity.toml";
const KEY: &str = "agent.key";
const CERTIFICATE: &str = "agent.crt";
const CA: &str = "ca.crt";
const SEALING_KEY: &str = "sealing.key";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    name: String,
    uid: String,
    /// Of the controller; may be edited when it has moved.
    addresses: Vec<String>,
}

/// The agent's identity.
pub struct Identity {
    record: Record,
    pub(super) keys: Keys,
    certificate_pem: String,
    ca_pem: String,
}

/// Made on this machine, and never sent.
pub(super) struct Keys {
    /// P-256, for TLS.
    tls: KeyPair,
    /// X25519, that passwords are sealed to.
    pub(super) sealing: SecretKey,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("record", &self.record).finish_non_exhaustive()
    }
}

fn crypto(doing: &'static str) -> impl Fn(rcgen::Error) -> LinkError {
    move |error| LinkError::Crypto { doing, cause: error.to_string() }
}

impl Keys {
    /// Those in the folder, or new ones, kept there before they are used: a token that was spent on a key that is lost
    /// would be lost too.
    pub(super) fn load_or_make(dir: &DataDir) -> Result<Self, LinkError> {
        if let Some(keys) = Self::load(dir)? {
            return Ok(keys);
        }
        let tls = KeyPair::generate().map_err(crypto("making the agent's key"))?;
        let sealing = SecretKey::from_bytes(rand::random());
        dir.write(SEALING_KEY, sealing.to_bytes().as_slice())?;
        dir.write(KEY, Zeroizing::new(tls.serialize_pem()).as_bytes())?;
        Ok(Self { tls, sealing })
    }

    fn load(dir: &DataDir) -> Result<Option<Self>, LinkError> {
        let (Some(tls), Some(sealing)) = (dir.read(KEY)?, dir.read(SEALING_KEY)?) else {
            return Ok(None);
        };
        let broken =
            |file, cause: &dyn fmt::Display| LinkError::Identity { file, cause: cause.to_string() };
        let tls = std::str::from_utf8(&tls).map_err(|error| broken(KEY, &error))?;
        let tls = KeyPair::from_pem(tls).map_err(|error| broken(KEY, &error))?;
        let sealing =
            SecretKey::from_slice(&sealing).map_err(|error| broken(SEALING_KEY, &error))?;
        Ok(Some(Self { tls, sealing }))
    }

    /// A certificate request for the TLS key. The controller chooses what the certificate says.
    pub(super) fn request_pem(&self, name: &str) -> Result<String, LinkError> {
        const DOING: &str = "making the certificate request";
        let mut params = CertificateParams::new(Vec::new()).map_err(crypto(DOING))?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let request = params.serialize_request(&self.tls).map_err(crypto(DOING))?;
        request.pem().map_err(crypto(DOING))
    }
}

impl Identity {
    /// The identity in the folder; `None` before enrolment.
    ///
    /// # Errors
    /// [`LinkError::Identity`] when a file is missing or damaged.
    pub fn load(dir: &DataDir) -> Result<Option<Self>, LinkError> {
        if dir.read(RECORD)?.is_none() {
            return Ok(None);
        }
        let missing = |file| move || LinkError::Identity { file, cause: "it is missing".into() };
        let record = toml::from_str(&text(dir, RECORD)?).map_err(|error| LinkError::Identity {
            file: RECORD,
            cause: error.message().to_owned(),
        })?;
        let keys = Keys::load(dir)?.ok_or_else(missing(KEY))?;
        let (certificate_pem, ca_pem) = (text(dir, CERTIFICATE)?, text(dir, CA)?);
        Ok(Some(Self { record, keys, certificate_pem, ca_pem }))
    }

    /// Keeps a new identity; the record last, so that a crash before leaves none.
    pub(super) fn save(
        dir: &DataDir,
        keys: Keys,
        enrolled: whimbrel_proto::agent::v1::EnrolResponse,
        ca_pem: String,
        addresses: Vec<String>,
    ) -> Result<Self, LinkError> {
        let record = Record { name: enrolled.agent_name, uid: enrolled.agent_uid, addresses };
        let text = toml::to_string(&record).map_err(|error| LinkError::Crypto {
            doing: "writing the identity",
            cause: error.to_string(),
        })?;
        dir.write(CA, ca_pem.as_bytes())?;
        dir.write(CERTIFICATE, enrolled.certificate_pem.as_bytes())?;
        dir.write(RECORD, text.as_bytes())?;
        Ok(Self { record, keys, certificate_pem: enrolled.certificate_pem, ca_pem })
    }

    /// Takes a renewed certificate over, if it is one for our key.
    pub(super) fn renew(
        &mut self,
        dir: &DataDir,
        certificate_pem: String,
    ) -> Result<(), LinkError> {
        const DOING: &str = "taking the renewed certificate";
        let refuse = |cause: &str| LinkError::Crypto { doing: DOING, cause: cause.to_owned() };
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|_| refuse("it is not a certificate"))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der)
            .map_err(|_| refuse("it is not a certificate"))?;
        if parsed.public_key().raw != self.keys.tls.subject_public_key_info() {
            return Err(refuse("it is for another key"));
        }
        dir.write(CERTIFICATE, certificate_pem.as_bytes())?;
        self.certificate_pem = certificate_pem;
        Ok(())
    }

    /// Is it too late to renew the certificate? A new token makes it good again (see [`super::enrol()`]).
    #[must_use]
    pub fn is_expired(&self) -> bool {
        renew::is_expired(self)
    }

    /// The agent's name, `agents/` left out.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// `host:port` of the controller, in the order to be tried.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.record.addresses
    }

    /// The key that passwords are sealed to.
    #[must_use]
    pub fn sealing_key(&self) -> SecretKey {
        self.keys.sealing.clone()
    }

    pub(super) fn certificate(&self) -> Result<CertificateDer<'static>, LinkError> {
        certificate(CERTIFICATE, &self.certificate_pem)
    }

    pub(super) fn ca(&self) -> Result<CertificateDer<'static>, LinkError> {
        certificate(CA, &self.ca_pem)
    }

    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, LinkError> {
        PrivateKeyDer::try_from(self.keys.tls.serialize_der())
            .map_err(|cause| LinkError::Identity { file: KEY, cause: cause.to_owned() })
    }
}

fn certificate(file: &'static str, pem: &str) -> Result<CertificateDer<'static>, LinkError> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| LinkError::Identity { file, cause: error.to_string() })
}

fn text(dir: &DataDir, file: &'static str) -> Result<String, LinkError> {
    let refuse = |cause: &str| LinkError::Identity { file, cause: cause.to_owned() };
    let bytes = dir.read(file)?.ok_or_else(|| refuse("it is missing"))?;
    std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| refuse("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use whimbrel_proto::agent::v1::EnrolResponse;

    use super::*;

    fn self_signed(keys: &Keys) -> String {
        CertificateParams::new(Vec::new()).unwrap().self_signed(&keys.tls).unwrap().pem()
    }

    #[test]
    fn an_identity_comes_back_as_it_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        assert!(Identity::load(&dir).unwrap().is_none());
        let keys = Keys::load_or_make(&dir).unwrap();
        let made = keys.tls.serialize_pem();
        assert!(Identity::load(&dir).unwrap().is_none(), "keys alone are no identity");
        let keys = Keys::load_or_make(&dir).unwrap();
        assert_eq!(keys.tls.serialize_pem(), made, "a second try has the same keys");
        assert!(keys.request_pem("a").unwrap().contains("CERTIFICATE REQUEST"));

        let certificate_pem = self_signed(&keys);
        let enrolled = EnrolResponse {
            agent_name: "a".into(),
            agent_uid: "u".into(),
            certificate_pem: certificate_pem.clone(),
            ..Default::default()
        };
        let sealing = keys.sealing.public_key();
        let addresses = vec!["c:1".to_owned()];
        Identity::save(&dir, keys, enrolled, certificate_pem.clone(), addresses).unwrap();
        let mut identity = Identity::load(&dir).unwrap().unwrap();
        assert_eq!((identity.name(), identity.addresses()), ("a", &["c:1".to_owned()][..]));
        assert_eq!(identity.sealing_key().public_key(), sealing);

        identity.renew(&dir, self_signed(&identity.keys)).unwrap();
        let other = KeyPair::generate().unwrap();
        let foreign = CertificateParams::new(Vec::new()).unwrap().self_signed(&other).unwrap();
        let error = identity.renew(&dir, foreign.pem()).unwrap_err();
        assert!(error.to_string().contains("another key"), "{error}");
    }
}
