//! The request bodies of the operations on the life of an account: addresses, resets, changes and the deletion.

use auth_core::password::policy::PasswordOwner;
use auth_core::recovery::OneTimeProof;
use auth_core::{Email, OneTimeCode, OneTimeToken, Password, PasswordPolicy, Username};

use crate::code::Code;
use crate::error_answer::ErrorAnswer;
use crate::fields::{Fields, FromFields};

/// The member `email`.
impl FromFields for Email {
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        fields.parsed("email", Self::parse).ok_or_else(|| fields.into_error())
    }
}

/// The member `username`.
impl FromFields for Username {
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        fields.parsed("username", Self::parse).ok_or_else(|| fields.into_error())
    }
}

/// The member `token`. Text that cannot be a one-time token gets the same error as an unknown one.
impl FromFields for OneTimeToken {
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        match token(&mut fields) {
            Some(token) => token.map_err(ErrorAnswer::from),
            None => Err(fields.into_error()),
        }
    }
}

/// The member `token`, or the members `email` and `code`. Text that cannot be one of them gets the same error as a wrong one.
impl FromFields for OneTimeProof {
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        match proof(&mut fields) {
            Some(proof) => proof.map_err(ErrorAnswer::from),
            None => Err(fields.into_error()),
        }
    }
}

/// A proof to read letters to the address of an account, and the new password.
#[derive(Debug)]
pub struct PasswordReset {
    /// The proof.
    pub proof: OneTimeProof,
    /// The new password.
    pub password: Password,
}

impl FromFields for PasswordReset {
    fn from_fields(mut fields: Fields, policy: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        let proof = proof(&mut fields);
        let password = fields.parsed("password", |text| {
            let password = Password::parse(text)?;
            // The service compares the password with the names of the user once it has read the user.
            policy.check(&password, PasswordOwner::default()).map(|()| password)
        });
        match (proof, password) {
            (Some(Ok(proof)), Some(password)) if fields.is_clean() => Ok(Self { proof, password }),
            (Some(Err(code)), Some(_)) if fields.is_clean() => Err(code.into()),
            _ => Err(fields.into_error()),
        }
    }
}

/// The new address of an account, and the current password.
#[derive(Debug)]
pub struct EmailChange {
    /// The new address.
    pub email: Email,
    /// The current password.
    pub current: CurrentPassword,
}

impl FromFields for EmailChange {
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        let email = fields.parsed("email", Email::parse);
        let current = current_password(&mut fields);
        match (email, current) {
            (Some(email), Some(current)) => Ok(Self { email, current }),
            _ => Err(fields.into_error()),
        }
    }
}

/// The current password of a user, for an operation that asks for it again. `None` if the text cannot be the password of any
/// account.
#[derive(Debug)]
pub struct CurrentPassword(pub Option<Password>);

impl FromFields for CurrentPassword {
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        current_password(&mut fields).ok_or_else(|| fields.into_error())
    }
}

fn current_password(fields: &mut Fields) -> Option<CurrentPassword> {
    fields.parsed("current_password", |text| Ok::<_, &str>(CurrentPassword(Password::parse(text).ok())))
}

/// Reads a one-time token; an error is that of text that cannot be one. Returns `None` and notes the error if it is absent or no
/// string.
fn token(fields: &mut Fields) -> Option<Result<OneTimeToken, Code>> {
    fields.parsed("token", |text| Ok::<_, &str>(OneTimeToken::parse(text).map_err(|_| Code::CodeInvalid)))
}

/// Reads a proof; an error is that of texts that cannot be one. Returns `None` and notes the errors if a member is absent, no string,
/// or there are both a token and a code.
fn proof(fields: &mut Fields) -> Option<Result<OneTimeProof, Code>> {
    if !fields.contains("code") && !fields.contains("email") {
        return token(fields).map(|token| token.map(OneTimeProof::Token));
    }
    if fields.contains("token") {
        fields.refuse("token", "must not be given together with 'email' and 'code'");
        return None;
    }
    let email = fields.parsed("email", |text| Ok::<_, &str>(Email::parse(text).ok()));
    let code = fields.parsed("code", |text| Ok::<_, &str>(OneTimeCode::parse(text).ok()));
    let proof = email?.zip(code?).map(|(email, code)| OneTimeProof::Code { email, code });
    Some(proof.ok_or(Code::CodeInvalid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_answer::FieldErrors;

    fn read<T: FromFields>(json: &str) -> Result<T, ErrorAnswer> {
        Fields::from_json(json.as_bytes()).and_then(|fields| T::from_fields(fields, &PasswordPolicy::new(6)))
    }

    fn errors<T: FromFields>(json: &str) -> FieldErrors {
        let error = read::<T>(json).err().unwrap();
        assert_eq!(error.code(), Code::ValidationFailed, "{json}");
        error.field_errors().cloned().unwrap_or_default()
    }

    fn token_text() -> String {
        OneTimeToken::generate().unwrap().expose_text(str::to_owned)
    }

    #[test]
    fn a_proof_is_a_token_or_a_code_with_its_address() {
        let by_token = read::<OneTimeProof>(&format!(r#"{{"token":"{}"}}"#, token_text())).unwrap();
        assert!(matches!(by_token, OneTimeProof::Token(_)));
        let by_code = read::<OneTimeProof>(r#"{"email":"a@b.example","code":"abcd-2345"}"#).unwrap();
        assert!(matches!(by_code, OneTimeProof::Code { email, .. } if email.as_str() == "a@b.example"));
        assert_eq!(errors::<OneTimeProof>("{}")["token"], "'token' is a required property");
        assert_eq!(errors::<OneTimeProof>(r#"{"email":"a@b.example"}"#)["code"], "'code' is a required property");
        assert_eq!(errors::<OneTimeProof>(r#"{"code":"ABCD2345"}"#)["email"], "'email' is a required property");
        let both = format!(r#"{{"token":"{}","email":"a@b.example","code":"ABCD2345"}}"#, token_text());
        assert_eq!(
            errors::<OneTimeProof>(&both)["token"],
            "'token' must not be given together with 'email' and 'code'"
        );
    }

    #[test]
    fn text_that_cannot_be_a_proof_is_answered_like_a_wrong_one() {
        for body in [
            r#"{"token":""}"#,
            r#"{"token":"rao_AAAA"}"#,
            r#"{"email":"nobody","code":"ABCD2345"}"#,
            r#"{"email":"a@b.example","code":"0000-1111"}"#,
        ] {
            assert_eq!(read::<OneTimeProof>(body).err().unwrap().code(), Code::CodeInvalid, "{body}");
        }
        assert_eq!(read::<OneTimeToken>(r#"{"token":"x"}"#).err().unwrap().code(), Code::CodeInvalid);
        let reset = read::<PasswordReset>(r#"{"token":"x","password":"123456"}"#);
        assert_eq!(reset.err().unwrap().code(), Code::CodeInvalid);
    }

    #[test]
    fn the_new_password_is_checked_before_the_proof_is_looked_at() {
        let found = errors::<PasswordReset>(r#"{"token":"x","password":"12345"}"#);
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["password"]);
        let found = errors::<PasswordReset>(r#"{"code":7}"#);
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["code", "email", "password"]);
    }

    #[test]
    fn every_wrong_field_of_a_change_is_named_and_a_wrong_value_is_not_repeated() {
        let found = errors::<EmailChange>(r#"{"email":"hunter2"}"#);
        assert_eq!(found["email"], "'email' is not a valid e-mail address");
        assert_eq!(found["current_password"], "'current_password' is a required property");
        assert!(read::<CurrentPassword>(r#"{"current_password":""}"#).is_ok_and(|current| current.0.is_none()));
        assert!(read::<Username>(r#"{"username":"ada"}"#).is_ok());
        assert!(errors::<Username>("{}").contains_key("username"));
        assert!(errors::<Email>(r#"{"email":"no at sign"}"#).contains_key("email"));
    }
}
