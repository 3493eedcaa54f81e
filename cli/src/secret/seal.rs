//! Seals a password to agents' public keys (libsodium's sealed box), so that the controller carries bytes that it
//! cannot read.
use crypto_box::{PublicKey, aead::OsRng};
use whimbrel_proto::v1::{GetAgentRequest, SealedCopy, SealedSecret, Secret, secret::Kind};

use super::{Password, SecretError};
use crate::{
    client::{Client, call},
    failure::Failure,
};

/// An agent that may open the password.
#[derive(Debug)]
pub(crate) struct Recipient {
    /// `agents/{agent}`.
    pub(crate) agent: String,
    /// X25519 public key.
    pub(crate) sealing_key: Vec<u8>,
}

/// Asks the controller for the key of this agent (`agents/{agent}`).
///
/// # Errors
/// An agent that is not there.
pub(crate) async fn recipient(client: &Client, agent: &str) -> Result<Recipient, Failure> {
    let request = call(GetAgentRequest { name: agent.to_owned() });
    let agent = client.agents().get_agent(request).await?.into_inner();
    Ok(Recipient { agent: agent.name, sealing_key: agent.sealing_key })
}

/// One ciphertext a recipient.
///
/// # Errors
/// [`SecretError::Key`].
pub(crate) fn seal(password: &Password, recipients: &[Recipient]) -> Result<Secret, SecretError> {
    let copies = recipients.iter().map(|to| seal_one(password, to)).collect::<Result<_, _>>()?;
    Ok(Secret { kind: Some(Kind::Sealed(SealedSecret { copies })) })
}

fn seal_one(password: &Password, to: &Recipient) -> Result<SealedCopy, SecretError> {
    let refuse = || SecretError::Key { agent: to.agent.clone() };
    let key = PublicKey::from_slice(&to.sealing_key).map_err(|_| refuse())?;
    let ciphertext = key.seal(&mut OsRng, password.as_bytes()).map_err(|_| refuse())?;
    Ok(SealedCopy { agent: to.agent.clone(), sealing_key: to.sealing_key.clone(), ciphertext })
}

#[cfg(test)]
mod tests {
    use crypto_box::SecretKey;

    use super::*;

    #[test]
    fn each_agent_opens_its_copy_and_no_other() {
        let keys = [SecretKey::generate(&mut OsRng), SecretKey::generate(&mut OsRng)];
        let to: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(n, key)| Recipient {
                agent: format!("agents/a{n}"),
                sealing_key: key.public_key().as_bytes().to_vec(),
            })
            .collect();
        let sealed = seal(&Password::new("pässword".into()), &to).unwrap();
        let Some(Kind::Sealed(SealedSecret { copies })) = sealed.kind else { panic!("not sealed") };
        assert_eq!(copies.len(), 2);
        for (key, copy) in keys.iter().zip(&copies) {
            assert_eq!(key.unseal(&copy.ciphertext).unwrap(), "pässword".as_bytes());
        }
        assert!(keys[0].unseal(&copies[1].ciphertext).is_err());
    }

    #[test]
    fn a_key_of_the_wrong_size_is_refused() {
        let to = Recipient { agent: "agents/a".into(), sealing_key: vec![1; 31] };
        let error = seal(&Password::new("pw".into()), &[to]).unwrap_err();
        assert!(matches!(error, SecretError::Key { agent } if agent == "agents/a"));
    }
}
