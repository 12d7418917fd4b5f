//! Authentication of a client by `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1).

use auth_core::ClientId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::http::HeaderValue;
use zeroize::Zeroizing;

use super::error::OAuthError;
use super::parameters::Parameters;

/// Id and secret that a request claims.
pub(super) struct Claimed {
    pub(super) id: Zeroizing<String>,
    pub(super) secret: Zeroizing<String>,
}

/// Returns id and secret of a request, or `None` for a public client, which has no secret (RFC 6749 §2.1).
///
/// # Errors
///
/// `invalid_request` if both ways are used at once, or the header is repeated or malformed. `invalid_client` for a way that is not
/// supported, or one of our clients without its secret.
pub(super) fn read<'h>(
    authorization: impl IntoIterator<Item = &'h HeaderValue>,
    parameters: &Parameters,
) -> Result<Option<Claimed>, OAuthError> {
    let mut fields = authorization.into_iter();
    let Some(field) = fields.next() else {
        return match (&parameters.client_id, &parameters.client_secret) {
            (Some(id), Some(secret)) => Ok(Some(Claimed { id: id.clone(), secret: secret.clone() })),
            (None, Some(_)) => Err(OAuthError::invalid_request("The parameter client_id is missing.")),
            (Some(id), None) if id.parse::<ClientId>().is_ok() => Err(OAuthError::invalid_client()),
            (_, None) => Ok(None),
        };
    };
    if fields.next().is_some() {
        return Err(OAuthError::invalid_request("The header Authorization is repeated."));
    }
    if parameters.client_secret.is_some() {
        return Err(OAuthError::invalid_request("The client must authenticate in one way, not in two."));
    }
    let claimed = basic(field)?;
    // The id may be in the form too, where it is no authentication.
    if parameters.client_id.as_ref().is_some_and(|id| *id != claimed.id) {
        return Err(OAuthError::invalid_request("The parameter client_id names another client than the header."));
    }
    Ok(Some(claimed))
}

/// Reads the credentials of the scheme `Basic` (RFC 7617), both of which are encoded as in a form before they are joined.
fn basic(field: &HeaderValue) -> Result<Claimed, OAuthError> {
    let malformed = || OAuthError::invalid_request("The header Authorization is malformed.");
    let text = field.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(OAuthError::invalid_client());
    }
    let bytes = Zeroizing::new(STANDARD.decode(encoded.trim_matches(' ')).map_err(|_| malformed())?);
    let colon = bytes.iter().position(|byte| *byte == b':').ok_or_else(malformed)?;
    let decoded = |part| form_decoded(part).ok_or_else(malformed);
    Ok(Claimed { id: decoded(&bytes[..colon])?, secret: decoded(&bytes[colon + 1..])? })
}

/// Decodes a text that was encoded as a value of a form. Returns `None` for one with a character that the encoding would have changed
/// and that would split it.
fn form_decoded(part: &[u8]) -> Option<Zeroizing<String>> {
    if part.iter().any(|byte| matches!(byte, b'&' | b'=')) {
        return None;
    }
    // Without the two characters the whole part is the name of one field.
    let name = form_urlencoded::parse(part).next().map(|(name, _)| name.into_owned());
    Some(Zeroizing::new(name.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_field(text: &str, form: &str) -> Result<Option<(String, String)>, OAuthError> {
        let field = HeaderValue::from_str(text).unwrap();
        let read = read([&field], &Parameters::parse(form.as_bytes())?)?;
        Ok(read.map(|claimed| (claimed.id.to_string(), claimed.secret.to_string())))
    }

    fn basic_of(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn both_parts_are_decoded_as_in_a_form() {
        let (id, secret) = read_field(&basic_of("a%3Ab+c:%C3%A4%25%2B"), "").ok().unwrap().unwrap();
        assert_eq!((id.as_str(), secret.as_str()), ("a:b c", "ä%+"));
        let (id, secret) =
            read_field(&basic_of("id:se:cret").replace("Basic", "bAsIc"), "client_id=id").ok().unwrap().unwrap();
        assert_eq!((id.as_str(), secret.as_str()), ("id", "se:cret"));
        let (id, secret) = read_field(&basic_of(":"), "").ok().unwrap().unwrap();
        assert_eq!((id.as_str(), secret.as_str()), ("", ""));
    }

    #[test]
    fn what_is_malformed_or_said_twice_is_refused() {
        let good = basic_of("id:secret");
        for (field, form) in [
            ("Basic", ""),
            ("Basic !", ""),
            (&basic_of("id"), ""),
            (&basic_of("a=b:c"), ""),
            (&basic_of("a:b&c"), ""),
            ("Bearer x", ""),
            (&good, "client_secret=secret&client_id=id"),
            (&good, "client_secret=secret"),
            (&good, "client_id=other"),
        ] {
            assert!(read_field(field, form).is_err(), "{field} {form}");
        }
        let twice = HeaderValue::from_str(&good).unwrap();
        assert!(read([&twice, &twice], &Parameters::default()).is_err());
    }

    #[test]
    fn a_public_client_says_nothing_that_is_checked() {
        let of = |form: &str| read(None, &Parameters::parse(form.as_bytes()).ok().unwrap());
        assert!(matches!(of(""), Ok(None)));
        assert!(matches!(of("client_id=spa"), Ok(None)));
        let ours = ClientId::generate().unwrap();
        assert!(of(&format!("client_id={ours}")).is_err(), "a client with a secret cannot do without");
        assert!(of("client_secret=x").is_err());
        assert!(matches!(of("client_id=a&client_secret=b"), Ok(Some(_))));
    }
}
