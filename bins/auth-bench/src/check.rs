//! A check, in process: what the cryptography alone costs, what `jsonwebtoken::decode` costs, and what
//! `AuthService::authenticate` costs with a miss and with a hit of the cache of verified tokens, beside more and more
//! revoked tokens.

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::blacklist::{RevocationReason, RevocationTarget};
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthService, Blacklist as _, Claims, Clock as _, Generation, Revocation, SystemClock, TokenCodec as _, TokenId,
    UserId,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::Failure;
use crate::figure::{Figure, count, timed};
use crate::options::Options;
use crate::plot::Plot;
use crate::report::Report;

const SECRET: [u8; 32] = *b"0123456789abcdef0123456789abcdef";
pub(crate) const ISSUER: &str = "auth-server";
pub(crate) const AUDIENCE: &str = "auth-api";

/// A key that the tests of `auth-core` use.
macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("../../../crates/auth-jwt/tests/keys/", $name))
    };
}

/// The private Ed25519 key.
pub(crate) const ED25519: &str = key!("ed.pem");

/// The private and the public half.
type Pem = (&'static str, &'static str);

/// Whether the token of this number is good.
type Check<'a> = Box<dyn Fn(usize, &str) -> bool + 'a>;

/// A key of each algorithm.
const KEYS: [(&str, Algorithm, Option<Pem>); 4] = [
    ("HS256", Algorithm::HS256, None),
    ("EdDSA", Algorithm::EdDSA, Some((ED25519, key!("ed.pub")))),
    ("ES256", Algorithm::ES256, Some((key!("p256.pem"), key!("p256.pub")))),
    ("RS256", Algorithm::RS256, Some((key!("rsa.pem"), key!("rsa.pub")))),
];

/// One thing that is measured in turn with the others: nanoseconds a call.
pub(crate) struct Contestant<'a> {
    name: String,
    round: Box<dyn Fn() -> Result<f64, Failure> + 'a>,
    pub(crate) samples: Vec<f64>,
}

impl<'a> Contestant<'a> {
    /// Calls `check` with one token after the other. Each has to be found good.
    pub(crate) fn new(
        name: impl Into<String>,
        tokens: &'a [String],
        calls: usize,
        check: impl Fn(usize, &str) -> bool + 'a,
    ) -> Self {
        let round = move || {
            let all = || tokens.iter().enumerate().cycle().take(calls);
            let (good, took) = timed(|| all().filter(|(number, token)| check(*number, token)).count());
            if good == calls {
                Ok(took.as_secs_f64() * 1e9 / count(calls))
            } else {
                Err("a good token was refused".into())
            }
        };
        Self { name: name.into(), round: Box::new(round), samples: Vec::new() }
    }

    /// Runs a round. A round that does not count only warms the caches.
    pub(crate) fn run(&mut self, counts: bool) -> Result<(), Failure> {
        let sample = (self.round)()?;
        if counts {
            self.samples.push(sample);
        }
        Ok(())
    }
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("check", options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let revoked = options.pick(vec![0, 1_000_000, 10_000_000], vec![0, 1_000]);
    let blacklists = revoked.iter().map(|entries| runtime.block_on(blacklist(*entries)));
    let blacklists: Vec<Arc<SyncedBlacklist>> = blacklists.collect::<Result<_, _>>()?;

    let mut mac = None;
    let mut bars = Vec::new();
    for (name, algorithm, pem) in KEYS {
        let signing = match pem {
            None => SigningKey::from_secret(&SECRET)?,
            Some((private, _)) => SigningKey::from_pem(private.as_bytes())?,
        };
        let codec = || JwtCodec::new(signing.clone(), ISSUER, AUDIENCE);
        let tokens = tokens(&codec(), options.pick(1_024, 64))?;
        let parts = parts(&tokens)?;
        let key = decoding_key(algorithm, pem)?;
        let slow = !matches!(algorithm, Algorithm::HS256);
        let calls = options.pick(if slow { 1_000 } else { 20_000 }, 200);

        let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
        let bare: Check<'_> = if slow {
            let key = key.clone();
            Box::new(move |number, _| {
                let (message, signature, _) = &parts[number];
                jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap_or(false)
            })
        } else {
            Box::new(move |number, _| hmac::verify(&hmac_key, parts[number].0.as_bytes(), &parts[number].2).is_ok())
        };
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);

        // A cache of eight, and tokens that come again after a thousand others: each check is a cache miss.
        let stranger = service(codec().with_cached_tokens(8), &blacklists[0])?;
        let mut contestants = vec![
            Contestant::new(if slow { "signature alone" } else { "MAC alone" }, &tokens, calls, bare),
            Contestant::new("jsonwebtoken::decode", &tokens, calls, |_, token| {
                jsonwebtoken::decode::<TheirClaims>(token, &key, &validation).is_ok_and(|read| read.claims.is_read())
            }),
            Contestant::new("cache miss", &tokens, calls, move |_, token| good(&stranger, token)),
        ];
        for (entries, blacklist) in revoked.iter().zip(&blacklists) {
            let service = service(codec(), blacklist)?;
            let calls = options.pick(20_000, 200);
            let name = format!("cache hit, {entries} revoked");
            contestants.push(Contestant::new(name, &tokens, calls, move |_, token| good(&service, token)));
        }
        for round in 0..=options.pick(15, 1) {
            for contestant in &mut contestants {
                contestant.run(round > 0)?;
            }
        }

        for contestant in &contestants {
            let ratio = Figure::ratio(&contestant.samples, &contestants[1].samples);
            let figure = Figure::of(&contestant.samples, "ns");
            report.row(format!("{name}, {}", contestant.name), vec![("a check", figure), ("× decode", ratio)]);
        }
        let first = Figure::ratio(&contestants[2].samples, &contestants[1].samples);
        report.at_most(format!("{name}: cache miss ÷ jsonwebtoken::decode"), 1.2, first);
        let mac = mac.get_or_insert_with(|| Figure::of(&contestants[0].samples, "ns"));
        for contestant in &contestants[3..] {
            let ratios: Vec<f64> = contestant.samples.iter().map(|sample| sample / mac.median).collect();
            report.at_most(format!("{name}: {} ÷ MAC of HS256", contestant.name), 2.0, Figure::of(&ratios, "×"));
        }
        for (contestant, what) in [(1, "decode"), (2, "miss"), (3, "hit")] {
            let micros: Vec<f64> = contestants[contestant].samples.iter().map(|nanos| nanos / 1e3).collect();
            bars.push((format!("{name} {what}"), Figure::of(&micros, "µs")));
        }
    }
    report.plot(Plot::Bars {
        file: "check.svg",
        title: "One check: jsonwebtoken::decode, our cache miss, our cache hit".to_owned(),
        unit: "µs",
        bars,
    });
    Ok(report)
}

/// What somebody who uses `jsonwebtoken` alone would read.
#[derive(Deserialize)]
struct TheirClaims {
    sub: uuid::Uuid,
    jti: uuid::Uuid,
    iat: i64,
    exp: i64,
    #[serde(rename = "gen")]
    generation: u32,
    admin: bool,
}

impl TheirClaims {
    fn is_read(&self) -> bool {
        self.exp > self.iat && self.sub != self.jti && self.generation == 0 && !self.admin
    }
}

pub(crate) fn good(service: &AuthService, token: &str) -> bool {
    service.authenticate(token).now_or_never().is_some_and(|checked| checked.is_ok())
}

pub(crate) fn tokens(codec: &JwtCodec, many: usize) -> Result<Vec<String>, Failure> {
    let issued_at = SystemClock.now().replace_nanosecond(0)?;
    let token = |_| {
        let claims = Claims {
            user_id: UserId::generate(issued_at)?,
            token_id: TokenId::generate()?,
            session_id: None,
            issued_at,
            expires_at: issued_at + Duration::from_secs(86_400),
            generation: Generation::default(),
            admin: false,
            key_id: None,
            grants: None,
        };
        Ok(codec.encode(&claims)?.expose_token().to_owned())
    };
    (0..many).map(token).collect()
}

/// What is signed, the signature as text, and as bytes.
fn parts(tokens: &[String]) -> Result<Vec<(String, String, Vec<u8>)>, Failure> {
    let split = |token: &String| {
        let (message, signature) = token.rsplit_once('.').ok_or("a token has dots")?;
        Ok((message.to_owned(), signature.to_owned(), URL_SAFE_NO_PAD.decode(signature)?))
    };
    tokens.iter().map(split).collect()
}

fn decoding_key(algorithm: Algorithm, pem: Option<Pem>) -> Result<DecodingKey, Failure> {
    Ok(match (algorithm, pem) {
        (Algorithm::EdDSA, Some((_, public))) => DecodingKey::from_ed_pem(public.as_bytes())?,
        (Algorithm::ES256, Some((_, public))) => DecodingKey::from_ec_pem(public.as_bytes())?,
        (Algorithm::RS256, Some((_, public))) => DecodingKey::from_rsa_pem(public.as_bytes())?,
        _ => DecodingKey::from_secret(&SECRET),
    })
}

pub(crate) fn service(codec: JwtCodec, blacklist: &Arc<SyncedBlacklist>) -> Result<AuthService, Failure> {
    let hasher = BcryptHasher::new(4)?;
    Ok(AuthService::builder()
        .users(Arc::new(MemoryStore::new()?))
        .blacklist(blacklist.clone())
        .codec(Arc::new(codec))
        .passwords(PasswordPool::new(Arc::new(hasher), PoolOptions::default())?)
        .build()?)
}

/// A blacklist that is fresh for as long as the bench takes, with so many revoked tokens in it.
pub(crate) async fn blacklist(entries: u64) -> Result<Arc<SyncedBlacklist>, Failure> {
    let options = SyncOptions { max_staleness: Duration::from_secs(3_600), ..SyncOptions::default() };
    let blacklist = SyncedBlacklist::new(Arc::new(MemoryStore::new()?), Arc::new(SystemClock), options);
    while !blacklist.sync_step().await?.complete {}
    let now = SystemClock.now();
    for number in 0..entries {
        blacklist.note(&revocation(now, number)?);
    }
    Ok(Arc::new(blacklist))
}

/// A revoked token, its expiry anywhere within a day.
pub(crate) fn revocation(now: time::OffsetDateTime, number: u64) -> Result<Revocation, Failure> {
    Ok(Revocation {
        target: RevocationTarget::Token(TokenId::generate()?),
        expires_at: now + Duration::from_secs(number.wrapping_mul(7_919) % 86_400),
        revoked_at: now,
        reason: RevocationReason::Logout,
    })
}
