//! Identifiers of users, clients and tokens, and generations, which revoke all tokens of a user at once.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::random::{NoRandomness, random_bytes};
use crate::secret_text::SecretText;

/// Public id of a user: a `UUIDv7` (RFC 9562 §5.7), so that ids sort by time of registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Uuid);

impl UserId {
    /// Returns a new id for a user who registers at `at`.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate(at: OffsetDateTime) -> Result<Self, NoRandomness> {
        let random = random_bytes::<10>()?;
        let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        Ok(Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for UserId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for UserId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of times that all tokens of a user were revoked.
///
/// A token carries the generation of its login. It is refused once the user's generation is higher. No clock is
/// compared, so a login after "log out everywhere" is good at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u32);

impl Generation {
    /// Returns the generation with this number.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the generation as a number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// Returns the generation after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Id of one session: the `sid` claim of its access tokens (`OpenID` Connect Front-Channel Logout 1.0 §3), 122 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// Returns a new random id.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(uuid::Builder::from_random_bytes(random_bytes()?).into_uuid()))
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for SessionId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for SessionId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Id of one token: the `jti` claim (RFC 7519 §4.1.7), 122 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(Uuid);

impl TokenId {
    /// Returns a new random id.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(uuid::Builder::from_random_bytes(random_bytes()?).into_uuid()))
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for TokenId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for TokenId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Id of a personal access token: 122 random bits. It is not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonalTokenId(Uuid);

impl PersonalTokenId {
    /// Returns a new random id.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(uuid::Builder::from_random_bytes(random_bytes()?).into_uuid()))
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Returns the session that the claims of the token name. Its end is the end of the token.
    #[must_use]
    pub fn session(self) -> SessionId {
        SessionId::from(self.0)
    }

    /// Returns the id of the token in its claims, which is the same at every look-up and never that of the session.
    pub(crate) fn token_id(self) -> TokenId {
        TokenId::from(uuid::Builder::from_random_bytes(self.0.into_bytes().map(|byte| !byte)).into_uuid())
    }
}

impl From<Uuid> for PersonalTokenId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<SessionId> for PersonalTokenId {
    /// The token whose [session](PersonalTokenId::session) this is.
    fn from(session: SessionId) -> Self {
        Self(session.as_uuid())
    }
}

impl FromStr for PersonalTokenId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for PersonalTokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Id of a client, which is a machine with a secret of its own (RFC 6749 §2.2): 122 random bits.
///
/// Its text is `rac_` and then base64url (RFC 4648 §5) of the id and a checksum, which finds a typing error. It is not a secret.
///
/// ```
/// use auth_core::ClientId;
///
/// let id = ClientId::generate()?;
/// assert!(id.to_string().starts_with("rac_"));
/// assert_eq!(id.to_string().parse::<ClientId>()?, id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Uuid);

const CLIENT_ID_TEXT: SecretText<16> = SecretText::new("rac_", "client id checksum");

/// The text is not the id of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the id of a client, which begins with rac_")]
pub struct MalformedClientId;

impl ClientId {
    /// Returns a new random id.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(uuid::Builder::from_random_bytes(random_bytes()?).into_uuid()))
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for ClientId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for ClientId {
    type Err = MalformedClientId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        CLIENT_ID_TEXT.parse(text).map(|bytes| Self(Uuid::from_bytes(*bytes))).ok_or(MalformedClientId)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CLIENT_ID_TEXT.expose(self.0.as_bytes(), |text| f.pad(text))
    }
}

/// Id of a letter: a random UUID. The `Message-ID` (RFC 5322 §3.6.4) is made from it, so that a letter that was sent twice can
/// be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId(Uuid);

impl LetterId {
    /// Returns a new random id.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(uuid::Builder::from_random_bytes(random_bytes()?).into_uuid()))
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for LetterId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claims_of_a_personal_token_belong_to_a_session_and_are_not_its_only_token() {
        let id = PersonalTokenId::generate().unwrap();
        assert_eq!(id.token_id(), id.token_id());
        assert_ne!(id.token_id().as_uuid(), id.session().as_uuid());
    }
}
