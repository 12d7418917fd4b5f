//! Reader of public keys in the form of a JSON Web Key (RFC 7517 §4).

use std::borrow::Cow;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    OctetKeyPairParameters, OctetKeyPairType, RSAKeyParameters, RSAKeyType,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{KeyError, KidForm, VerifyingKey};

/// Maximum length of a `kid` that is read, in bytes.
const MAX_KID_BYTES: usize = 256;

/// Length of a coordinate of P-256, and of a public key of Ed25519, in bytes (RFC 7518 §6.2.1.2, RFC 8037 §2).
const COORDINATE_BYTES: usize = 32;

/// Members of a JSON Web Key that are read. All other members are ignored. A member that occurs twice is an error.
#[derive(Deserialize)]
struct UnverifiedJwk<'a> {
    #[serde(borrow)]
    kty: Cow<'a, str>,
    #[serde(borrow)]
    crv: Option<Cow<'a, str>>,
    #[serde(borrow)]
    x: Option<Cow<'a, str>>,
    #[serde(borrow)]
    y: Option<Cow<'a, str>>,
    #[serde(borrow)]
    n: Option<Cow<'a, str>>,
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    alg: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "use")]
    purpose: Option<Cow<'a, str>>,
    key_ops: Option<Vec<String>>,
    /// Private part of an elliptic curve key, of an Ed25519 key or of an RSA key.
    d: Option<IgnoredAny>,
    /// Prime factors of an RSA key. With them the private part can be computed.
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
    /// Value of a symmetric key.
    k: Option<IgnoredAny>,
}

/// Reads the public key in `json`.
pub(super) fn read(json: &str) -> Result<VerifyingKey, KeyError> {
    let jwk: UnverifiedJwk<'_> = serde_json::from_str(json).map_err(|_| KeyError::UnsupportedJwk)?;
    if jwk.kty == "oct" || jwk.has_private_part() {
        return Err(KeyError::PrivateJwk);
    }
    let (parameters, algorithm) = jwk.parameters().ok_or(KeyError::UnsupportedJwk)?;
    if !jwk.is_for(algorithm) {
        return Err(KeyError::PurposeOfJwk);
    }
    let kid = match jwk.kid {
        Some(kid) if kid.is_empty() || kid.len() > MAX_KID_BYTES => return Err(KeyError::UnsupportedJwk),
        Some(kid) => KidForm::Given(kid.into_owned()),
        None => KidForm::Thumbprint,
    };
    let public = Jwk { common: CommonParameters::default(), algorithm: parameters };
    let key = DecodingKey::from_jwk(&public).map_err(|_| KeyError::UnsupportedJwk)?;
    VerifyingKey::from_jwk(&public, algorithm, key, kid, KeyError::UnsupportedJwk)
}

impl UnverifiedJwk<'_> {
    fn has_private_part(&self) -> bool {
        [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth, &self.k].into_iter().any(Option::is_some)
    }

    /// Returns the parameters of the key and the one algorithm that it is for, or `None` for a key of another kind and for one
    /// that is no valid key.
    fn parameters(&self) -> Option<(AlgorithmParameters, Algorithm)> {
        match (&*self.kty, self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => {
                let x = self.x.as_deref()?;
                is_valid(&ED25519, &coordinate(x)?)?;
                let key_type = OctetKeyPairType::OctetKeyPair;
                let key = OctetKeyPairParameters { key_type, curve: EllipticCurve::Ed25519, x: x.to_owned() };
                Some((AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (self.x.as_deref()?, self.y.as_deref()?);
                is_valid(&ECDSA_P256_SHA256_FIXED, &[&[4][..], &coordinate(x)?, &coordinate(y)?].concat())?;
                let (x, y, key_type) = (x.to_owned(), y.to_owned(), EllipticCurveKeyType::EC);
                let key = EllipticCurveKeyParameters { key_type, curve: EllipticCurve::P256, x, y };
                Some((AlgorithmParameters::EllipticCurve(key), Algorithm::ES256))
            }
            ("RSA", _) => {
                let (n, e) = (self.n.as_deref()?, self.e.as_deref()?);
                let components = RsaPublicKeyComponents { n: number(n)?, e: number(e)? };
                let _: PublicKeyX509Der<'_> = components.as_der().ok()?;
                let (n, e, key_type) = (n.to_owned(), e.to_owned(), RSAKeyType::RSA);
                Some((AlgorithmParameters::RSA(RSAKeyParameters { key_type, n, e }), Algorithm::RS256))
            }
            _ => None,
        }
    }

    /// Returns whether the key may verify signatures of `algorithm` (RFC 7517 §4.2 to §4.4).
    fn is_for(&self, algorithm: Algorithm) -> bool {
        let name = self.alg.as_deref();
        let named = name.is_none_or(|name| match algorithm {
            // RFC 9864 names the algorithm of Ed25519 alone.
            Algorithm::EdDSA => matches!(name, "EdDSA" | "Ed25519"),
            Algorithm::ES256 => name == "ES256",
            _ => name == "RS256",
        });
        let verifies = |operations: &Vec<String>| operations.iter().any(|operation| operation == "verify");
        named
            && self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(verifies)
    }
}

fn is_valid(algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> Option<()> {
    ParsedPublicKey::new(algorithm, key).ok().map(|_| ())
}

fn coordinate(text: &str) -> Option<[u8; COORDINATE_BYTES]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Returns the bytes of a number, which has no leading zero (RFC 7518 §2, `Base64urlUInt`).
fn number(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.first().is_some_and(|first| *first != 0))
}
