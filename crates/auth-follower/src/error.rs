//! Errors of options that a follower cannot work with.

/// Reason that a follower cannot be started. What fails later makes checks *unavailable*, and is logged and counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The address of the auth server is not one.
    #[error("the URL of the auth server must be https://HOST or http://HOST, with a port and a path if there are any")]
    Url,
    /// The address begins with `http` and is not of this machine. Whoever sits on the way could read the token of the follower, and
    /// answer with keys of their own.
    #[error(
        "the URL of the auth server must begin with https; allow plain HTTP explicitly where the network is trusted"
    )]
    PlainHttp,
    /// The wait is not whole seconds from 1 to 20.
    #[error("the wait for news must be 1 to 20 whole seconds")]
    Wait,
    /// With such a bound a single slow answer would make checks unavailable.
    #[error("the bound on staleness must be at least twice the wait for news, and a second more")]
    Bound,
    /// The client id or the client secret is empty.
    #[error("the client needs an id and a secret")]
    Client,
    /// The text has no certificate in PEM.
    #[error("the root certificates must be a PEM text with at least one certificate")]
    Certificates,
}
