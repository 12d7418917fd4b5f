//! Metadata of the authorization server (RFC 8414).

use auth_mail::LinkBase;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::JWKS;
use crate::api::oauth::{INTROSPECT, REVOKE, TOKEN};
use crate::config::Config;

/// Path of the metadata of an issuer without a path (RFC 8414 §3).
pub(super) const PATH: &str = "/.well-known/oauth-authorization-server";

/// The document, and where it belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    path: String,
    json: String,
    entity_tag: String,
}

impl Metadata {
    /// Returns the metadata of the issuer of the configuration, or `None` if that is no URL. The endpoints are below the public URL of
    /// the server, or below the issuer if there is none.
    pub(super) fn new(config: &Config, has_public_keys: bool) -> Option<Self> {
        Self::of(&config.token_issuer, config.public_url.as_ref(), has_public_keys)
    }

    fn of(issuer: &str, public_url: Option<&LinkBase>, has_public_keys: bool) -> Option<Self> {
        let url = LinkBase::parse(issuer).ok()?;
        let json = document(issuer, public_url.unwrap_or(&url).as_str(), has_public_keys).to_string();
        let entity_tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(json.as_bytes())));
        Some(Self { path: format!("{PATH}{}", path_of(url.as_str())), json, entity_tag })
    }

    /// Returns the path at which a client looks for the document: before that of the issuer (RFC 8414 §3.1).
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn json(&self) -> &str {
        &self.json
    }

    pub(super) fn entity_tag(&self) -> &str {
        &self.entity_tag
    }
}

/// Returns the path of a URL without a slash at its end; an empty one if it has none.
fn path_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority.find('/').map_or("", |at| &authority[at..])
}

/// Returns the members of RFC 8414 §2 for what the server has. A refresh token needs no client, and a user may end a token of
/// theirs without one: that is the method `none` (RFC 7591 §2).
fn document(issuer: &str, base: &str, has_public_keys: bool) -> Value {
    let (client, anybody) = (
        json!(["client_secret_basic", "client_secret_post"]),
        json!(["client_secret_basic", "client_secret_post", "none"]),
    );
    let mut document = json!({ "issuer": issuer });
    for (name, path, methods) in
        [("token", TOKEN, &anybody), ("revocation", REVOKE, &anybody), ("introspection", INTROSPECT, &client)]
    {
        document[format!("{name}_endpoint")] = format!("{base}{path}").into();
        document[format!("{name}_endpoint_auth_methods_supported")] = methods.clone();
    }
    if has_public_keys {
        document["jwks_uri"] = format!("{base}{JWKS}").into();
    }
    document["grant_types_supported"] = json!(["client_credentials", "refresh_token"]);
    // Required, also where there is no authorization endpoint.
    document["response_types_supported"] = json!([]);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_before_the_path_of_the_issuer() {
        for (issuer, path) in [
            ("https://auth.example", "/.well-known/oauth-authorization-server"),
            ("https://auth.example/", "/.well-known/oauth-authorization-server"),
            ("https://auth.example:8443/a", "/.well-known/oauth-authorization-server/a"),
            ("https://auth.example/a/b/", "/.well-known/oauth-authorization-server/a/b"),
            ("http://localhost:5000/a", "/.well-known/oauth-authorization-server/a"),
        ] {
            assert_eq!(Metadata::of(issuer, None, true).unwrap().path(), path, "{issuer}");
        }
        for no_url in ["auth-server", "http://auth.example", "https://auth.example/?a", "https://auth.example/#a"] {
            assert_eq!(Metadata::of(no_url, None, true), None, "{no_url}");
        }
    }

    #[test]
    fn the_issuer_is_that_of_the_tokens_and_the_endpoints_are_where_the_server_is() {
        let of = |public_url: Option<&str>, has_public_keys| -> Value {
            let public_url = public_url.map(|url| LinkBase::parse(url).unwrap());
            let metadata = Metadata::of("https://auth.example/a/", public_url.as_ref(), has_public_keys).unwrap();
            serde_json::from_str(metadata.json()).unwrap()
        };
        let document = of(None, true);
        assert_eq!(document["issuer"], "https://auth.example/a/", "exactly the iss of the tokens");
        assert_eq!(document["token_endpoint"], "https://auth.example/a/oauth/token");
        assert_eq!(document["jwks_uri"], "https://auth.example/a/.well-known/jwks.json");
        assert_eq!(document["response_types_supported"], json!([]));
        let document = of(Some("https://public.example"), false);
        assert_eq!(document["introspection_endpoint"], "https://public.example/oauth/introspect");
        assert_eq!(document.get("jwks_uri"), None, "there are no public keys");
        assert_eq!(document.get("authorization_endpoint"), None);
    }
}
