//! Argon2id (RFC 9106), a password hash that costs memory as well as time. Feature `argon2`.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use auth_core::password::MAX_PASSWORD_CHARS;
use auth_core::{HashError, Password, PasswordHash, PasswordHasher, Verdict};

use crate::random::random;
use crate::schemes::{HashWork, Scheme};

/// Maximum length of a password that is hashed, in bytes: [`MAX_PASSWORD_CHARS`] of four bytes each.
pub const MAX_ARGON2_BYTES: usize = MAX_PASSWORD_CHARS * 4;

/// Maximum memory of a hash that is computed, in KiB: 256 MiB.
pub const MAX_MEMORY_KIB: u32 = 256 * 1024;

/// Maximum number of passes of a hash that is computed.
pub const MAX_PASSES: u32 = 16;

/// Maximum number of lanes of a hash that is computed. Lanes are computed one after the other.
pub const MAX_LANES: u32 = 16;

/// Minimum memory for each lane, in KiB.
pub const MIN_LANE_KIB: u32 = 8;

const SALT_BYTES: usize = 16;
const DIGEST_BYTES: usize = 32;

/// Maximum length of the text of a stored hash, in bytes.
const MAX_TEXT: usize = 256;

/// Cost parameters of an Argon2 hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Params {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Params {
    /// 19 MiB, two passes, one lane. OWASP's Password Storage Cheat Sheet recommends no less memory with two passes.
    pub const RECOMMENDED: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// Returns the parameters if they are within the bounds of what is computed. The memory is from [`MIN_LANE_KIB`]
    /// for each lane to [`MAX_MEMORY_KIB`]. There are one to [`MAX_PASSES`] passes and one to [`MAX_LANES`] lanes.
    ///
    /// # Errors
    ///
    /// When a parameter is out of its bounds.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, Argon2ParamsError> {
        if !(1..=MAX_LANES).contains(&lanes) {
            return Err(Argon2ParamsError::Lanes);
        }
        if !(1..=MAX_PASSES).contains(&passes) {
            return Err(Argon2ParamsError::Passes);
        }
        if !(MIN_LANE_KIB * lanes..=MAX_MEMORY_KIB).contains(&memory_kib) {
            return Err(Argon2ParamsError::Memory);
        }
        Ok(Self { memory_kib, passes, lanes })
    }

    fn work(self) -> HashWork {
        HashWork::Argon2 { memory_kib: self.memory_kib, passes: self.passes, lanes: self.lanes }
    }
}

/// Parameter of an Argon2 hash that is out of its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Argon2ParamsError {
    /// The memory.
    #[error("the memory of an argon2 hash must be from {MIN_LANE_KIB} KiB for each lane to {MAX_MEMORY_KIB} KiB")]
    Memory,
    /// The passes.
    #[error("the passes of an argon2 hash must be from 1 to {MAX_PASSES}")]
    Passes,
    /// The lanes.
    #[error("the lanes of an argon2 hash must be from 1 to {MAX_LANES}")]
    Lanes,
}

/// Password hasher for Argon2id.
///
/// It reads Argon2id, Argon2i and Argon2d of versions 16 and 19 in the PHC text form, and writes Argon2id of version
/// 19. It keeps memory of the configured size from one hash to the next, and erases it in between.
pub struct Argon2Hasher {
    params: Argon2Params,
    /// Free memories: as many as have been used at once.
    memories: Mutex<Vec<Vec<Block>>>,
}

/// Fields of a stored hash.
struct Stored {
    algorithm: Algorithm,
    version: Version,
    params: Argon2Params,
    salt: Vec<u8>,
    digest: Zeroizing<Vec<u8>>,
}

impl Argon2Hasher {
    /// Returns a hasher whose new hashes have this cost.
    #[must_use]
    pub fn new(params: Argon2Params) -> Self {
        Self { params, memories: Mutex::default() }
    }

    fn compute(&self, function: &Stored, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, HashError> {
        let Argon2Params { memory_kib, passes, lanes } = function.params;
        let mut digest = Zeroizing::new(vec![0; function.digest.len()]);
        let params = Params::new(memory_kib, passes, lanes, Some(digest.len())).map_err(failed)?;
        let mut memory = self.take_memory(params.block_count())?;
        let outcome = Argon2::new(function.algorithm, function.version, params).hash_password_into_with_memory(
            password,
            &function.salt,
            &mut digest,
            &mut memory,
        );
        memory.iter_mut().for_each(Block::zeroize);
        self.keep_memory(memory);
        outcome.map(|()| digest).map_err(failed)
    }

    fn take_memory(&self, blocks: usize) -> Result<Vec<Block>, HashError> {
        let kept = self.memories.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = kept.unwrap_or_default();
        let missing = blocks.saturating_sub(memory.len());
        memory.try_reserve_exact(missing).map_err(|error| HashError::Failed(error.into()))?;
        memory.resize(blocks, Block::new());
        Ok(memory)
    }

    /// Keeps the memory for the next hash, but no more than our own hashes take. A stored hash that took more was an
    /// exception.
    fn keep_memory(&self, mut memory: Vec<Block>) {
        let ours = usize::try_from(self.params.memory_kib).unwrap_or(usize::MAX);
        if memory.capacity() > ours {
            memory.truncate(ours);
            memory.shrink_to_fit();
        }
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }

    fn new_stored(params: Argon2Params) -> Result<Stored, HashError> {
        Ok(Stored {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params,
            salt: random::<SALT_BYTES>()?.to_vec(),
            digest: Zeroizing::new(random::<DIGEST_BYTES>()?.to_vec()),
        })
    }
}

impl fmt::Debug for Argon2Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Argon2Hasher").field("params", &self.params).finish_non_exhaustive()
    }
}

fn failed(error: argon2::Error) -> HashError {
    HashError::Failed(error.to_string().into())
}

impl Stored {
    /// Parses the text of a stored hash. It accepts only the exact form
    /// `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<digest>`.
    fn parse(text: &str) -> Option<Result<Self, HashError>> {
        let rest = text.strip_prefix("$argon2")?;
        let malformed = || HashError::UnusableHash("it is not a well-formed argon2 hash");
        if text.len() > MAX_TEXT {
            return Some(Err(malformed()));
        }
        Some(Self::fields(rest).ok_or_else(malformed).and_then(|(stored, [memory, passes, lanes])| {
            let params = Argon2Params::new(memory, passes, lanes).map_err(|bound| match bound {
                Argon2ParamsError::Memory => HashError::UnusableHash("its argon2 memory is out of bounds"),
                Argon2ParamsError::Passes => HashError::UnusableHash("it has too many argon2 passes, or none"),
                Argon2ParamsError::Lanes => HashError::UnusableHash("it has too many argon2 lanes, or none"),
            })?;
            Ok(Self { params, ..stored })
        }))
    }

    /// Returns the fields, and the parameters as they are written, within bounds or not.
    fn fields(rest: &str) -> Option<(Self, [u32; 3])> {
        let mut fields = rest.split('$');
        let algorithm = match fields.next()? {
            "id" => Algorithm::Argon2id,
            "i" => Algorithm::Argon2i,
            "d" => Algorithm::Argon2d,
            _ => return None,
        };
        let mut field = fields.next()?;
        // Hashes from before version 19 do not name their version.
        let mut version = Version::V0x10;
        if let Some(number) = field.strip_prefix("v=") {
            version = match number {
                "16" => Version::V0x10,
                "19" => Version::V0x13,
                _ => return None,
            };
            field = fields.next()?;
        }
        let mut parameters = field.split(',');
        let mut number = |name: &str| {
            let digits = parameters.next()?.strip_prefix(name)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok())?
        };
        let numbers = [number("m=")?, number("t=")?, number("p=")?];
        let (salt, digest) = (BASE64.decode(fields.next()?).ok()?, BASE64.decode(fields.next()?).ok()?);
        let shaped = parameters.next().is_none()
            && fields.next().is_none()
            && (8..=64).contains(&salt.len())
            && (16..=64).contains(&digest.len());
        let params = Argon2Params::RECOMMENDED;
        shaped.then(|| (Self { algorithm, version, params, salt, digest: Zeroizing::new(digest) }, numbers))
    }

    fn written(&self) -> PasswordHash {
        let Argon2Params { memory_kib, passes, lanes } = self.params;
        let (salt, digest) = (BASE64.encode(&self.salt), BASE64.encode(&*self.digest));
        PasswordHash::new(format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${digest}"))
    }
}

impl PasswordHasher for Argon2Hasher {
    fn max_bytes(&self) -> usize {
        MAX_ARGON2_BYTES
    }

    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let mut new = Self::new_stored(self.params)?;
        new.digest = self.compute(&new, password.expose_secret().as_bytes())?;
        Ok(new.written())
    }

    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        let stored =
            Stored::parse(hash.expose_hash()).unwrap_or(Err(HashError::UnusableHash("it is not an argon2 hash")))?;
        let digest = self.compute(&stored, password.expose_secret().as_bytes())?;
        let ours = stored.params == self.params
            && stored.algorithm == Algorithm::Argon2id
            && stored.version == Version::V0x13
            && stored.digest.len() == DIGEST_BYTES;
        Ok(match bool::from(digest.ct_eq(&stored.digest)) {
            false => Verdict::Mismatch,
            true if ours => Verdict::Match,
            true => Verdict::MatchRehash,
        })
    }

    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        Ok(Self::new_stored(self.params)?.written())
    }
}

impl Scheme for Argon2Hasher {
    fn configured(&self) -> HashWork {
        self.params.work()
    }

    fn work(&self, hash: &PasswordHash) -> Option<Result<HashWork, HashError>> {
        Some(Stored::parse(hash.expose_hash())?.map(|stored| stored.params.work()))
    }

    fn dummy_hash_of(&self, work: HashWork) -> Option<Result<PasswordHash, HashError>> {
        let HashWork::Argon2 { memory_kib, passes, lanes } = work else { return None };
        let params = Argon2Params { memory_kib, passes, lanes };
        Some(Self::new_stored(params).map(|dummy_hash| dummy_hash.written()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn hasher() -> Argon2Hasher {
        Argon2Hasher::new(Argon2Params::new(64, 2, 1).unwrap())
    }

    /// Hashes of the reference implementation, from its own test suite.
    const VECTORS: [(&str, &str); 4] = [
        ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
        ("password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"),
        ("password", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8"),
        ("password", "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY"),
    ];

    #[test]
    fn reads_published_vectors() {
        for (text, hash) in VECTORS {
            let hash = PasswordHash::new(hash.to_owned());
            assert_eq!(hasher().verify(&password(text), &hash).unwrap(), Verdict::MatchRehash, "{text}");
            assert_eq!(hasher().verify(&password("Password"), &hash).unwrap(), Verdict::Mismatch, "{text}");
        }
    }

    #[test]
    fn writes_argon2id_and_recognises_it() {
        let hasher = hasher();
        let long = "ü".repeat(256);
        for text in ["123456", &long] {
            let hash = hasher.hash(&password(text)).unwrap();
            assert!(hash.expose_hash().starts_with("$argon2id$v=19$m=64,t=2,p=1$"));
            assert_eq!(hasher.verify(&password(text), &hash).unwrap(), Verdict::Match);
            assert_eq!(hasher.verify(&password("123457"), &hash).unwrap(), Verdict::Mismatch);
            assert_ne!(hasher.hash(&password(text)).unwrap(), hash, "the salt is random");
        }
        let other = Argon2Hasher::new(Argon2Params::new(64, 1, 1).unwrap());
        let hash = other.hash(&password("123456")).unwrap();
        assert_eq!(hasher.verify(&password("123456"), &hash).unwrap(), Verdict::MatchRehash);
    }

    #[test]
    fn memory_is_kept_erased_and_no_larger_than_ours() {
        let hasher = hasher();
        let large = PasswordHash::new(VECTORS[0].1.to_owned());
        for _ in 0..3 {
            hasher.verify(&password("password"), &large).unwrap();
            hasher.hash(&password("password")).unwrap();
        }
        let memories = hasher.memories.lock().unwrap();
        assert_eq!(memories.len(), 1);
        assert!(memories[0].capacity() <= 64, "{}", memories[0].capacity());
        let zero = format!("{:?}", Block::new());
        assert!(memories[0].iter().all(|block| format!("{block:?}") == zero));
    }

    #[test]
    fn expensive_and_malformed_hashes_are_not_computed() {
        let good = VECTORS[1].1;
        for (from, to) in [
            ("m=256", "m=262145"),
            ("m=256", "m=4294967295"),
            ("m=256", "m=4294967296"),
            ("m=256", "m=15"),
            ("m=256", "m=+256"),
            ("m=256", "m="),
            ("t=2", "t=17"),
            ("t=2", "t=0"),
            ("p=2", "p=17"),
            ("p=2", "p=0"),
            ("p=2", "p=2,keyid=Zm9v"),
            ("v=19", "v=20"),
            ("argon2id", "argon2x"),
            ("c29tZXNhbHQ", "c29tZXM"),
            ("c29tZXNhbHQ", "c29tZXNhbHQ="),
            ("bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "bQk8UB/VmZY"),
            ("cDc", "cDc$"),
        ] {
            let hash = PasswordHash::new(good.replace(from, to));
            let result = hasher().verify(&password("password"), &hash);
            assert!(matches!(result, Err(HashError::UnusableHash(_))), "{from} -> {to}: {result:?}");
        }
    }

    #[test]
    fn the_dummy_hash_costs_as_much_as_ours_and_no_password_matches_it() {
        let hasher = hasher();
        let dummy_hash = hasher.dummy_hash().unwrap();
        assert_eq!(hasher.work(&dummy_hash).unwrap().unwrap(), hasher.configured());
        assert_eq!(hasher.verify(&password("123456"), &dummy_hash).unwrap(), Verdict::Mismatch);
    }

    proptest! {
        #[test]
        fn no_stored_text_causes_a_panic_or_an_unbounded_allocation(
            text in "\\PC{0,60}|\\$argon2(id|i|d|)(\\$v=[0-9]{1,3})?\\$m=[0-9]{1,11},t=[0-9]{1,11},p=[0-9]{1,11}\\$[A-Za-z0-9+/]{0,24}\\$[A-Za-z0-9+/]{0,48}",
        ) {
            if let Some(Ok(HashWork::Argon2 { memory_kib, passes, lanes })) = hasher().work(&PasswordHash::new(text)) {
                prop_assert!(memory_kib <= MAX_MEMORY_KIB && (1..=MAX_PASSES).contains(&passes));
                prop_assert!((1..=MAX_LANES).contains(&lanes) && memory_kib >= MIN_LANE_KIB * lanes);
            }
        }
    }
}
