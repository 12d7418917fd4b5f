//! Hashes per second on one thread: the `bcrypt` crate and this one with 1 to 4 lanes.
//!
//! ```text
//! taskset -c 1 cargo run --release -p bcrypt-interleaved --example throughput -- 10 15
//! ```
//!
//! The arguments are the cost (default 12) and the number of rounds (default 15). Every round measures all five in
//! turn, so that other load on the machine affects all alike. The output is the median of the rounds, and the median of
//! each round's ratio to the crate.
#![expect(clippy::disallowed_methods, reason = "it measures durations")]
#![expect(clippy::print_stdout, reason = "an example that prints a table")]

use std::env::args;
use std::hint::black_box;
use std::time::Instant;

use bcrypt_interleaved::hash_many;

const SALT: [u8; 16] = *b"sixteen bytes ok";
const PASSWORD: &[u8] = b"correct horse battery";

/// Function that returns the hashes per second at a cost.
type Measure = fn(u32) -> f64;

fn main() {
    let mut arguments = args().skip(1).map(|text| text.parse().expect("a number"));
    let cost = arguments.next().unwrap_or(12);
    let rounds = arguments.next().unwrap_or(15);
    let contestants: [(&str, Measure); 5] = [
        ("bcrypt crate", reference),
        ("1 lane", lanes::<1>),
        ("2 lanes", lanes::<2>),
        ("3 lanes", lanes::<3>),
        ("4 lanes", lanes::<4>),
    ];

    let mut rates = [const { Vec::new() }; 5];
    for _ in 0..=rounds {
        for (rates, (_, rate)) in rates.iter_mut().zip(contestants) {
            rates.push(rate(cost));
        }
    }
    println!("cost {cost}, {rounds} rounds, medians\n");
    println!("| | hashes/s | ms | × crate |\n|---|---|---|---|");
    for (width, (name, _)) in contestants.into_iter().enumerate() {
        // The first round warms up.
        let rate = median(rates[width][1..].to_vec());
        let ratio = median(rates[width].iter().zip(&rates[0]).skip(1).map(|(ours, crates)| ours / crates).collect());
        let lanes = f64::from(u8::try_from(width.max(1)).expect("at most 4"));
        println!("| {name} | {rate:.2} | {:.1} | {ratio:.2} |", 1000.0 * lanes / rate);
    }
}

fn reference(cost: u32) -> f64 {
    timed(1.0, || {
        let _ = black_box(bcrypt::hash_with_salt(black_box(PASSWORD), cost, SALT));
    })
}

fn lanes<const N: usize>(cost: u32) -> f64 {
    let hashes = f64::from(u8::try_from(N).expect("at most 4"));
    timed(hashes, || {
        let _ = black_box(hash_many(cost, black_box([(PASSWORD, SALT); N])));
    })
}

/// Returns the hashes per second, measured over at least a tenth of a second.
fn timed(hashes: f64, mut call: impl FnMut()) -> f64 {
    let (start, mut done) = (Instant::now(), 0.0);
    loop {
        call();
        done += hashes;
        let seconds = start.elapsed().as_secs_f64();
        if seconds > 0.1 {
            return done / seconds;
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
