//! The eksblowfish kernel: N independent computations of one cost, advanced in step.
//!
//! A Blowfish round cannot start before the previous one has ended. It extracts a byte, reads a table, adds twice and
//! does two exclusive-ors. That takes some ten cycles, in which a modern core could do four times as much. Here each
//! round is done for every lane before the next round begins in any lane. So the core always has N independent chains
//! of instructions to choose from.

use core::array::from_fn;

use zeroize::{Zeroize, Zeroizing};

use crate::tables;
use crate::{Digest, MAX_PASSWORD_LEN, Salt};

/// Number of round keys in one Blowfish state. One expansion consumes as many words of key material.
const ROUND_KEYS: usize = 18;

/// `OrpheanBeholderScryDoubt`, in words.
const MAGIC: [[u32; 2]; 3] = [[0x4f72_7068, 0x6561_6e42], [0x6568_6f6c, 0x6465_7253], [0x6372_7944, 0x6f75_6274]];

/// One word (left or right half, key word) of every lane.
type Lanes<const N: usize> = [u32; N];

/// One Blowfish state. The lanes follow one another in memory, so that one base register and constant offsets reach
/// every table of every lane.
struct Blowfish {
    s: [[u32; 256]; 4],
    p: [u32; ROUND_KEYS],
}

impl Blowfish {
    const INITIAL: Self = Self { s: tables::S, p: tables::P };

    /// Blowfish's function F. An index of one byte into 256 words needs no bounds check.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the lanes only overlap when nothing is called between them")]
    fn f(&self, half: u32) -> u32 {
        let byte = |shift: u32| ((half >> shift) & 0xff) as usize;
        (self.s[0][byte(24)].wrapping_add(self.s[1][byte(16)]) ^ self.s[2][byte(8)]).wrapping_add(self.s[3][byte(0)])
    }
}

/// N Blowfish states, which are zeroed when dropped.
#[repr(align(64))]
struct State<const N: usize>([Blowfish; N]);

impl<const N: usize> Drop for State<N> {
    fn drop(&mut self) {
        for lane in &mut self.0 {
            lane.s.zeroize();
            lane.p.zeroize();
        }
    }
}

impl<const N: usize> State<N> {
    /// Encrypts one block in every lane.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the halves stay in registers only when this is inlined")]
    #[expect(
        clippy::needless_range_loop,
        reason = "one shape for every loop over lanes, and no iterator left uninlined"
    )]
    fn encrypt(&self, l: &mut Lanes<N>, r: &mut Lanes<N>) {
        for lane in 0..N {
            l[lane] ^= self.0[lane].p[0];
        }
        self.two_rounds::<1>(l, r);
        self.two_rounds::<3>(l, r);
        self.two_rounds::<5>(l, r);
        self.two_rounds::<7>(l, r);
        self.two_rounds::<9>(l, r);
        self.two_rounds::<11>(l, r);
        self.two_rounds::<13>(l, r);
        self.two_rounds::<15>(l, r);
        for lane in 0..N {
            (l[lane], r[lane]) = (r[lane] ^ self.0[lane].p[17], l[lane]);
        }
    }

    /// Computes two rounds in every lane, with their round keys.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn two_rounds<const KEY: usize>(&self, l: &mut Lanes<N>, r: &mut Lanes<N>) {
        for lane in 0..N {
            r[lane] ^= self.0[lane].p[KEY];
            r[lane] ^= self.0[lane].f(l[lane]);
        }
        for lane in 0..N {
            l[lane] ^= self.0[lane].p[KEY + 1];
            l[lane] ^= self.0[lane].f(r[lane]);
        }
    }

    /// Computes `ExpandKey` without a salt.
    #[inline(never)]
    fn expand(&mut self, key: &[[u32; ROUND_KEYS]; N]) {
        self.mix(key);
        let (mut l, mut r) = ([0; N], [0; N]);
        for i in 0..ROUND_KEYS / 2 {
            self.encrypt(&mut l, &mut r);
            for lane in 0..N {
                self.0[lane].p[2 * i] = l[lane];
                self.0[lane].p[2 * i + 1] = r[lane];
            }
        }
        for i in 0..4 {
            for j in 0..128 {
                self.encrypt(&mut l, &mut r);
                for lane in 0..N {
                    self.0[lane].s[i][2 * j] = l[lane];
                    self.0[lane].s[i][2 * j + 1] = r[lane];
                }
            }
        }
    }

    /// Computes `ExpandKey` with a salt, once per hash.
    fn expand_salted(&mut self, salt: &[[u32; 4]; N], key: &[[u32; ROUND_KEYS]; N]) {
        self.mix(key);
        let (mut l, mut r) = ([0; N], [0; N]);
        for block in 0..ROUND_KEYS / 2 + 4 * 128 {
            let half = 2 * (block % 2);
            for lane in 0..N {
                l[lane] ^= salt[lane][half];
                r[lane] ^= salt[lane][half + 1];
            }
            self.encrypt(&mut l, &mut r);
            for lane in 0..N {
                let state = &mut self.0[lane];
                let pair = match block.checked_sub(ROUND_KEYS / 2) {
                    None => &mut state.p[2 * block..][..2],
                    Some(at) => &mut state.s[at / 128][at % 128 * 2..][..2],
                };
                pair.copy_from_slice(&[l[lane], r[lane]]);
            }
        }
    }

    fn mix(&mut self, key: &[[u32; ROUND_KEYS]; N]) {
        for (state, key) in self.0.iter_mut().zip(key) {
            for (p, k) in state.p.iter_mut().zip(key) {
                *p ^= k;
            }
        }
    }
}

/// Computes bcrypt of N passwords of at most [`MAX_PASSWORD_LEN`] bytes with N salts, at one cost.
///
/// The caller has checked the lengths and the cost. `pause` is called after each of the 2^cost iterations.
pub(crate) fn bcrypt<const N: usize>(cost: u32, inputs: &[(&[u8], Salt); N], pause: &mut dyn FnMut()) -> [Digest; N] {
    let mut key = Zeroizing::new([[0; ROUND_KEYS]; N]);
    for (key, (password, _)) in key.iter_mut().zip(inputs) {
        expand_password(password, key);
    }
    let salt: [[u32; 4]; N] = from_fn(|lane| from_fn(|i| word(&inputs[lane].1[4 * i..])));
    let salt_key: [[u32; ROUND_KEYS]; N] = from_fn(|lane| from_fn(|i| salt[lane][i % 4]));

    let mut state = State([const { Blowfish::INITIAL }; N]);
    state.expand_salted(&salt, &key);
    for _ in 0..1_u64 << cost {
        state.expand(&key);
        state.expand(&salt_key);
        pause();
    }
    state.digests()
}

impl<const N: usize> State<N> {
    /// Encrypts the magic text 64 times and keeps the 23 of the 24 bytes that bcrypt uses.
    fn digests(&self) -> [Digest; N] {
        let mut out = Zeroizing::new([[0; 24]; N]);
        for (block, magic) in MAGIC.into_iter().enumerate() {
            let (mut l, mut r) = ([magic[0]; N], [magic[1]; N]);
            for _ in 0..64 {
                self.encrypt(&mut l, &mut r);
            }
            for lane in 0..N {
                out[lane][8 * block..][..4].copy_from_slice(&l[lane].to_be_bytes());
                out[lane][8 * block + 4..][..4].copy_from_slice(&r[lane].to_be_bytes());
            }
        }
        from_fn(|lane| from_fn(|i| out[lane][i]))
    }
}

/// Writes the password with its terminating NUL, cut at 72 bytes and repeated cyclically over 18 words.
fn expand_password(password: &[u8], key: &mut [u32; ROUND_KEYS]) {
    let period = (password.len() + 1).min(MAX_PASSWORD_LEN);
    for (i, word) in key.iter_mut().enumerate() {
        for at in 4 * i..4 * i + 4 {
            let byte = password.get(at % period).copied().unwrap_or(0);
            *word = *word << 8 | u32::from(byte);
        }
    }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
