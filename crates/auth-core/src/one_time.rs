//! One-time tokens and codes, which letters carry and [`recovery`](crate::recovery) accepts.

mod code;
mod token;

pub use self::code::{CODE_LENGTH, CodeError, OneTimeCode};
pub use self::token::{
    MalformedOneTimeToken, ONE_TIME_TOKEN_PREFIX, OneTimeToken, OneTimeTokenDigest, OneTimeTokenId,
    OneTimeTokenPurpose, StoredOneTimeToken,
};
