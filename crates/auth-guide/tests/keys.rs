//! Section 5 of the guide: rotation of a key.

use auth_jwt::{JwtCodec, KeyError, SigningKey, VerifyingKey};

fn codec(new: &[u8], old: &[u8]) -> Result<JwtCodec, KeyError> {
    let codec = JwtCodec::new(SigningKey::from_secret(new)?, "https://auth.example", "api");
    Ok(codec.with_verifying_key(VerifyingKey::from_secret(old)?))
}

#[test]
fn a_codec_takes_a_new_and_an_old_secret() {
    assert!(codec(&[2; 32], &[1; 32]).is_ok());
}
