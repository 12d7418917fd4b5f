//! The answer to every error of the libraries.

use std::error::Error as _;

use auth_core::ClientAuthError;
use auth_core::{
    AccountError, AuthenticateError, ChangeEmailError, ChangePasswordError, CreatePersonalTokenError,
    DeleteAccountError, GiveRoleError, LoginError, RecoveryError, RefreshError, RegisterError, RenameError, StoreError,
    StoreErrorKind,
};

use super::{Detail, ErrorAnswer};
use crate::code::Code;
use crate::refusal::Refusal;

impl From<RegisterError> for ErrorAnswer {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Password(rule) => Self::field("password", rule),
            RegisterError::BreachCheck(_) | RegisterError::Uncounted(_) => Self::unavailable(error),
            RegisterError::EmailTaken => Self::new(Code::UserExists),
            RegisterError::UsernameTaken => Self::new(Code::UsernameTaken),
            RegisterError::TooManyAttempts { retry_after } => Self::later(Code::TooManyAttempts, retry_after),
            RegisterError::Overloaded { retry_after } => Self::later(Code::Overloaded, retry_after),
            RegisterError::Store(error) => error.into(),
            RegisterError::Internal(cause) => Self::internal(cause),
            other => Self::internal(other),
        }
    }
}

impl From<LoginError> for ErrorAnswer {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::InvalidCredentials => Self::new(Code::InvalidCredentials),
            // The response does not reveal that the account exists; the log says what is wrong with its hash.
            LoginError::UnusableHash { .. } => Self::new(Code::InvalidCredentials).caused_by(error),
            LoginError::EmailUnverified => Self::new(Code::EmailUnverified),
            LoginError::TooManyAttempts { retry_after } => Self::later(Code::TooManyAttempts, retry_after),
            LoginError::Uncounted(_) => Self::unavailable(error),
            LoginError::Overloaded { retry_after } => Self::later(Code::Overloaded, retry_after),
            LoginError::Store(error) => error.into(),
            LoginError::Internal(cause) => Self::internal(cause),
            other => Self::internal(other),
        }
    }
}

impl From<ClientAuthError> for ErrorAnswer {
    fn from(error: ClientAuthError) -> Self {
        match error {
            ClientAuthError::InvalidClient => Self::new(Code::InvalidCredentials),
            ClientAuthError::TooManyAttempts { retry_after } => Self::later(Code::TooManyAttempts, retry_after),
            ClientAuthError::Uncounted(_) => Self::unavailable(error),
            ClientAuthError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<RefreshError> for ErrorAnswer {
    fn from(error: RefreshError) -> Self {
        match error {
            // The response does not reveal that a token was used again.
            RefreshError::Ended | RefreshError::Reused { .. } => Self::new(Code::SessionEnded),
            RefreshError::Store(error) => error.into(),
            RefreshError::Internal(cause) => Self::internal(cause),
            other => Self::internal(other),
        }
    }
}

impl From<ChangePasswordError> for ErrorAnswer {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::NewPassword(rule) => Self::field("new_password", rule),
            ChangePasswordError::BreachCheck(_) => Self::unavailable(error),
            ChangePasswordError::UserNotFound => Self::new(Code::UserNotFound),
            ChangePasswordError::Login(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<RecoveryError> for ErrorAnswer {
    fn from(error: RecoveryError) -> Self {
        match error {
            RecoveryError::MailUnconfigured => Self::new(Code::MailUnconfigured),
            // The response does not reveal what is wrong with the token or the code.
            RecoveryError::CodeInvalid => Self::new(Code::CodeInvalid),
            RecoveryError::EmailTaken => Self::new(Code::UserExists),
            RecoveryError::NewPassword(rule) => Self::field("password", rule),
            RecoveryError::BreachCheck(_) | RecoveryError::Uncounted(_) => Self::unavailable(error),
            RecoveryError::TooManyAttempts { retry_after } => Self::later(Code::TooManyAttempts, retry_after),
            RecoveryError::Overloaded { retry_after } => Self::later(Code::Overloaded, retry_after),
            RecoveryError::Store(error) => error.into(),
            RecoveryError::Internal(cause) => Self::internal(cause),
            other => Self::internal(other),
        }
    }
}

impl From<ChangeEmailError> for ErrorAnswer {
    fn from(error: ChangeEmailError) -> Self {
        match error {
            ChangeEmailError::MailUnconfigured => Self::new(Code::MailUnconfigured),
            ChangeEmailError::SameEmail => Self::field("email", error),
            ChangeEmailError::UserNotFound => Self::new(Code::UserNotFound),
            ChangeEmailError::Login(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<DeleteAccountError> for ErrorAnswer {
    fn from(error: DeleteAccountError) -> Self {
        match error {
            DeleteAccountError::UserNotFound => Self::new(Code::UserNotFound),
            DeleteAccountError::Login(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<RenameError> for ErrorAnswer {
    fn from(error: RenameError) -> Self {
        match error {
            RenameError::UsernameTaken => Self::new(Code::UsernameTaken),
            RenameError::UserNotFound => Self::new(Code::UserNotFound),
            RenameError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<CreatePersonalTokenError> for ErrorAnswer {
    fn from(error: CreatePersonalTokenError) -> Self {
        match error {
            CreatePersonalTokenError::NotALogin => Self::new(Code::InsufficientScope),
            CreatePersonalTokenError::Revoked => Self::new(Code::TokenRevoked),
            CreatePersonalTokenError::NotGranted(_) => Self::field("scopes", error),
            CreatePersonalTokenError::Life => Self::field("expires_in", error),
            CreatePersonalTokenError::TooManyAttempts { retry_after } => {
                Self::later(Code::TooManyAttempts, retry_after)
            }
            CreatePersonalTokenError::Uncounted(_) => Self::unavailable(error),
            CreatePersonalTokenError::TooMany => Self::new(Code::PersonalTokenLimit),
            CreatePersonalTokenError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<GiveRoleError> for ErrorAnswer {
    fn from(error: GiveRoleError) -> Self {
        match error {
            GiveRoleError::TooManyRoles => Self::field("role", format_args!("cannot be given: {error}")),
            GiveRoleError::Account(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<AuthenticateError> for ErrorAnswer {
    fn from(error: AuthenticateError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Refusal> for ErrorAnswer {
    fn from(refusal: Refusal) -> Self {
        let mut error = Self::new(refusal.kind().into());
        if let Some(challenge) = refusal.challenge() {
            error.detail = Detail::Challenge(challenge);
        }
        if refusal.source().is_some() { error.caused_by(refusal) } else { error }
    }
}

impl From<AccountError> for ErrorAnswer {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::UserNotFound => Self::new(Code::UserNotFound),
            AccountError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<StoreError> for ErrorAnswer {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Unavailable => Self::unavailable(error),
            _ => Self::internal(error),
        }
    }
}
