//! Inputs made from a corpus by mutation.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// Number of mutations between two looks at the time, and in a run without a time.
const BATCH: u32 = 400;

/// Upper bound of the length of an input, in bytes.
const LONGEST: usize = 64 * 1024;

/// The variable that says for how many seconds each target is tried.
const SECONDS: &str = "AUTH_TEST_FUZZ_SECONDS";

/// Calls `check` with every file of a folder of the corpus, and then with mutations of them. `words` are pieces of text that mean
/// something to the reader under test; mutations insert them.
pub(crate) fn fuzz(folder: &str, words: &[&str], check: impl Fn(&[u8]) -> Result<(), TestCaseError>) {
    let corpus = corpus(folder);
    for seed in &corpus {
        check(seed).unwrap_or_else(|error| panic!("{}: {error}", Input(seed.clone())));
    }
    let mutated = mutations(corpus, words);
    let end = std::env::var(SECONDS).ok().map(|seconds| now() + Duration::from_secs(seconds.parse().unwrap()));
    loop {
        let config = Config { cases: BATCH, failure_persistence: None, ..Config::default() };
        let mut runner = match end {
            Some(_) => TestRunner::new(config),
            None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
        };
        if let Err(failure) = runner.run(&mutated, |input| check(&input.0)) {
            panic!("{failure}");
        }
        if end.is_none_or(|end| now() >= end) {
            break;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the time bounds the search and decides nothing")]
fn now() -> Instant {
    Instant::now()
}

/// The files of a folder of the corpus, in the order of their names.
pub(crate) fn corpus(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "a target needs a corpus");
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// An input, shown as the text that it mostly is.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One change of an input. Places are counted by [`Index`], so that a change fits every length.
#[derive(Debug, Clone)]
enum Edit {
    Overwrite {
        at: Index,
        byte: u8,
    },
    Insert {
        at: Index,
        piece: Vec<u8>,
    },
    Remove {
        from: Index,
        to: Index,
    },
    Repeat {
        from: Index,
        to: Index,
        times: usize,
    },
    /// The rest becomes that of another input.
    Splice {
        at: Index,
        other: Vec<u8>,
        from: Index,
    },
}

impl Edit {
    fn apply(&self, mut input: Vec<u8>) -> Vec<u8> {
        let place = |index: &Index, length: usize| index.index(length + 1);
        let span = |from: &Index, to: &Index, length: usize| {
            let (one, other) = (place(from, length), place(to, length));
            one.min(other)..one.max(other)
        };
        match self {
            Self::Overwrite { at, byte } if !input.is_empty() => {
                let at = at.index(input.len());
                input[at] = *byte;
            }
            Self::Overwrite { byte, .. } => input.push(*byte),
            Self::Insert { at, piece } => {
                let at = place(at, input.len());
                input.splice(at..at, piece.iter().copied());
            }
            Self::Remove { from, to } => drop(input.drain(span(from, to, input.len()))),
            Self::Repeat { from, to, times } => {
                let span = span(from, to, input.len());
                let piece = input[span.clone()].repeat(*times);
                input.splice(span.end..span.end, piece);
            }
            Self::Splice { at, other, from } => {
                input.truncate(place(at, input.len()));
                input.extend_from_slice(&other[place(from, other.len())..]);
            }
        }
        input.truncate(LONGEST);
        input
    }
}

fn mutations(corpus: Vec<Vec<u8>>, words: &[&str]) -> impl Strategy<Value = Input> {
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_owned()).collect();
    let piece = prop_oneof![select(words), prop::collection::vec(any::<u8>(), 1..4)];
    let index = any::<Index>;
    let edit = prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Overwrite { at, byte }),
        (index(), piece).prop_map(|(at, piece)| Edit::Insert { at, piece }),
        (index(), index()).prop_map(|(from, to)| Edit::Remove { from, to }),
        (index(), index(), 1..40_usize).prop_map(|(from, to, times)| Edit::Repeat { from, to, times }),
        (index(), select(corpus.clone()), index()).prop_map(|(at, other, from)| Edit::Splice { at, other, from }),
    ];
    let edits = prop::collection::vec(edit, 1..6);
    (select(corpus), edits).prop_map(|(seed, edits)| Input(edits.iter().fold(seed, |input, edit| edit.apply(input))))
}

#[test]
fn a_check_that_fails_for_one_mutation_fails_the_target_with_the_smallest_input() {
    let check = |input: &[u8]| {
        prop_assert!(!input.windows(3).any(|window| window == b", x"));
        Ok(())
    };
    let failure = std::panic::catch_unwind(|| fuzz("header", &[", x"], check)).unwrap_err();
    let message = failure.downcast_ref::<String>().unwrap();
    assert!(message.contains(", x"), "{message}");
}
