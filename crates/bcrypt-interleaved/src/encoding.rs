//! bcrypt's base64: its own alphabet, most significant bits first, no padding. Only the canonical text of a value is
//! accepted.

const ALPHABET: [u8; 64] = *b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Six-bit value of each byte, or `NONE`.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        #[expect(clippy::cast_possible_truncation, reason = "below 64")]
        {
            values[ALPHABET[value] as usize] = value as u8;
        }
        value += 1;
    }
    values
};
const NONE: u8 = 0xff;

/// Fills `text` with the encoding of `bytes`; its length is `⌈8 × bytes ÷ 6⌉`.
pub(crate) fn encode(bytes: &[u8], text: &mut [u8]) {
    debug_assert_eq!(text.len(), (bytes.len() * 8).div_ceil(6));
    for (three, four) in bytes.chunks(3).zip(text.chunks_mut(4)) {
        let mut group = [0; 4];
        group[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(group);
        for (i, character) in four.iter_mut().enumerate() {
            *character = ALPHABET[(bits >> (18 - 6 * i) & 63) as usize];
        }
    }
}

/// Fills `bytes` from a text of `⌈8 × bytes ÷ 6⌉` characters; `None` for any text that [`encode`] does not write.
pub(crate) fn decode(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    debug_assert_eq!(text.len(), (bytes.len() * 8).div_ceil(6));
    for (four, three) in text.chunks(4).zip(bytes.chunks_mut(3)) {
        let mut bits = 0;
        for (i, &character) in four.iter().enumerate() {
            let value = VALUES[usize::from(character)];
            if value == NONE {
                return None;
            }
            bits |= u32::from(value) << (18 - 6 * i);
        }
        let group = bits.to_be_bytes();
        let (taken, rest) = group[1..].split_at(three.len());
        if rest.iter().any(|&byte| byte != 0) {
            return None;
        }
        three.copy_from_slice(taken);
    }
    Some(())
}
