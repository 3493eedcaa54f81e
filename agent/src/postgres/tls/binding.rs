//! The channel binding that SCRAM-SHA-256-PLUS wants.
use rustls::ClientConnection;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// `tls-server-end-point` (RFC 5929): the certificate's hash by its own signature's algorithm, SHA-1 and MD5 raised to
/// SHA-256. None for algorithms without a hash of their own, such as Ed25519.
pub(in crate::postgres) fn channel_binding(connection: &ClientConnection) -> Option<Vec<u8>> {
    let certificate = connection.peer_certificates()?.first()?;
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    end_point_hash(&parsed.signature_algorithm.algorithm.to_id_string(), certificate)
}

fn end_point_hash(signature_algorithm: &str, certificate: &[u8]) -> Option<Vec<u8>> {
    match signature_algorithm {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Sha256::digest(certificate).to_vec()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => {
            Some(Sha384::digest(certificate).to_vec())
        }
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => {
            Some(Sha512::digest(certificate).to_vec())
        }
        _ => None,
    }
}
