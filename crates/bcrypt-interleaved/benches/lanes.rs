//! One call at each width, and the `bcrypt` crate for comparison: `cargo bench -p bcrypt-interleaved`.

use bcrypt_interleaved::hash_many;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

const COSTS: [u32; 3] = [8, 10, 12];
const SALT: [u8; 16] = *b"sixteen bytes ok";
const PASSWORD: &[u8] = b"correct horse battery";

fn main() {
    divan::main();
}

#[divan::bench(args = COSTS, max_time = 2)]
fn bcrypt_crate(bencher: Bencher<'_, '_>, cost: u32) {
    bencher.counter(ItemsCount::new(1_u8)).bench(|| bcrypt::hash_with_salt(black_box(PASSWORD), cost, SALT));
}

#[divan::bench(consts = [1, 2, 3, 4], args = COSTS, max_time = 2)]
fn interleaved<const N: usize>(bencher: Bencher<'_, '_>, cost: u32) {
    bencher.counter(ItemsCount::new(N)).bench(|| hash_many(cost, black_box([(PASSWORD, SALT); N])));
}
