//! From OTLP/JSON to OTLP's bytes, by the tables of [`crate::schema`], without building structs.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::encoding::encode_varint;

use super::lex::{Fault, Lexer, is_number};
use crate::event;
use crate::schema::{Field, Form, Kind, Schema};
use crate::wire::MAX_DEPTH;

/// Reads base64 with or without padding; `-` and `_` have been replaced already.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What came of the text.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    pub(super) items: usize,
    pub(super) holds_events: bool,
}

/// Reads one message and nothing after it.
///
/// # Errors
/// What is wrong, and at which byte.
pub(super) fn read(schema: &'static Schema, text: &str) -> Result<Message, (Fault, usize)> {
    let mut reader = Reader {
        lexer: Lexer::new(text.as_bytes()),
        scratch: Vec::new(),
        out: Message { bytes: Vec::with_capacity(text.len() / 2), ..Message::default() },
    };
    let done = reader.message(schema, 0).and_then(|()| match reader.lexer.peek() {
        None => Ok(()),
        Some(_) => Err(Fault("something follows the value")),
    });
    done.map_err(|fault| (fault, reader.lexer.at))?;
    Ok(reader.out)
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    /// Text with escapes, unescaped.
    scratch: Vec<u8>,
    out: Message,
}

impl Reader<'_> {
    fn message(&mut self, schema: &'static Schema, depth: u32) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault("values nest too deeply"));
        }
        self.out.items += schema.items;
        self.lexer.expect(b'{', "object expected")?;
        if self.lexer.take(b'}') {
            return Ok(());
        }
        let (mut seen, mut hint) = (0, 0);
        loop {
            let name = self.lexer.string(&mut self.scratch)?;
            let found = schema.find(name, hint);
            self.lexer.expect(b':', "no `:` after a name")?;
            match found {
                // As protobuf's JSON has it, null stands for a field that is not there.
                Some(_) if self.lexer.word("null") => {}
                Some((tag, field)) => {
                    hint = tag + 1;
                    self.field(schema, tag, field, &mut seen, depth)?;
                }
                None => self.lexer.skip(&mut self.scratch, depth)?,
            }
            if !self.lexer.another(b'}')? {
                return Ok(());
            }
        }
    }

    fn field(
        &mut self,
        schema: &'static Schema,
        tag: u32,
        field: &Field,
        seen: &mut u32,
        depth: u32,
    ) -> Result<(), Fault> {
        match field.kind {
            Kind::One(inner) => {
                let bit = schema.bit(tag);
                if *seen & bit != 0 {
                    return Err(Fault("given twice"));
                }
                *seen |= bit;
                self.delimited(tag, |reader| reader.message(inner, depth + 1))
            }
            Kind::Many(inner) => {
                self.list(|reader| reader.delimited(tag, |reader| reader.message(inner, depth + 1)))
            }
            Kind::Texts => self.list(|reader| reader.text(tag, false)),
            Kind::Fixed64s | Kind::Varints => {
                self.delimited(tag, |reader| reader.list(|reader| reader.number(field.kind, field.form)))
            }
            Kind::Text | Kind::EventName => self.text(tag, matches!(field.kind, Kind::EventName)),
            Kind::Bytes => self.delimited(tag, |reader| match field.form {
                Form::Hex => reader.hex(),
                _ => reader.base64(),
            }),
            Kind::Varint | Kind::Fixed64 | Kind::Fixed32 => {
                let wire_type = match field.kind {
                    Kind::Fixed64 => 1,
                    Kind::Fixed32 => 5,
                    _ => 0,
                };
                self.key(tag, wire_type);
                self.number(field.kind, field.form)
            }
            Kind::Unknown => self.lexer.skip(&mut self.scratch, depth),
        }
    }

    fn list(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        self.lexer.expect(b'[', "list expected")?;
        if self.lexer.take(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.lexer.another(b']')? {
                return Ok(());
            }
        }
    }

    #[inline]
    fn key(&mut self, tag: u32, wire_type: u32) {
        encode_varint(u64::from(tag << 3 | wire_type), &mut self.out.bytes);
    }

    /// Writes a length and what `contents` writes. One byte is kept free for the length, which mostly is enough.
    fn delimited(
        &mut self,
        tag: u32,
        contents: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.key(tag, 2);
        let start = self.out.bytes.len();
        self.out.bytes.push(0);
        contents(self)?;
        let bytes = &mut self.out.bytes;
        let end = bytes.len();
        let len = end - start - 1;
        let mut encoded = [0; 10];
        let mut free = encoded.as_mut_slice();
        encode_varint(len as u64, &mut free);
        let width = 10 - free.len();
        if width > 1 {
            bytes.resize(end + width - 1, 0);
            bytes.copy_within(start + 1..end, start + width);
        }
        if let (Some(place), Some(encoded)) = (bytes.get_mut(start..start + width), encoded.get(..width)) {
            place.copy_from_slice(encoded);
        }
        Ok(())
    }

    #[inline]
    fn text(&mut self, tag: u32, is_event_name: bool) -> Result<(), Fault> {
        let text = self.lexer.string(&mut self.scratch)?;
        if is_event_name {
            self.out.holds_events |= text.starts_with(event::NAME_PREFIX.as_bytes());
        }
        let out = &mut self.out.bytes;
        encode_varint(u64::from(tag << 3 | 2), out);
        encode_varint(text.len() as u64, out);
        out.extend_from_slice(text);
        Ok(())
    }

    fn hex(&mut self) -> Result<(), Fault> {
        const BAD: Fault = Fault("not hexadecimal");
        let text = self.lexer.string(&mut self.scratch)?;
        let (pairs, []) = text.as_chunks::<2>() else { return Err(BAD) };
        for [high, low] in pairs {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(BAD) };
            self.out.bytes.push((high << 4 | low) as u8);
        }
        Ok(())
    }

    fn base64(&mut self) -> Result<(), Fault> {
        let text = self.lexer.string(&mut self.scratch)?;
        let standard: Vec<u8> = text
            .iter()
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                byte => *byte,
            })
            .collect();
        BASE64.decode_vec(standard, &mut self.out.bytes).map_err(|_| Fault("not base64"))
    }

    /// Reads a number or a truth value, and writes it without a key.
    fn number(&mut self, kind: Kind, form: Form) -> Result<(), Fault> {
        let bits = match form {
            Form::Bool if self.lexer.word("true") => 1,
            Form::Bool if self.lexer.word("false") => 0,
            Form::Bool => return Err(Fault("`true` or `false` expected")),
            Form::F64 => self.double()?.to_bits(),
            Form::Enum(from_name) => self.enumeration(from_name)?,
            Form::I32 => self.i32()?,
            Form::Zigzag => {
                let number = self.i32()? as i32;
                u64::from(((number << 1) ^ (number >> 31)).cast_unsigned())
            }
            Form::U32 => u64::from(u32::try_from(self.integer()?).map_err(|_| Fault("number out of range"))?),
            Form::I64 => {
                i64::try_from(self.integer()?).map_err(|_| Fault("number out of range"))?.cast_unsigned()
            }
            Form::U64 => u64::try_from(self.integer()?).map_err(|_| Fault("number out of range"))?,
            Form::Text | Form::Hex | Form::Base64 | Form::Object => return Err(Fault("number expected")),
        };
        let out = &mut self.out.bytes;
        match kind {
            Kind::Fixed64 | Kind::Fixed64s => out.extend_from_slice(&bits.to_le_bytes()),
            Kind::Fixed32 => out.extend_from_slice(&(bits as u32).to_le_bytes()),
            _ => encode_varint(bits, out),
        }
        Ok(())
    }

    /// An `i32`, as the sign-extended bits that protobuf wants.
    fn i32(&mut self) -> Result<u64, Fault> {
        let number = i32::try_from(self.integer()?).map_err(|_| Fault("number out of range"))?;
        Ok(i64::from(number).cast_unsigned())
    }

    fn enumeration(&mut self, from_name: fn(&str) -> Option<i32>) -> Result<u64, Fault> {
        if self.lexer.peek() != Some(b'"') {
            return self.i32();
        }
        let name = self.lexer.string(&mut self.scratch)?;
        let number = std::str::from_utf8(name)
            .ok()
            .and_then(|name| from_name(name).or_else(|| name.parse().ok()))
            .ok_or(Fault("unknown name"))?;
        Ok(i64::from(number).cast_unsigned())
    }

    /// A whole number, bare or as text.
    fn integer(&mut self) -> Result<i128, Fault> {
        let text = if self.lexer.peek() == Some(b'"') {
            self.lexer.string(&mut self.scratch)?
        } else {
            self.lexer.number()?
        };
        parse_integer(text).ok_or(Fault("whole number expected"))
    }

    /// A number, bare or as text.
    fn double(&mut self) -> Result<f64, Fault> {
        const BAD: Fault = Fault("number expected");
        if self.lexer.peek() != Some(b'"') {
            return parse_double(self.lexer.number()?).ok_or(BAD);
        }
        match self.lexer.string(&mut self.scratch)? {
            b"NaN" => Ok(f64::NAN),
            b"Infinity" => Ok(f64::INFINITY),
            b"-Infinity" => Ok(f64::NEG_INFINITY),
            text if is_number(text) => parse_double(text).ok_or(BAD),
            _ => Err(BAD),
        }
    }
}

fn parse_double(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A whole number; protobuf's JSON allows `1e3` and `5.0` too.
fn parse_integer(text: &[u8]) -> Option<i128> {
    /// Beyond, not every whole number is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    let mut number = 0_u64;
    for (i, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 || i > 19 {
            let double = Some(text).filter(|text| is_number(text)).and_then(parse_double)?;
            return (double == double.trunc() && double.abs() <= EXACT).then_some(double as i128);
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    let number = (!digits.is_empty()).then_some(i128::from(number))?;
    Some(if negative { -number } else { number })
}
