//! Secrets by what stands before them: a key such as `password=`, a scheme such as `Bearer`, a PEM header.

use super::super::class::is_space;
use super::super::scan::Scanner;

/// The longest name of a key that is looked at.
const LONGEST: usize = 64;

/// What a key says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// Whatever is there is secret.
    Password,
    /// A secret unless it is a placeholder or a count.
    Token,
    /// A secret only if it looks like one: the name has other uses too.
    Weak,
    /// A scheme and a secret, or one of them.
    Authorization,
    /// Everything up to the end of the line.
    Cookie,
}

/// Whether a key's value is a secret, by the key's name.
pub(in super::super) fn is_key(name: &[u8]) -> bool {
    key(name).is_some()
}

/// Whether a name ends as one of the names below does: most words do not.
fn may_be_key(name: &[u8]) -> bool {
    let [.., before, last] = name else { return false };
    match last | 0x20 {
        b'd' => matches!(before | 0x20, b'r' | b'w' | b'i'),
        b'e' => matches!(before | 0x20, b's' | b'd' | b'i' | b'r'),
        b't' => matches!(before | 0x20, b'r' | b'e' | b'w'),
        b'n' => matches!(before | 0x20, b'i' | b'e' | b'o'),
        b's' => matches!(before | 0x20, b's' | b'l'),
        b'y' | b'l' | b'h' | b'g' | b'w' | b'p' => matches!(before | 0x20, b'e' | b'a' | b't' | b'i' | b'p'),
        _ => false,
    }
}

/// What the name of a key says. Case and joiners do not matter.
fn key(name: &[u8]) -> Option<Key> {
    if !may_be_key(name) {
        return None;
    }
    let mut buffer = [0; LONGEST];
    let mut len = 0;
    for byte in name.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        *buffer.get_mut(len)? = byte.to_ascii_lowercase();
        len += 1;
    }
    let text = &buffer[..len];
    const PASSWORDS: [&[u8]; 8] =
        [b"password", b"passwd", b"passphrase", b"passcode", b"passwort", b"userpass", b"dbpass", b"pswd"];
    const TOKENS: [&[u8]; 24] = [
        b"secret",
        b"token",
        b"apikey",
        b"secretkey",
        b"accesskey",
        b"privatekey",
        b"accountkey",
        b"encryptionkey",
        b"signingkey",
        b"authkey",
        b"licensekey",
        b"masterkey",
        b"sharedaccesskey",
        b"credential",
        b"credentials",
        b"appkey",
        b"applicationkey",
        b"clientkey",
        b"apisecret",
        b"sharedkey",
        b"sessionkey",
        b"servicekey",
        b"sharedaccesssignature",
        b"webhookkey",
    ];
    let ends = |list: &[&[u8]]| list.iter().any(|word| text.ends_with(word));
    match text {
        b"pass" | b"pwd" | b"pw" | b"pin" if name != b"PWD" => Some(Key::Password),
        b"sig" | b"jwt" | b"auth" | b"sessionid" | b"phpsessid" | b"jsessionid" | b"xamzsignature"
        | b"otp" => Some(Key::Weak),
        b"cookie" | b"setcookie" => Some(Key::Cookie),
        _ if text.ends_with(b"authorization") => Some(Key::Authorization),
        _ if ends(&PASSWORDS) || text.ends_with(b"pwd") && name != b"PWD" => Some(Key::Password),
        _ if text.ends_with(b"pass")
            && matches!(name.get(name.len().wrapping_sub(5)), Some(b'_' | b'-' | b'.')) =>
        {
            Some(Key::Password)
        }
        _ if ends(&TOKENS) => Some(Key::Token),
        _ => None,
    }
}

/// How a value is joined to its key.
#[derive(Clone, Copy)]
struct Join {
    /// Where the value begins.
    at: usize,
    /// What closes it, if it is quoted.
    quote: Option<u8>,
    /// Whether the quotes are themselves escaped, as in JSON within JSON.
    is_escaped: bool,
    /// Whether a colon and a blank joined it, as in prose.
    is_prose: bool,
}

impl Scanner<'_> {
    /// The secret that the word `start..end` announces. Returns where to go on, past the secret.
    #[inline]
    pub(in super::super) fn secret_after(&mut self, start: usize, end: usize) -> Option<usize> {
        match self.bytes.get(end)? {
            b' ' if matches!(self.bytes.get(end + 1), Some(b'=' | b':')) => self.keyed(start, end),
            b' ' => {
                let may_announce =
                    matches!(self.bytes[start], b'b' | b'B') || start > 0 && self.bytes[start - 1] == b'-';
                if may_announce { self.announced(start, end) } else { None }
            }
            b'=' | b':' | b'"' | b'\'' | b'\\' | b']' => self.keyed(start, end),
            _ => None,
        }
    }

    fn keyed(&mut self, start: usize, end: usize) -> Option<usize> {
        let name = &self.bytes[start..end];
        let kind = key(name)?;
        let join = self.join(end)?;
        let stop = self.value_end(join, kind);
        let value = &self.bytes[join.at..stop];
        match kind {
            Key::Authorization => return self.authorization(start, end, join, stop),
            Key::Password if !(is_placeholder(value) || value.starts_with(b"/") && name.len() < 4) => {}
            // `token=Token{...}` is a structure with that name.
            Key::Token if matches!(self.bytes.get(stop), Some(b'{' | b'(' | b'[')) => return None,
            Key::Token if !is_placeholder(value) && looks_secret(value, join.is_prose) => {}
            Key::Weak if !is_placeholder(value) && looks_secret(value, true) => {}
            Key::Cookie if value.len() >= 4 => {}
            _ => return None,
        }
        self.word(start, end);
        Some(self.secret_part(join.at, stop, if kind == Key::Password { "password" } else { "keyed_secret" }))
    }

    /// What joins a value to the key that ends at `end`.
    fn join(&self, end: usize) -> Option<Join> {
        let bytes = self.bytes;
        let mut at = end;
        while matches!(bytes.get(at), Some(b'"' | b'\'' | b']' | b'\\')) && at < end + 3 {
            at += 1;
        }
        let blank = |mut at: usize| {
            while bytes.get(at) == Some(&b' ') {
                at += 1;
            }
            at
        };
        at = blank(at);
        let separator = *bytes.get(at)?;
        at += match (separator, bytes.get(at + 1)) {
            (b'=', Some(b'>')) | (b':', Some(b'=')) => 2,
            (b'=' | b':', _) => 1,
            _ => return None,
        };
        let is_prose = separator == b':' && bytes.get(at) == Some(&b' ') && bytes[end] == b':';
        at = blank(at);
        let is_escaped = bytes.get(at) == Some(&b'\\') && matches!(bytes.get(at + 1), Some(b'"' | b'\''));
        at += usize::from(is_escaped);
        let quote = bytes.get(at).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
        at += usize::from(quote.is_some());
        (at < bytes.len()).then_some(Join { at, quote, is_escaped, is_prose })
    }

    /// Where the value ends.
    fn value_end(&self, join: Join, kind: Key) -> usize {
        let rest = &self.bytes[join.at..];
        if let Some(quote) = join.quote {
            let mut escaped = false;
            for (i, byte) in rest.iter().enumerate() {
                match byte {
                    b'\\' if join.is_escaped => return join.at + i,
                    b'\\' => escaped = !escaped,
                    byte if *byte == quote && !escaped => return join.at + i,
                    _ => escaped = false,
                }
            }
            return self.bytes.len();
        }
        let ends = |byte: &u8| match kind {
            Key::Cookie => matches!(byte, b'\n' | b'\r' | b'"'),
            Key::Token | Key::Weak if matches!(byte, b'{' | b'(' | b'[') => true,
            _ => {
                is_space(*byte)
                    || matches!(
                        byte,
                        b',' | b';' | b'&' | b')' | b']' | b'}' | b'"' | b'\'' | b'<' | b'>' | b'|'
                    )
            }
        };
        rest.iter().position(ends).map_or(self.bytes.len(), |len| join.at + len)
    }

    /// `Authorization: Bearer x`, `authorization: x`.
    fn authorization(&mut self, start: usize, end: usize, join: Join, stop: usize) -> Option<usize> {
        let after = |at: usize| (self.bytes.get(at) == Some(&b' ')).then_some(at + 1);
        let (from, until) = match after(stop) {
            Some(at) if is_scheme(&self.bytes[join.at..stop]) => {
                let plain =
                    |byte: &u8| is_space(*byte) || matches!(byte, b'"' | b'\'' | b',' | b')' | b']' | b'}');
                (at, self.bytes[at..].iter().position(plain).map_or(self.bytes.len(), |len| at + len))
            }
            _ => (join.at, stop),
        };
        let value = &self.bytes[from..until];
        if is_placeholder(value) || from == join.at && !looks_secret(value, true) {
            return None;
        }
        self.word(start, end);
        if from > join.at {
            self.word(join.at, stop.min(from - 1));
        }
        Some(self.secret_part(from, until, "authorization"))
    }

    /// What a word and a blank announce: `Bearer x`, `--password x`, `-u user:x`, a PEM block.
    fn announced(&mut self, start: usize, end: usize) -> Option<usize> {
        let bytes = self.bytes;
        let word = &bytes[start..end];
        let at = end + 1;
        let dashes = start - bytes[..start].iter().rposition(|byte| *byte != b'-').map_or(0, |last| last + 1);
        if dashes == 5 && word == b"BEGIN" {
            return self.pem(start - 5);
        }
        let is_bearer = word.eq_ignore_ascii_case(b"bearer");
        let is_basic = word.eq_ignore_ascii_case(b"basic");
        if is_bearer || is_basic {
            let allowed = |byte: &u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'+' | b'/' | b'-' | b'=')
            };
            let len = bytes[at..].iter().position(|byte| !allowed(byte)).unwrap_or(bytes.len() - at);
            let value = &bytes[at..at + len];
            let random =
                value.iter().any(u8::is_ascii_digit) || value.iter().skip(1).any(u8::is_ascii_uppercase);
            if len < if is_basic { 8 } else { 12 } || !random {
                return None;
            }
            self.word(start, end);
            return Some(self.secret_part(
                at,
                at + len,
                if is_basic { "basic_auth" } else { "bearer_token" },
            ));
        }
        let is_option = match dashes {
            2 => matches!(key(word), Some(Key::Password | Key::Token)),
            1 => false,
            _ => return None,
        };
        let len = bytes[at..].iter().position(|byte| is_space(*byte)).unwrap_or(bytes.len() - at);
        let value = &bytes[at..at + len];
        if is_option && !value.starts_with(b"-") && !is_placeholder(value) {
            self.word(start, end);
            return Some(self.secret_part(at, at + len, "option"));
        }
        let colon = value.iter().position(|byte| *byte == b':');
        if dashes == 1
            && word == b"u"
            && let Some(colon) = colon.filter(|colon| *colon > 0 && colon + 1 < len)
        {
            self.word(start, end);
            self.word(at, at + colon);
            return Some(self.secret_part(at + colon + 1, at + len, "option"));
        }
        None
    }

    /// A private key in PEM, from its header to its footer or the end of the text.
    fn pem(&mut self, start: usize) -> Option<usize> {
        let rest = &self.bytes[start..];
        let header = &rest[..rest.len().min(64)];
        memchr::memmem::find(header, b"PRIVATE KEY")?;
        let footer = memchr::memmem::find(rest, b"-----END ")
            .and_then(|at| memchr::memmem::find(&rest[at + 9..], b"-----").map(|len| at + 9 + len + 5));
        let end = start + footer.unwrap_or(rest.len());
        Some(self.secret_part(start, end, "private_key"))
    }
}

fn is_scheme(word: &[u8]) -> bool {
    [
        &b"bearer"[..],
        b"basic",
        b"token",
        b"digest",
        b"apikey",
        b"negotiate",
        b"aws4-hmac-sha256",
        b"key",
        b"ntlm",
    ]
    .iter()
    .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether a value says that there is no secret: empty, a word for it, or one that was taken out before.
fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 22] = [
        b"true",
        b"false",
        b"null",
        b"none",
        b"nil",
        b"undefined",
        b"yes",
        b"no",
        b"on",
        b"off",
        b"empty",
        b"required",
        b"missing",
        b"invalid",
        b"expired",
        b"unknown",
        b"redacted",
        b"hidden",
        b"masked",
        b"optional",
        b"ok",
        b"set",
    ];
    let Some(first) = value.first() else { return true };
    // What ends a value may have cut the closing bracket off.
    let is_name = |name: &[u8]| {
        let plain = name.strip_suffix(b"}").or_else(|| name.strip_suffix(b"%")).unwrap_or(name);
        plain.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.' | b' '))
    };
    let is_shouted = |name: &[u8]| {
        !name.is_empty()
            && name.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'0'..=b'9'))
    };
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        || value.starts_with(b"***")
        || value.iter().all(|byte| matches!(byte, b'x' | b'X' | b'*' | b'.' | b'-'))
        || match first {
            b'<' | b'{' | b'[' | b'(' => is_name(value[1..].strip_prefix(b"{").unwrap_or(&value[1..])),
            b'$' => match value.get(1) {
                Some(b'{' | b'(') => is_name(&value[2..]),
                _ => is_shouted(&value[1..]),
            },
            b'%' => value.len() <= 3 || value.ends_with(b"%") && is_name(&value[1..]),
            _ => false,
        }
}

/// Whether the value of a key that says `token` is one, or just a word or a count.
fn looks_secret(value: &[u8], is_prose: bool) -> bool {
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let is_count = value.iter().all(u8::is_ascii_digit) && value.len() < 6;
    // `com.example.Proxy`, `com.example.Proxy@2bd79ce`.
    let is_class = value.contains(&b'.') && (!has_digit || value.contains(&b'@'));
    !is_count
        && if is_prose {
            value.len() >= 6 && has_digit && !is_class || value.len() >= 20 && !is_class
        } else {
            value.len() >= 4
        }
}
