//! Numbers in base 62: no letter that a shell, a URL or a double click would break at.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A big-endian number of `N` bytes, with leading zeros up to `width` digits.
pub(super) fn of_bytes<const N: usize>(mut number: [u8; N], width: usize) -> String {
    let mut digits = vec![0; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::from(divide(&mut number))];
    }
    String::from_utf8(digits).expect("digits are ASCII")
}

/// Divides by 62 in place and returns the rest.
fn divide(number: &mut [u8]) -> u8 {
    let mut rest: u16 = 0;
    for byte in number {
        let part = rest * 256 + u16::from(*byte);
        *byte = u8::try_from(part / 62).expect("the rest before was below 62");
        rest = part % 62;
    }
    u8::try_from(rest).expect("below 62")
}

/// Whether a text has no other letters.
pub(super) fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_leading_zeros() {
        assert_eq!(of_bytes([0, 61], 3), "00z");
        assert_eq!(of_bytes([0, 62], 3), "010");
        assert_eq!(of_bytes([1, 0], 3), "048");
        assert_eq!(of_bytes(u32::MAX.to_be_bytes(), 6), "4gfFC3");
    }

    #[test]
    fn the_largest_numbers_fit_their_digits() {
        let mut number = [0xff; 32];
        for _ in 0..43 {
            divide(&mut number);
        }
        assert_eq!(number, [0; 32]);
    }
}
