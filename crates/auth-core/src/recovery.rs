//! One-time tokens: secrets in letters that prove control of an e-mail address, once.

mod code;
mod effects;
mod one_time_token;
mod store;

pub use self::code::{CODE_LENGTH, CodeError, OneTimeCode};
pub use self::effects::{EndTokens, Redemption, SideEffects};
pub use self::one_time_token::{
    MalformedOneTimeToken, ONE_TIME_TOKEN_PREFIX, OneTimeToken, OneTimeTokenDigest, OneTimeTokenId,
    OneTimeTokenPurpose, StoredOneTimeToken,
};
pub use self::store::{MAX_OPEN_TOKENS, OneTimeTokenStore, purge_one_time_tokens};
