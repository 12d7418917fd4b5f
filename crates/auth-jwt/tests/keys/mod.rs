//! Key pairs that were made for these tests only.

pub(crate) struct KeyPair {
    pub(crate) private: &'static str,
    pub(crate) public: &'static str,
}

macro_rules! pair {
    ($name:literal) => {
        KeyPair { private: include_str!(concat!($name, ".pem")), public: include_str!(concat!($name, ".pub")) }
    };
}

pub(crate) const ED25519: KeyPair = pair!("ed");
pub(crate) const P256: KeyPair = pair!("p256");
pub(crate) const P384: KeyPair = pair!("p384");
pub(crate) const RSA_2048: KeyPair = pair!("rsa");
pub(crate) const RSA_1024: KeyPair = pair!("rsa1024");
