//! Secrets that prove themselves by a checksum or a fixed form: payment cards, bank accounts, social security numbers.

use super::super::class::{DIGIT, LETTER, class_at, digits};

/// Where the payment card's number at `at` ends: 14 to 16 digits of an issuer, at once or in groups, with the check
/// digit of ISO/IEC 7812-1 (Luhn).
pub(super) fn card(bytes: &[u8], at: usize) -> Option<usize> {
    let mut number = [0u8; 16];
    let (mut len, mut end, mut groups) = (0, at, 1);
    while let Some(byte) = bytes.get(end) {
        if byte.is_ascii_digit() {
            *number.get_mut(len)? = byte - b'0';
            len += 1;
        } else if matches!(byte, b' ' | b'-')
            && len > 0
            && len < 16
            && groups < 4
            && class_at(bytes, end + 1) == DIGIT
        {
            // Groups of four, or 4-6-5 and 4-6-4.
            if !matches!((len, groups), (4, 1) | (8, 2) | (10, 2) | (12, 3)) {
                break;
            }
            groups += 1;
        } else {
            break;
        }
        end += 1;
    }
    let digits = &number[..len];
    if groups == 2 || class_at(bytes, end) & LETTER != 0 || !is_issued(digits) || !luhn(digits) {
        return None;
    }
    Some(end)
}

/// Whether an issuer of payment cards has numbers that begin so, of this length.
fn is_issued(digits: &[u8]) -> bool {
    let Some(head) = digits.get(..4) else { return false };
    let head = head.iter().fold(0u32, |head, digit| head * 10 + u32::from(*digit));
    match digits.len() {
        14 => matches!(head / 10, 300..=305) || matches!(head / 100, 36 | 38 | 39),
        15 => matches!(head / 100, 34 | 37),
        16 => {
            matches!(head / 1000, 4)
                || matches!(head / 100, 51..=55 | 65)
                || matches!(head, 2221..=2720 | 3528..=3589 | 6011)
        }
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| match u32::from(*digit) {
            digit if i % 2 == 0 => digit,
            digit if digit > 4 => digit * 2 - 9,
            digit => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Where the US social security number at `at` ends.
pub(super) fn social_security(bytes: &[u8], at: usize) -> Option<usize> {
    let dash = |at: usize| bytes.get(at) == Some(&b'-');
    let shape = digits(bytes, at) == 3 && dash(at + 3) && digits(bytes, at + 4) == 2 && dash(at + 6);
    if !shape || digits(bytes, at + 7) != 4 || class_at(bytes, at + 11) != 0 {
        return None;
    }
    let (area, group, serial) = (&bytes[at..at + 3], &bytes[at + 4..at + 6], &bytes[at + 7..at + 11]);
    (area != b"000" && area != b"666" && area[0] != b'9' && group != b"00" && serial != b"0000")
        .then_some(at + 11)
}

/// Where the bank account's number (ISO 13616) at `at` ends; groups of four may be apart.
pub(super) fn bank_account(bytes: &[u8], at: usize) -> Option<usize> {
    let head = bytes.get(at..at + 4)?;
    if !(head[..2].iter().all(u8::is_ascii_uppercase) && head[2..].iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let (mut len, mut end) = (4, at + 4);
    let mut remainder = 0;
    while let Some(byte) = bytes.get(end) {
        if byte.is_ascii_digit() || byte.is_ascii_uppercase() {
            remainder = step(remainder, *byte);
            len += 1;
        } else if !(*byte == b' ' && len % 4 == 0 && class_at(bytes, end + 1) & (DIGIT | 2) != 0) {
            break;
        }
        if len > 34 {
            return None;
        }
        end += 1;
    }
    let remainder = head.iter().fold(remainder, |remainder, byte| step(remainder, *byte));
    (len >= 15 && remainder == 1 && class_at(bytes, end) & (LETTER | DIGIT) == 0).then_some(end)
}

/// One character of the number modulo 97; letters count as 10 to 35.
fn step(remainder: u32, byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
    }
}
