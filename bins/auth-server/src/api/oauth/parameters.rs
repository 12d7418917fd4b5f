//! Parameters of a request to an endpoint of OAuth.

use auth_core::Scopes;
use zeroize::Zeroizing;

use super::error::OAuthError;

/// The parameters of a request. Those that no endpoint knows are ignored (RFC 6749 §3.2).
#[derive(Default)]
pub(super) struct Parameters {
    pub(super) grant_type: Option<Zeroizing<String>>,
    pub(super) client_id: Option<Zeroizing<String>>,
    pub(super) client_secret: Option<Zeroizing<String>>,
    pub(super) refresh_token: Option<Zeroizing<String>>,
    pub(super) token: Option<Zeroizing<String>>,
    scope: Option<Zeroizing<String>>,
}

impl Parameters {
    /// Reads the parameters of a form. A parameter without a value counts as omitted (RFC 6749 §3.2).
    ///
    /// # Errors
    ///
    /// `invalid_request` if a parameter is repeated.
    pub(super) fn parse(form: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters = Self::default();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(form) {
            let value = Zeroizing::new(value.into_owned());
            let (known, place) = match &*name {
                "grant_type" => ("grant_type", Some(&mut parameters.grant_type)),
                "client_id" => ("client_id", Some(&mut parameters.client_id)),
                "client_secret" => ("client_secret", Some(&mut parameters.client_secret)),
                "refresh_token" => ("refresh_token", Some(&mut parameters.refresh_token)),
                "token" => ("token", Some(&mut parameters.token)),
                "scope" => ("scope", Some(&mut parameters.scope)),
                // The hint is not needed: every token says by itself what it is.
                "token_type_hint" => ("token_type_hint", None),
                _ => continue,
            };
            if seen.contains(&known) {
                return Err(OAuthError::invalid_request("A parameter is repeated."));
            }
            seen.push(known);
            if let Some(place) = place {
                *place = Some(value).filter(|value| !value.is_empty());
            }
        }
        Ok(parameters)
    }

    /// Returns the scopes that are asked for, if the request names any.
    ///
    /// # Errors
    ///
    /// `invalid_scope` if the text is not a list of scopes (RFC 6749 §3.3).
    pub(super) fn scopes(&self) -> Result<Option<Scopes>, OAuthError> {
        let Some(text) = &self.scope else { return Ok(None) };
        let scopes = text.parse().ok().filter(|scopes: &Scopes| !scopes.is_empty());
        scopes.map(Some).ok_or_else(|| OAuthError::invalid_scope("The scope is malformed."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_and_unknown_parameters_are_ignored() {
        let form = b"grant_type=client_credentials&scope=a%20b+c&resource=1&resource=2&token=&client_id=x";
        let parameters = Parameters::parse(form).ok().unwrap();
        assert_eq!(parameters.grant_type.as_ref().unwrap().as_str(), "client_credentials");
        assert_eq!(parameters.scopes().ok().unwrap().unwrap().to_string(), "a b c");
        assert!(parameters.token.is_none() && parameters.refresh_token.is_none());
    }

    #[test]
    fn a_repeated_parameter_is_refused_also_where_it_is_empty() {
        for repeated in ["token=a&token=a", "scope=&scope=", "token_type_hint=x&token_type_hint=y", "token=&token=a"] {
            assert!(Parameters::parse(repeated.as_bytes()).is_err(), "{repeated}");
        }
    }
}
