//! Where guesses and registrations are counted before any work is done for them.

use std::future::Future;
use std::net::IpAddr;

use super::AuthService;
use super::error::{LoginError, RegisterError};
use crate::email::Email;
use crate::throttle::{ClientNetwork, Refused};

impl AuthService {
    /// The same service, acting for a client at this address: its attempts count for its network. Without it they count
    /// for the account alone, so that everybody who guesses at it shares the owner's waits.
    ///
    /// Give the address that the connection comes from. What a header says may be believed only if a proxy of your own
    /// wrote it.
    #[must_use]
    pub fn for_client(&self, address: IpAddr) -> Self {
        Self { client: Some(ClientNetwork::of(address)), ..self.clone() }
    }

    /// Compares a password, if it may be guessed at now. A wrong guess stays counted, and so does one whose caller goes away;
    /// one that was right, or that nobody computed, does not.
    pub(super) async fn guess<T>(
        &self,
        email: &Email,
        comparison: impl Future<Output = Result<T, LoginError>>,
    ) -> Result<T, LoginError> {
        let Some(throttle) = &self.parts.throttle else { return comparison.await };
        let attempt = throttle.guess(email, self.client).await?;
        let outcome = comparison.await;
        match &outcome {
            Ok(_) => attempt.succeeded().await,
            // A hash that cannot be used must look like a wrong password in this as well.
            Err(LoginError::InvalidCredentials | LoginError::UnusableHash { .. }) => {}
            Err(_) => attempt.withdrawn().await,
        }
        outcome
    }

    /// Registers, if this network may now. An attempt counts whether it comes to pass or not, because a refusal tells who is
    /// registered; only what failed on our side does not.
    pub(super) async fn count_registration<T>(
        &self,
        email: &Email,
        registration: impl Future<Output = Result<T, RegisterError>>,
    ) -> Result<T, RegisterError> {
        let Some(throttle) = &self.parts.throttle else { return registration.await };
        let attempt = throttle.registration(email, self.client).await?;
        let outcome = registration.await;
        match &outcome {
            Ok(_) => attempt.succeeded().await,
            Err(RegisterError::Password(_) | RegisterError::EmailTaken | RegisterError::UsernameTaken) => {}
            Err(_) => attempt.withdrawn().await,
        }
        outcome
    }
}

macro_rules! from_refused {
    ($($operation:ident),+) => {$(
        impl From<Refused> for $operation {
            fn from(refused: Refused) -> Self {
                match refused {
                    Refused::TooMany { retry_after } => Self::TooManyAttempts { retry_after },
                    Refused::Store(error) => Self::Uncounted(error),
                }
            }
        }
    )+};
}

from_refused!(RegisterError, LoginError);
