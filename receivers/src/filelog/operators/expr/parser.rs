//! Reads conditions.

use regex::Regex;

use super::super::entry::Value;
use super::super::field::Field;
use super::{Compare, Expr, ExprError};

/// Reads a condition from left to right.
pub(super) struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    depth: usize,
}

/// Conditions nest no deeper.
const MAX_DEPTH: usize = 64;

impl<'a> Parser<'a> {
    fn unexpected(&self, expected: &'static str) -> ExprError {
        let found = if self.rest.is_empty() { "the end" } else { self.rest };
        ExprError::Unexpected { expected, found: found.to_owned(), text: self.text.to_owned() }
    }

    fn skip(&mut self, len: usize) {
        self.rest = self.rest[len..].trim_start();
    }

    /// Takes a sign such as `&&`.
    fn sign(&mut self, sign: &str) -> bool {
        let found = self.rest.starts_with(sign);
        if found {
            self.skip(sign.len());
        }
        found
    }

    /// The word that comes next, if one does.
    fn peek_word(&self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        &self.rest[..end]
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == word;
        if found {
            self.skip(word.len());
        }
        found
    }

    /// The whole condition.
    pub(super) fn whole(text: &'a str) -> Result<Expr, ExprError> {
        let mut parser = Self { text, rest: text.trim_start(), depth: 0 };
        let expr = parser.any()?;
        if parser.rest.is_empty() { Ok(expr) } else { Err(parser.unexpected("the end or an operator")) }
    }

    fn any(&mut self) -> Result<Expr, ExprError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.unexpected("fewer parentheses"));
        }
        let mut left = self.all()?;
        while self.sign("||") || self.word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.all()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn all(&mut self) -> Result<Expr, ExprError> {
        let mut left = self.one()?;
        while self.sign("&&") || self.word("and") {
            left = Expr::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Expr, ExprError> {
        let is_negated = (self.rest.starts_with('!') && !self.rest.starts_with("!=") && self.sign("!"))
            || self.word("not");
        if is_negated {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.unexpected("fewer negations"));
            }
            let inner = self.one()?;
            self.depth -= 1;
            return Ok(Expr::Not(Box::new(inner)));
        }
        let left = self.operand()?;
        let is_negated = self.peek_word() == "not" && self.word("not");
        let compared = if self.word("matches") {
            let pattern = match self.operand()? {
                Expr::Value(Value::String(text)) => Regex::new(&config::re2(&text))?,
                _ => return Err(self.unexpected("a text after `matches`")),
            };
            Expr::Matches(Box::new(left), Box::new(pattern))
        } else if let Some(compare) = self.compare() {
            Expr::Compare(Box::new(left), compare, Box::new(self.operand()?))
        } else if is_negated {
            return Err(self.unexpected("`matches`, `in` or another comparison after `not`"));
        } else {
            left
        };
        Ok(if is_negated { Expr::Not(Box::new(compared)) } else { compared })
    }

    fn compare(&mut self) -> Option<Compare> {
        const SIGNS: [(&str, Compare); 6] = [
            ("==", Compare::Equal),
            ("!=", Compare::NotEqual),
            ("<=", Compare::LessOrEqual),
            (">=", Compare::GreaterOrEqual),
            ("<", Compare::Less),
            (">", Compare::Greater),
        ];
        const WORDS: [(&str, Compare); 4] = [
            ("in", Compare::In),
            ("contains", Compare::Contains),
            ("startsWith", Compare::StartsWith),
            ("endsWith", Compare::EndsWith),
        ];
        let sign = SIGNS.into_iter().find(|(sign, _)| self.sign(sign));
        sign.or_else(|| WORDS.into_iter().find(|(word, _)| self.word(word))).map(|(_, compare)| compare)
    }

    fn operand(&mut self) -> Result<Expr, ExprError> {
        match self.rest.chars().next() {
            Some('(') => {
                self.skip(1);
                let inner = self.any()?;
                if self.sign(")") { Ok(inner) } else { Err(self.unexpected("`)`")) }
            }
            Some('[') => self.list(),
            Some(quote @ ('"' | '\'' | '`')) => {
                self.string(quote).map(|text| Expr::Value(Value::String(text.into())))
            }
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            _ => self.name(),
        }
    }

    fn list(&mut self) -> Result<Expr, ExprError> {
        self.skip(1);
        let mut items = Vec::new();
        while !self.sign("]") {
            items.push(self.operand()?);
            if !self.sign(",") && !self.rest.starts_with(']') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
        Ok(Expr::List(items))
    }

    fn string(&mut self, quote: char) -> Result<String, ExprError> {
        let mut text = String::new();
        let mut chars = self.rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.skip(1 + at + 1);
                    return Ok(text);
                }
                '\\' if quote != '`' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, c @ ('\\' | '"' | '\''))) => text.push(c),
                    // The collector refuses other escapes; so does a reader who expects them to mean something.
                    _ => {
                        return Err(
                            self.unexpected("one of the escapes \\n, \\t, \\r, \\\\, \\\" and \\' only")
                        );
                    }
                },
                c => text.push(c),
            }
        }
        Err(self.unexpected("the end of the text"))
    }

    fn number(&mut self) -> Result<Expr, ExprError> {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | 'e' | 'E' | '+');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let text = &self.rest[..end];
        let int = text.parse().map(Value::Int).ok();
        let value = int
            .or_else(|| text.parse().map(Value::Double).ok())
            .ok_or_else(|| self.unexpected("a number"))?;
        self.skip(end);
        Ok(Expr::Value(value))
    }

    fn name(&mut self) -> Result<Expr, ExprError> {
        const EXPECTED: &str = "a field (`body`, `attributes`, `resource`, `severity_text`, `severity_number`), a text, \
            a number, `true`, `false`, `nil`, `len(...)` or `type(...)`";
        let word = self.peek_word();
        let value = match word {
            "true" => Expr::Value(Value::Bool(true)),
            "false" => Expr::Value(Value::Bool(false)),
            "nil" => Expr::Value(Value::Null),
            "severity_text" => Expr::SeverityText,
            "severity_number" => Expr::SeverityNumber,
            "len" | "type" => {
                self.skip(word.len());
                if !self.rest.starts_with('(') {
                    return Err(self.unexpected("`(`"));
                }
                let inner = Box::new(self.operand()?);
                return Ok(if word == "len" { Expr::Len(inner) } else { Expr::Type(inner) });
            }
            _ => return self.field(EXPECTED),
        };
        self.skip(word.len());
        Ok(value)
    }

    fn field(&mut self, expected: &'static str) -> Result<Expr, ExprError> {
        let mut end = 0;
        let bytes = self.rest.as_bytes();
        let mut quote = None;
        while let Some(byte) = bytes.get(end) {
            match (quote, byte) {
                (Some(open), byte) if open == *byte => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') if end > 0 && bytes[end - 1] == b'[' => quote = Some(*byte),
                (None, byte) if byte.is_ascii_alphanumeric() || b"_.[]?$".contains(byte) => {}
                (None, _) => break,
            }
            end += 1;
        }
        // What is missing is nil here anyway, so `?.` is `.`.
        let text = self.rest[..end].replace("?.", ".");
        // A list or a parenthesis may be closed right behind the field.
        let n_open = text.matches('[').count();
        let extra = text.matches(']').count().saturating_sub(n_open);
        let field: Field = text[..text.len() - extra].parse().map_err(|_| self.unexpected(expected))?;
        self.skip(end - extra);
        Ok(Expr::Field(field))
    }
}
