//! A check of a follower beside one of the server, in turns.

use std::sync::Arc;

use auth_core::{SystemClock, TokenVerifier};
use auth_jwt::{JwtCodec, SigningKey};
use futures_util::FutureExt as _;

use super::snapshot;
use crate::Failure;
use crate::check::{AUDIENCE, Contestant, ED25519, ISSUER, blacklist, good, service, tokens};
use crate::figure::Figure;
use crate::options::Options;
use crate::report::Report;

/// Tokens that a codec remembers in order to forget each before it comes again.
const FEW: usize = 8;

pub(super) fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entries = options.pick(1_000_000, 1_000);
    let of_server = runtime.block_on(blacklist(entries))?;
    let (of_follower, _) = runtime.block_on(async { snapshot::follower(&snapshot::server(entries)?).await })?;
    let of_follower = Arc::new(of_follower);
    let signing = SigningKey::from_pem(ED25519.as_bytes())?;
    let whole = || JwtCodec::new(signing.clone(), ISSUER, AUDIENCE);
    let public = || JwtCodec::verify_only(ISSUER, AUDIENCE).with_verifying_key(signing.verifying_key().clone());
    let verifier = |codec| TokenVerifier::new(Arc::new(codec), of_follower.clone(), Arc::new(SystemClock));
    let tokens = tokens(&whole(), options.pick(1_024, 64))?;
    for (what, remembered, calls) in
        [("cache hit", None, options.pick(20_000, 200)), ("cache miss", Some(FEW), options.pick(1_000, 200))]
    {
        let cached = |codec: JwtCodec| match remembered {
            Some(remembered) => codec.with_cached_tokens(remembered),
            None => codec,
        };
        let server = service(cached(whole()), &of_server)?;
        let follower = verifier(cached(public()));
        let mut contestants = [
            Contestant::new("server", &tokens, calls, move |_, token| good(&server, token)),
            Contestant::new("follower", &tokens, calls, move |_, token| {
                follower.authenticate(token).now_or_never().is_some_and(|checked| checked.is_ok())
            }),
        ];
        for round in 0..=options.pick(31, 1) {
            for contestant in &mut contestants {
                contestant.run(round > 0)?;
            }
        }
        let [server, follower] = contestants.map(|contestant| contestant.samples);
        let ratio = Figure::ratio(&follower, &server);
        report.row(
            format!("check, {what}, {entries} revoked"),
            vec![
                ("server", Figure::of(&server, "ns")),
                ("follower", Figure::of(&follower, "ns")),
                ("ratio", ratio.clone()),
            ],
        );
        report.at_most(format!("{what}: a follower's check ÷ the server's"), 1.05, ratio);
    }
    Ok(())
}
