//! Rules for new passwords. A login with an older, weaker password stays possible.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::common_passwords::is_common;
use super::{Password, PasswordError};
use crate::email::{Email, folded};
use crate::error::BoxError;
use crate::username::Username;

/// Rules for a new password: its length and its forbidden values. No rule says which characters it is made of (NIST SP
/// 800-63B-4 §3.1.1.2).
///
/// Forbidden are the user's own e-mail address, its part before the `@`, and username. The commonly used passwords are
/// forbidden if the policy says so. Passwords that a [`BreachedPasswords`] service knows are forbidden if there is one.
/// All comparisons are made in NFKC and lower case.
#[derive(Debug, Clone)]
pub struct PasswordPolicy {
    min_chars: usize,
    max_bytes: usize,
    refuses_common: bool,
    breached: Option<Breached>,
}

#[derive(Debug, Clone)]
struct Breached {
    service: Arc<dyn BreachedPasswords>,
    when_unknown: WhenUnknown,
    unknown: Arc<AtomicU64>,
}

/// The person whose password it will be, as far as known.
#[derive(Debug, Clone, Copy, Default)]
pub struct PasswordOwner<'a> {
    /// The e-mail address.
    pub email: Option<&'a Email>,
    /// The username.
    pub username: Option<&'a Username>,
}

/// Service that knows the passwords that were published in a breach.
///
/// The policy asks it when a password is set and has passed every other rule, and never at a login. A service that is
/// asked over the network should get a few characters of a hash, never the password (k-anonymity).
///
/// # Examples
///
/// ```
/// use auth_core::password::policy::{BreachedPasswords, WhenUnknown};
/// use auth_core::{BoxError, Password, PasswordPolicy};
/// use std::{collections::HashSet, sync::Arc};
///
/// #[derive(Debug)]
/// struct FromAFile(HashSet<String>);
///
/// #[async_trait::async_trait]
/// impl BreachedPasswords for FromAFile {
///     async fn contains(&self, password: &Password) -> Result<bool, BoxError> {
///         Ok(self.0.contains(password.expose_secret()))
///     }
/// }
///
/// let leaked = FromAFile(HashSet::from(["correct horse battery staple".to_owned()]));
/// let policy = PasswordPolicy::new(15).refuse_breached(Arc::new(leaked), WhenUnknown::Accept);
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let password = Password::parse("correct horse battery staple").unwrap();
/// assert!(policy.check(&password, Default::default()).is_ok());
/// assert!(policy.check_breached(&password).await.is_err());
/// # });
/// ```
#[async_trait]
pub trait BreachedPasswords: fmt::Debug + Send + Sync {
    /// Returns whether the password was published. An implementation limits its own time.
    ///
    /// # Errors
    ///
    /// When the service has no answer. [`WhenUnknown`] decides what follows. The policy counts the failure and writes
    /// no log.
    async fn contains(&self, password: &Password) -> Result<bool, BoxError>;
}

/// Decision about a new password when the service that knows breached ones has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenUnknown {
    /// The password is accepted. People can register while the service is away, and
    /// [`breached_unknown`](PasswordPolicy::breached_unknown) counts such passwords.
    Accept,
    /// The password is refused. Nobody can set a password while the service is away.
    Refuse,
}

/// Reason that [`PasswordPolicy::check_breached`] did not accept a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BreachedError {
    /// The password was published in a breach.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The service has no answer, and the policy refuses then.
    #[error("the service that knows breached passwords cannot tell")]
    Unknown(#[source] BoxError),
}

impl PasswordPolicy {
    /// Returns a policy that requires at least `min_chars` characters, counted as Unicode code points after
    /// normalisation. It does not use the list of commonly used passwords.
    #[must_use]
    pub fn new(min_chars: usize) -> Self {
        Self { min_chars, max_bytes: usize::MAX, refuses_common: false, breached: None }
    }

    /// Refuses the most commonly used passwords: 42,692 from public leaks, compiled in.
    #[must_use]
    pub fn refuse_common(self) -> Self {
        Self { refuses_common: true, ..self }
    }

    /// Asks `service` whether a new password was published in a breach.
    #[must_use]
    pub fn refuse_breached(self, service: Arc<dyn BreachedPasswords>, when_unknown: WhenUnknown) -> Self {
        Self { breached: Some(Breached { service, when_unknown, unknown: Arc::default() }), ..self }
    }

    /// Refuses passwords that the hash function cannot take: more than `max_bytes` bytes in UTF-8. The service sets
    /// this to the bound of its hasher.
    #[must_use]
    pub fn at_most_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes: self.max_bytes.min(max_bytes), ..self }
    }

    /// Checks all rules that need no service.
    ///
    /// # Errors
    ///
    /// When a rule is broken. The error names the first such rule.
    ///
    /// # Examples
    ///
    /// ```
    /// use auth_core::password::policy::PasswordOwner;
    /// use auth_core::{Email, Password, PasswordError, PasswordPolicy};
    ///
    /// let policy = PasswordPolicy::new(8).refuse_common();
    /// let check = |text: &str, owner| policy.check(&Password::parse(text)?, owner);
    /// assert_eq!(check("seven 7", PasswordOwner::default()), Err(PasswordError::TooShort { min: 8 }));
    /// assert_eq!(check("PASSWORD1", PasswordOwner::default()), Err(PasswordError::Common));
    /// let email = Email::parse("ada.lovelace@example.org").unwrap();
    /// let ada = PasswordOwner { email: Some(&email), username: None };
    /// assert_eq!(check("Ada.Lovelace", ada), Err(PasswordError::Personal));
    /// assert_eq!(check("engine no. 1", ada), Ok(()));
    /// ```
    pub fn check(&self, password: &Password, owner: PasswordOwner<'_>) -> Result<(), PasswordError> {
        let text = password.expose_secret();
        if text.chars().count() < self.min_chars {
            return Err(PasswordError::TooShort { min: self.min_chars });
        }
        if text.len() > self.max_bytes {
            return Err(PasswordError::TooManyBytes { max: self.max_bytes });
        }
        let folded = Zeroizing::new(folded(text));
        if owner.names().any(|name| name == *folded) {
            return Err(PasswordError::Personal);
        }
        if self.refuses_common && is_common(&folded) {
            return Err(PasswordError::Common);
        }
        Ok(())
    }

    /// Returns the smallest number of characters.
    #[must_use]
    pub fn min_chars(&self) -> usize {
        self.min_chars
    }

    /// Returns whether commonly used passwords are refused.
    #[must_use]
    pub fn refuses_common(&self) -> bool {
        self.refuses_common
    }

    /// Asks the service that knows breached passwords, if there is one.
    ///
    /// # Errors
    ///
    /// When the password was published, or the service has no answer and the policy says [`WhenUnknown::Refuse`].
    pub async fn check_breached(&self, password: &Password) -> Result<(), BreachedError> {
        let Some(breached) = &self.breached else { return Ok(()) };
        match breached.service.contains(password).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(PasswordError::Breached.into()),
            Err(cause) => {
                breached.unknown.fetch_add(1, Ordering::Relaxed);
                match breached.when_unknown {
                    WhenUnknown::Accept => Ok(()),
                    WhenUnknown::Refuse => Err(BreachedError::Unknown(cause)),
                }
            }
        }
    }

    /// Returns the number of times that the service had no answer since the policy was made.
    #[must_use]
    pub fn breached_unknown(&self) -> u64 {
        self.breached.as_ref().map_or(0, |breached| breached.unknown.load(Ordering::Relaxed))
    }
}

impl Default for PasswordPolicy {
    /// Requires at least 15 characters (NIST SP 800-63B-4 §3.1.1.2) and refuses the commonly used passwords.
    fn default() -> Self {
        Self::new(15).refuse_common()
    }
}

impl<'a> PasswordOwner<'a> {
    /// Returns all names of the owner, in the form in which they are compared.
    fn names(self) -> impl Iterator<Item = String> + 'a {
        let email = self.email.map(|email| {
            let local = email.key().rsplit_once('@').map_or("", |(local, _)| local);
            // The address as written is compared too, because the key has an international domain in its ASCII form.
            [email.key().to_owned(), folded(email.as_str()), local.to_owned()]
        });
        let username = self.username.map(|username| username.key().to_owned());
        email.into_iter().flatten().chain(username)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &PasswordPolicy, text: &str) -> Result<(), PasswordError> {
        policy.check(&Password::parse(text)?, PasswordOwner::default())
    }

    #[test]
    fn length_is_counted_in_code_points_after_normalisation_and_the_bound_in_bytes() {
        let policy = PasswordPolicy::new(8).at_most_bytes(72);
        assert_eq!(check(&policy, "üüüüüüü"), Err(PasswordError::TooShort { min: 8 }));
        assert_eq!(check(&policy, "üüüüüüüü"), Ok(()));
        assert_eq!(check(&policy, "u\u{308}u\u{308}u\u{308}u\u{308}"), Err(PasswordError::TooShort { min: 8 }));
        assert_eq!(check(&policy, &"ü".repeat(36)), Ok(()));
        assert_eq!(check(&policy, &"ü".repeat(37)), Err(PasswordError::TooManyBytes { max: 72 }));
    }

    #[test]
    fn common_passwords_are_refused_in_every_spelling_and_only_when_asked() {
        let policy = PasswordPolicy::new(6);
        assert_eq!(check(&policy, "password1"), Ok(()));
        let policy = policy.refuse_common();
        for spelling in ["password1", "PassWord1", "ｐａｓｓｗｏｒｄ１"] {
            assert_eq!(check(&policy, spelling), Err(PasswordError::Common), "{spelling}");
        }
        assert_eq!(check(&policy, "no composition rules"), Ok(()));
    }

    #[test]
    fn every_name_of_the_owner_is_refused_in_every_spelling() {
        let policy = PasswordPolicy::new(1);
        let (email, username) = (Email::parse("Ada.L@bücher.example").unwrap(), Username::parse("Countess").unwrap());
        let ada = PasswordOwner { email: Some(&email), username: Some(&username) };
        for name in
            ["ada.l", "ADA.L", "ada.l@bücher.example", "ada.l@xn--bcher-kva.example", "countess", "ＣＯＵＮＴＥＳＳ"]
        {
            let password = Password::parse(name).unwrap();
            assert_eq!(policy.check(&password, ada), Err(PasswordError::Personal), "{name}");
            assert_eq!(policy.check(&password, PasswordOwner::default()), Ok(()), "{name}");
        }
        assert_eq!(policy.check(&Password::parse("countess of lovelace").unwrap(), ada), Ok(()));
    }

    #[derive(Debug)]
    struct Answers(Result<bool, &'static str>);

    #[async_trait]
    impl BreachedPasswords for Answers {
        async fn contains(&self, _: &Password) -> Result<bool, BoxError> {
            Ok(self.0?)
        }
    }

    #[tokio::test]
    async fn a_breach_service_decides_and_its_absence_is_decided_by_the_policy() {
        let password = Password::parse("123456").unwrap();
        let policy =
            |answer, when_unknown| PasswordPolicy::new(6).refuse_breached(Arc::new(Answers(answer)), when_unknown);
        assert!(PasswordPolicy::new(6).check_breached(&password).await.is_ok());
        assert!(policy(Ok(false), WhenUnknown::Refuse).check_breached(&password).await.is_ok());
        assert!(matches!(
            policy(Ok(true), WhenUnknown::Accept).check_breached(&password).await,
            Err(BreachedError::Password(PasswordError::Breached))
        ));
        let accepting = policy(Err("away"), WhenUnknown::Accept);
        assert!(accepting.check_breached(&password).await.is_ok());
        let refusing = policy(Err("away"), WhenUnknown::Refuse);
        assert!(matches!(refusing.clone().check_breached(&password).await, Err(BreachedError::Unknown(_))));
        assert_eq!((accepting.breached_unknown(), refusing.breached_unknown()), (1, 1));
    }
}
