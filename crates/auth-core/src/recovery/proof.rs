//! Proofs of control of an address.

use super::error::RecoveryError;
use crate::context::Context;
use crate::email::Email;
use crate::one_time::OneTimeCode;
use crate::one_time::{OneTimeToken, OneTimeTokenPurpose, StoredOneTimeToken};
use crate::password::{HashError, HashingError, Verdict};
use crate::service::{AuthService, Letters};

/// Proof that somebody reads the letters to an address.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum OneTimeProof {
    /// The one-time token of the link.
    Token(OneTimeToken),
    /// The address and the code beside the link. Wrong codes are limited like wrong passwords of this address.
    Code {
        /// The address that the letter went to.
        email: Email,
        /// The code.
        code: OneTimeCode,
    },
}

impl AuthService {
    /// Returns the open token with one of these purposes that `proof` belongs to. It is not used yet.
    pub(super) async fn prove(
        &self,
        letters: &Letters,
        proof: OneTimeProof,
        purposes: &[OneTimeTokenPurpose],
        context: &Context,
    ) -> Result<StoredOneTimeToken, RecoveryError> {
        let (email, code) = match proof {
            OneTimeProof::Token(token) => {
                let found = letters.tokens.find(token.digest(), self.now()).await?;
                return found.filter(|token| purposes.contains(&token.purpose)).ok_or(RecoveryError::CodeInvalid);
            }
            OneTimeProof::Code { email, code } => (email, code),
        };
        // Admit: the guess is counted before any work is done for it.
        let attempt = self.parts.throttle.admit_guess(&email, context.network()).await?;
        let compared = self.compare_code(letters, &email, &code, purposes).await;
        // Settle: a right guess is not counted, nor is one that was never compared.
        match &compared {
            Ok(_) => attempt.succeeded().await,
            Err(RecoveryError::CodeInvalid) => {}
            Err(_) => attempt.withdrawn().await,
        }
        compared
    }

    /// Compares a code with that of the last letter to the address, or with the dummy hash where there is none.
    async fn compare_code(
        &self,
        letters: &Letters,
        email: &Email,
        code: &OneTimeCode,
        purposes: &[OneTimeTokenPurpose],
    ) -> Result<StoredOneTimeToken, RecoveryError> {
        let now = self.now();
        let mut latest: Option<StoredOneTimeToken> = None;
        for purpose in purposes {
            let found = letters.tokens.find_latest(email, *purpose, now).await?;
            latest = latest.into_iter().chain(found).max_by_key(|token| (token.created_at, token.id));
        }
        let hash = latest.as_ref().and_then(|token| token.code_hash.as_ref()).unwrap_or(&self.parts.dummy_hash).clone();
        match (self.parts.passwords.verify(code.to_password(), hash).await, latest) {
            (Ok(Verdict::Match | Verdict::MatchRehash), Some(token)) => Ok(token),
            (Ok(_) | Err(HashingError::Hash(HashError::UnusableHash(_))), _) => Err(RecoveryError::CodeInvalid),
            (Err(error), _) => Err(error.into()),
        }
    }
}
