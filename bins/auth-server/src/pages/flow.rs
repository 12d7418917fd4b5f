//! The flows that a link in a letter continues.

use auth_core::recovery::OneTimeTokenPurpose;

/// A flow that a link in a letter continues. Each has a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Confirms the address of an account.
    VerifyEmail,
    /// Makes a confirmed address that of the account.
    ChangeEmail,
    /// Sets a new password.
    ResetPassword,
    /// Gives the account its old address back.
    UndoEmailChange,
}

impl Flow {
    /// All flows.
    pub(super) const ALL: [Self; 4] =
        [Self::VerifyEmail, Self::ChangeEmail, Self::ResetPassword, Self::UndoEmailChange];

    /// Returns the path of the page. It ends with [`name`](Self::name).
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::VerifyEmail => "/account/verify-email",
            Self::ChangeEmail => "/account/change-email",
            Self::ResetPassword => "/account/reset-password",
            Self::UndoEmailChange => "/account/undo-email-change",
        }
    }

    /// Returns the last segment of the path. A form posts to it: relative to the page, so that the page works below a path that a
    /// proxy adds, and without the query, which has the token.
    pub(super) fn name(self) -> &'static str {
        self.path().rsplit('/').next().unwrap_or_default()
    }

    /// Returns the purpose that a token has for this flow.
    pub(super) fn purpose(self) -> OneTimeTokenPurpose {
        match self {
            Self::VerifyEmail => OneTimeTokenPurpose::VerifyEmail,
            Self::ChangeEmail => OneTimeTokenPurpose::ChangeEmail,
            Self::ResetPassword => OneTimeTokenPurpose::ResetPassword,
            Self::UndoEmailChange => OneTimeTokenPurpose::UndoEmailChange,
        }
    }
}
