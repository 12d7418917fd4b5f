//! The request bodies of the operations on accounts.

use auth_core::password::policy::PasswordOwner;
use auth_core::{Credentials, Email, NewAccount, Password, PasswordPolicy, Username};

use crate::code::Code;
use crate::error_answer::ErrorAnswer;
use crate::fields::{Fields, FromFields};

impl FromFields for NewAccount {
    fn from_fields(mut fields: Fields, policy: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        let email = fields.parsed("email", Email::parse);
        let username = fields.parsed("username", Username::parse);
        let owner = PasswordOwner { email: email.as_ref(), username: username.as_ref() };
        let password = fields.parsed("password", |text| {
            let password = Password::parse(text)?;
            policy.check(&password, owner).map(|()| password)
        });
        match (email, username, password) {
            (Some(email), Some(username), Some(password)) if fields.is_clean() => {
                Ok(Self { email, username, password })
            }
            _ => Err(fields.into_error()),
        }
    }
}

impl FromFields for Credentials {
    /// Text that cannot be an e-mail address or a password gets the same error as wrong credentials, because no account has
    /// it.
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        let email = fields.parsed("email", |text| Ok::<_, &str>(Email::parse(text).ok()));
        let password = fields.parsed("password", |text| Ok::<_, &str>(Password::parse(text).ok()));
        match (email, password) {
            (Some(Some(email)), Some(Some(password))) if fields.is_clean() => Ok(Self { email, password }),
            (Some(_), Some(_)) if fields.is_clean() => Err(ErrorAnswer::new(Code::InvalidCredentials)),
            _ => Err(fields.into_error()),
        }
    }
}

/// The current password of a user and the new one.
#[derive(Debug)]
pub struct PasswordChange {
    /// The current password; `None` if the text cannot be the password of any account.
    pub current: Option<Password>,
    /// The new password.
    pub new: Password,
}

impl FromFields for PasswordChange {
    fn from_fields(mut fields: Fields, policy: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        let current = fields.parsed("current_password", |text| Ok::<_, &str>(Password::parse(text).ok()));
        let new = fields.parsed("new_password", |text| {
            let password = Password::parse(text)?;
            // The service compares the password with the names of the user once it has read the user.
            policy.check(&password, PasswordOwner::default()).map(|()| password)
        });
        match (current, new) {
            (Some(current), Some(new)) if fields.is_clean() => Ok(Self { current, new }),
            _ => Err(fields.into_error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error_answer::FieldErrors;

    fn read<T: FromFields>(json: &[u8]) -> Result<T, ErrorAnswer> {
        Fields::from_json(json).and_then(|fields| T::from_fields(fields, &PasswordPolicy::new(6)))
    }

    fn errors(json: &str) -> FieldErrors {
        let error = read::<NewAccount>(json.as_bytes()).err().unwrap();
        assert_eq!(error.code(), Code::ValidationFailed);
        error.field_errors().cloned().unwrap_or_default()
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let found = errors(r#"{"email": "no at sign", "username": 7}"#);
        assert_eq!(found["email"], "'email' is not a valid e-mail address");
        assert_eq!(found["username"], "'username' is not of type 'string'");
        assert_eq!(found["password"], "'password' is a required property");
        assert_eq!(found.len(), 3);
        let found = errors(r#"{"email": "no at sign", "username": "ada", "password": "12345"}"#);
        assert_eq!(found["password"], "'password' must have at least 6 characters");
        assert_eq!(found.len(), 2);
        let found = errors(r#"{"email": "no at sign", "username": "countess", "password": "Countess"}"#);
        assert_eq!(found["password"], "'password' must not be your e-mail address or username");
    }

    #[test]
    fn a_field_that_is_given_twice_is_refused_and_an_unknown_one_ignored() {
        let body = r#"{"email":"a@b.example","email":"c@d.example","username":"a","password":"123456","x":1,"x":2}"#;
        assert_eq!(errors(body), FieldErrors::from([("email".into(), "'email' is given more than once".into())]));
        let body = br#"{"email":"a@b.example","password":"x","password":"x"}"#;
        let error = read::<Credentials>(body).err().unwrap();
        assert_eq!(error.code(), Code::ValidationFailed);
    }

    #[test]
    fn a_wrong_value_is_never_repeated() {
        let found = format!(
            "{:?}",
            errors(r#"{"email": ["hunter2"], "username": "\u0007hunter2", "password": "hunter2\u0000"}"#)
        );
        assert!(!found.contains("hunter2"), "{found}");
    }

    #[test]
    fn unknown_fields_and_the_public_id_are_ignored() {
        let body = br#"{"email":"a@b.example","username":"a","password":"123456","public_id":5,"admin":true}"#;
        assert!(read::<NewAccount>(body).is_ok());
    }

    #[test]
    fn text_that_cannot_be_credentials_is_answered_like_wrong_ones() {
        for body in [r#"{"email":"nobody","password":"x"}"#, r#"{"email":"a@b.example","password":""}"#] {
            let error = read::<Credentials>(body.as_bytes()).err().unwrap();
            assert_eq!(error.code(), Code::InvalidCredentials);
        }
    }

    #[test]
    fn both_passwords_of_a_change_are_checked() {
        let error = read::<PasswordChange>(br#"{"new_password":"12345"}"#).err().unwrap();
        let found = error.field_errors().unwrap();
        assert_eq!(found["current_password"], "'current_password' is a required property");
        assert_eq!(found["new_password"], "'new_password' must have at least 6 characters");
        let change = read::<PasswordChange>(br#"{"current_password":"","new_password":"123456"}"#).ok().unwrap();
        assert!(change.current.is_none());
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read::<NewAccount>(&body);
        }
    }
}
