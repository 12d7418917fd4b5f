# The recipes are the steps of `.ci/run`, so that a laptop and CI do the same thing. `just` alone lists them.

[private]
default:
    @just --list

# Start the server in the development profile: http://127.0.0.1:5000/docs
serve *arguments:
    cargo run --release -- {{ arguments }}

# Every step, as CI runs them
ci:
    bash .ci/run

# Cargo.lock is what the manifests ask for
lock:
    bash .ci/run lock

# Formatting, checked
fmt:
    bash .ci/run fmt

# Formatting, applied
format:
    cargo fmt --all

# No word is misspelt
typos:
    bash .ci/run typos

# The rules between crates and between modules, and what the pages name
arrows:
    bash .ci/run arrows

# Lints, as errors
clippy:
    bash .ci/run clippy

# Every combination of the library crates' features compiles
features:
    bash .ci/run features

# The public API of every published library is the recorded one
api:
    bash .ci/run api

# Record the public APIs anew, to review the difference
api-update:
    cargo xtask api --update

# Every crate that is to be published can be packed
packages:
    bash .ci/run packages

# The documentation builds without a warning
doc:
    bash .ci/run doc

# All tests, on SQLite, PostgreSQL and MariaDB
test:
    bash .ci/run test

# One minute of mutations for everything that reads untrusted text (AUTH_TEST_FUZZ_SECONDS for each target)
fuzz:
    bash .ci/run fuzz

# Kill nodes, crash databases and cut lines, many times over (AUTH_TORTURE_ROUNDS, 50 unless set)
torture:
    bash .ci/run torture

# Licences, sources, bans and advisories of the dependencies
deny:
    bash .ci/run deny

# Chromium uses the API page
browser:
    bash .ci/run browser

# nginx asks the server about every request
gateway:
    bash .ci/run gateway

# Generated TypeScript and Python clients do the tour
clients:
    bash .ci/run clients

# Every bench, for a moment: that it runs and prints
bench-quick:
    bash .ci/run bench

# Every bench in full, with the figures and the plots of docs/PERFORMANCE.md
bench *arguments:
    cargo build --release -p auth-server -p auth-bench
    target/release/auth-bench all --json target/bench --plots docs/plots {{ arguments }}

# Instructions of a check, beside the committed figures (needs valgrind)
instructions:
    bash .ci/run instructions

# Review changed snapshots (needs cargo-insta)
review:
    cargo insta review
