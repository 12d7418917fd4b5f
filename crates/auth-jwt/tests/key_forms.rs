//! Recognition of keys: no key of any form becomes an HMAC secret, and every key is read as the kind that it is or
//! refused with its form.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use auth_jwt::{KeyError, KeyForm};
use auth_jwt::{SigningKey, VerifyingKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

#[path = "keys/forms.rs"]
mod forms;

/// Includes a file beside the forms: the key that the other tests read.
macro_rules! key {
    ($name:literal) => {
        include_bytes!(concat!("keys/", $name)).as_slice()
    };
}

macro_rules! form {
    ($name:literal) => {
        include_bytes!(concat!("keys/forms/", $name)).as_slice()
    };
}

/// Returns `size` bytes without structure, which differ for every `number`.
fn random(number: u32, size: usize) -> Vec<u8> {
    let block = |index: u32| Sha256::digest([number.to_be_bytes(), index.to_be_bytes()].concat());
    (0..).flat_map(block).take(size).collect()
}

#[test]
fn no_key_in_any_form_becomes_a_secret() {
    let mut accepted = Vec::new();
    for (name, key) in forms::all() {
        for (wrapper, wrap) in forms::WRAPPERS {
            let Some(bytes) = wrap(&key) else { continue };
            match (SigningKey::from_secret(&bytes), VerifyingKey::from_secret(&bytes)) {
                (Err(KeyError::SecretIsKey(_)), Err(KeyError::SecretIsKey(_))) => {}
                _ => accepted.push(format!("{name}, {wrapper}")),
            }
        }
    }
    assert_eq!(accepted, Vec::<String>::new());
}

#[test]
fn the_form_of_a_key_is_named() {
    for (bytes, form, name) in [
        (key!("ed.pub"), KeyForm::Pem, "a PEM file"),
        (form!("ed-spki.der"), KeyForm::Der, "DER"),
        (form!("rsa-pkcs1.der"), KeyForm::Der, "DER"),
        (form!("p256.ssh"), KeyForm::Ssh, "an SSH key"),
        (form!("pgp-public.gpg"), KeyForm::Pgp, "an OpenPGP key"),
        (form!("p256-point.bin"), KeyForm::Point, "elliptic curve"),
        (br#"{"keys":[]}"#, KeyForm::Json, "a JSON document"),
        (b"a\0b\0c\0", KeyForm::WideText, "UTF-16"),
        ("\u{feff}q7Vd0J2pXw9Zt4Lr8Nc1Yb6Hs3Km5Fg0".as_bytes(), KeyForm::ByteOrderMark, "byte order mark"),
        (b"two words\non two lines", KeyForm::Lines, "several lines"),
    ] {
        assert_eq!(KeyForm::recognize(bytes), Some(form));
        let said = KeyError::SecretIsKey(form).to_string();
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn a_random_secret_is_taken_in_every_spelling() {
    for number in 0..500 {
        for size in [32, 48, 64] {
            let secret = random(number, size);
            let hex = secret.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
            let (base64, base64url) = (STANDARD.encode(&secret), URL_SAFE_NO_PAD.encode(&secret));
            let wrapped = format!("{}\n{}\n", &base64[..40], &base64[40..]);
            for spelling in
                [secret.as_slice(), hex.as_bytes(), base64.as_bytes(), base64url.as_bytes(), wrapped.as_bytes()]
            {
                let shown = String::from_utf8_lossy(spelling);
                assert!(VerifyingKey::from_secret(spelling).is_ok(), "{shown}: {:?}", KeyForm::recognize(spelling));
            }
        }
    }
    // Secrets in the style of password managers.
    for secret in [
        "{)q7Vd0J2pXw9Zt4L[r8Nc1Yb6Hs3Km5}",
        "[<&>!?#q7Vd0J2pXw9Zt4Lr8Nc1Yb6Hs3]",
        "<ein Satz, den niemand kennt: 17 Äpfel>",
    ] {
        assert_eq!(KeyForm::recognize(secret.as_bytes()), None, "{secret}");
    }
}

#[test]
fn a_key_file_is_read_as_the_key_that_it_is() {
    let public = |bytes: &[u8]| VerifyingKey::from_pem(bytes).map(|key| key.id().to_owned());
    let private = |bytes: &[u8]| SigningKey::from_pem(bytes).map(|key| key.id().to_owned());
    let rsa = public(key!("rsa.pub")).unwrap();
    let p256 = public(key!("p256.pub")).unwrap();
    let ed25519 = public(key!("ed.pub")).unwrap();
    for (bytes, id) in [
        (form!("rsa-pkcs1.pem"), &rsa),
        (form!("rsa-certificate.pem"), &rsa),
        (form!("rsa-certificate-text.pem"), &rsa),
        (form!("p256-certificate.pem"), &p256),
        (form!("ed-certificate.pem"), &ed25519),
        (&[b"\xef\xbb\xbf# key 2026\r\n", key!("p256.pub"), b"\n# end\n"].concat(), &p256),
    ] {
        assert_eq!(public(bytes).as_ref(), Ok(id), "{}", String::from_utf8_lossy(bytes));
    }
    for (bytes, id) in [
        (form!("rsa-pkcs1-private.pem"), &rsa),
        (form!("p256-sec1.pem"), &p256),
        (form!("p256-sec1-with-parameters.pem"), &p256),
        (form!("p256-sec1-without-public.pem"), &p256),
        (form!("p256-bag-attributes.pem"), &p256),
        (&[b"# key 2026\n", key!("ed.pem")].concat(), &ed25519),
    ] {
        assert_eq!(private(bytes).as_ref(), Ok(id), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_file_that_is_no_key_of_ours_is_refused_with_what_it_looks_like() {
    let two = [key!("p256.pub"), key!("ed.pub")].concat();
    let both = [key!("p256.pem"), key!("p256.pub")].concat();
    for (bytes, error) in [
        (key!("p256.pem"), KeyError::PrivateKey),
        (both.as_slice(), KeyError::PrivateKey),
        (form!("p256-encrypted.pem"), KeyError::PrivateKey),
        (form!("ed-openssh-private"), KeyError::PrivateKey),
        (two.as_slice(), KeyError::SeveralKeys),
        (form!("p256-spki.der"), KeyError::NotPem(KeyForm::Der)),
        (form!("p256-certificate.der"), KeyError::NotPem(KeyForm::Der)),
        (form!("ed.ssh"), KeyError::NotPem(KeyForm::Ssh)),
        (form!("rsa-rfc4716.txt"), KeyError::NotPem(KeyForm::Ssh)),
        (br#"{"keys":[]}"#, KeyError::NotPem(KeyForm::Json)),
        (form!("p256-request.pem"), KeyError::UnsupportedPem("public")),
        (b"q7Vd0J2pXw9Zt4Lr8Nc1Yb6Hs3Km5Fg0Ua2Ei7Qo4Tx=", KeyError::UnsupportedPem("public")),
        (b"-----BEGIN PUBLIC KEY-----\nMIIB", KeyError::UnsupportedPem("public")),
    ] {
        assert_eq!(VerifyingKey::from_pem(bytes).unwrap_err(), error, "{}", String::from_utf8_lossy(bytes));
    }
    for (bytes, error) in [
        (key!("ed.pub"), KeyError::PublicKey),
        (form!("p256-certificate.pem"), KeyError::PublicKey),
        (form!("p256-encrypted.pem"), KeyError::Encrypted),
        (form!("rsa-encrypted-traditional.pem"), KeyError::Encrypted),
        (form!("ed-openssh-private"), KeyError::NotPem(KeyForm::Ssh)),
        (form!("p256-sec1.der"), KeyError::NotPem(KeyForm::Der)),
        (form!("p384-sec1.pem"), KeyError::UnsupportedPem("private")),
        (b"no pem", KeyError::UnsupportedPem("private")),
    ] {
        assert_eq!(SigningKey::from_pem(bytes).unwrap_err(), error, "{}", String::from_utf8_lossy(bytes));
    }
}
