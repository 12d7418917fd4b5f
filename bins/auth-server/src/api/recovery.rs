//! Operations that a letter begins or ends: confirming an address, and setting a forgotten password.

mod dto;

use auth_core::recovery::OneTimeProof;
use auth_core::{Email, OneTimeToken};
use auth_http::{Code, PasswordReset};
use poem_openapi::{ApiResponse, OpenApi};

use super::Tag;
use crate::http::body::Done;
use crate::http::client::Caller;
use crate::http::json::Json;
use crate::http::operation::{
    BAD_BODY, BODY_TOO_LARGE, BUSY_OR_NO_MAIL, DocumentedError, INTERNAL, NO_JSON, Operation, OperationError, TOO_MANY,
};
use crate::http::request_body::JsonBody;

/// The operations that a letter begins or ends. None of them needs a token, and none of them logs anybody in.
pub(crate) struct RecoveryApi;

#[OpenApi(prefix_path = "/auth", tag = "Tag::Recovery")]
impl RecoveryApi {
    /// Confirm an e-mail address
    ///
    /// Uses the link or the code of a letter up: of the one that a registration sends, or of the one that
    /// `POST /user/me/email` sends to the new address, which becomes that of the account then.
    #[oai(path = "/email/verify", method = "post", operation_id = "verifyEmail")]
    async fn verify_email(
        &self,
        caller: Caller,
        proof: JsonBody<OneTimeProof>,
    ) -> Result<Proved, OperationError<VerifyEmail>> {
        caller.service.verify_email(proof.0, &caller.context).await?;
        Ok(Proved::Ok(Json(Done::new("Successfully verified the e-mail address."))))
    }

    /// Send the letter that confirms an e-mail address again
    ///
    /// Every address gets the same answer: known, unknown, or confirmed already.
    #[oai(path = "/email/verify/resend", method = "post", operation_id = "resendVerification")]
    async fn resend_verification(
        &self,
        caller: Caller,
        email: JsonBody<Email>,
    ) -> Result<Accepted, OperationError<ResendVerification>> {
        caller.service.resend_verification(&email.0, &caller.context).await?;
        Ok(Accepted::letter())
    }

    /// Take an e-mail address back
    ///
    /// Uses the link up that the old address got when the account got another one. The account has the old address again, every token of
    /// the user ends, the password can no longer be used, and a letter with a link for a new one is on its way.
    #[oai(path = "/email/undo", method = "post", operation_id = "undoEmailChange")]
    async fn undo_email_change(
        &self,
        caller: Caller,
        token: JsonBody<OneTimeToken>,
    ) -> Result<Proved, OperationError<UndoEmailChange>> {
        caller.service.undo_email_change(token.0, &caller.context).await?;
        Ok(Proved::Ok(Json(Done::new("Successfully restored the e-mail address. Please set a new password."))))
    }

    /// Send a letter to set a forgotten password
    ///
    /// Every address gets the same answer, known or not.
    #[oai(path = "/password/forgot", method = "post", operation_id = "forgotPassword")]
    async fn forgot_password(
        &self,
        caller: Caller,
        email: JsonBody<Email>,
    ) -> Result<Accepted, OperationError<ForgotPassword>> {
        caller.service.forgot_password(&email.0, &caller.context).await?;
        Ok(Accepted::letter())
    }

    /// Set a new password
    ///
    /// Uses the link or the code of a letter up. Every token of the user ends, and the address counts as confirmed. The user has to
    /// log in then.
    #[oai(path = "/password/reset", method = "post", operation_id = "resetPassword")]
    async fn reset_password(
        &self,
        caller: Caller,
        reset: JsonBody<PasswordReset>,
    ) -> Result<Proved, OperationError<ResetPassword>> {
        let PasswordReset { proof, password } = reset.0;
        caller.service.reset_password(proof, password, &caller.context).await?;
        Ok(Proved::Ok(Json(Done::new("Successfully reset the password."))))
    }
}

#[derive(ApiResponse)]
enum Proved {
    /// It is done. Nobody is logged in.
    #[oai(status = 200)]
    Ok(Json<Done>),
}

#[derive(ApiResponse)]
enum Accepted {
    /// If an account needs a letter, it is on its way.
    #[oai(status = 202)]
    Accepted(Json<Done>),
}

impl Accepted {
    /// Returns the one answer that every address gets.
    fn letter() -> Self {
        Self::Accepted(Json(Done::new("If this address needs a letter, it is on its way.")))
    }
}

/// The body or the proof is wrong.
const BAD_PROOF: DocumentedError = (
    Code::CodeInvalid,
    "The link or the code is wrong, used or expired (`code_invalid`); fields are missing or wrong, or the query has a parameter that \
     the operation does not know (`validation_failed`); or the body is no JSON (`malformed_request`)",
);

/// The network asked for too many letters.
const TOO_MANY_LETTERS: DocumentedError =
    (Code::TooManyAttempts, "Too many letters were asked for from this network. The limit of an address is not told");

struct VerifyEmail;

impl Operation for VerifyEmail {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_PROOF,
        (Code::UserExists, "Another account has the new address by now"),
        BODY_TOO_LARGE,
        NO_JSON,
        TOO_MANY,
        BUSY_OR_NO_MAIL,
        INTERNAL,
    ];
}

struct ResetPassword;

impl Operation for ResetPassword {
    const ERRORS: &'static [DocumentedError] =
        &[BAD_PROOF, BODY_TOO_LARGE, NO_JSON, TOO_MANY, BUSY_OR_NO_MAIL, INTERNAL];
}

struct UndoEmailChange;

impl Operation for UndoEmailChange {
    const ERRORS: &'static [DocumentedError] = &[BAD_PROOF, BODY_TOO_LARGE, NO_JSON, BUSY_OR_NO_MAIL, INTERNAL];
}

macro_rules! letter_requests {
    ($($operation:ident),+) => {$(
        struct $operation;

        impl Operation for $operation {
            const ERRORS: &'static [DocumentedError] =
                &[BAD_BODY, BODY_TOO_LARGE, NO_JSON, TOO_MANY_LETTERS, BUSY_OR_NO_MAIL, INTERNAL];
        }
    )+};
}

letter_requests!(ResendVerification, ForgotPassword);
