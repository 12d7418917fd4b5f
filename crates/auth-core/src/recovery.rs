//! One-time tokens: secrets in letters that prove control of an e-mail address, once.

mod error;
mod inspection;
mod issue;
mod proof;
mod request;
mod reset;
mod undo;
mod verification;

pub use self::error::RecoveryError;
pub use self::inspection::OpenToken;
pub(crate) use self::issue::{Issued, Recipient, notice};
pub use self::proof::OneTimeProof;
pub use crate::effects::{EndTokens, Redemption, SideEffects};
pub use crate::one_time::{
    CODE_LENGTH, CodeError, MalformedOneTimeToken, ONE_TIME_TOKEN_PREFIX, OneTimeCode, OneTimeToken,
    OneTimeTokenDigest, OneTimeTokenId, OneTimeTokenPurpose, StoredOneTimeToken,
};
pub use crate::one_time_store::{MAX_OPEN_TOKENS, OneTimeTokenStore, purge_one_time_tokens};
