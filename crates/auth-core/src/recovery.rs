//! One-time tokens: secrets in letters that prove control of an e-mail address, once.

mod code;
mod effects;
mod error;
mod inspection;
mod issue;
mod one_time_token;
mod proof;
mod request;
mod reset;
mod store;
mod undo;
mod verification;

pub use self::code::{CODE_LENGTH, CodeError, OneTimeCode};
pub use self::effects::{EndTokens, Redemption, SideEffects};
pub use self::error::RecoveryError;
pub use self::inspection::OpenToken;
pub(crate) use self::issue::{Issued, Letters, Recipient, notice};
pub use self::one_time_token::{
    MalformedOneTimeToken, ONE_TIME_TOKEN_PREFIX, OneTimeToken, OneTimeTokenDigest, OneTimeTokenId,
    OneTimeTokenPurpose, StoredOneTimeToken,
};
pub use self::proof::OneTimeProof;
pub use self::store::{MAX_OPEN_TOKENS, OneTimeTokenStore, purge_one_time_tokens};
