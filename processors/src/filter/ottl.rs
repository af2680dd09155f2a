//! The CEL form of simple OTTL conditions, for error messages.

/// `condition` with OTTL's words replaced by CEL's, if it has any.
pub(super) fn to_cel(condition: &str) -> Option<String> {
    let tokens = tokens(condition);
    let cel = replace_calls(&replace_words(&tokens))?.trim().to_owned();
    (cel != condition.trim()).then_some(cel)
}

/// Words, texts in quotes, and everything else as it stands.
fn tokens(condition: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = condition;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let end = if first == '"' {
            quoted(rest)
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if first == ' ' {
            rest.find(|c| c != ' ').unwrap_or(rest.len())
        } else if rest.starts_with("==") || rest.starts_with("!=") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    tokens
}

/// The length of the quoted text at the start of `text`.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

fn replace_words(tokens: &[String]) -> Vec<String> {
    let mut replaced: Vec<String> = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        match tokens[i].as_str() {
            "and" => replaced.push("&&".to_owned()),
            "or" => replaced.push("||".to_owned()),
            "not" => {
                replaced.push("!".to_owned());
                // CEL wants no space after it.
                i += usize::from(tokens.get(i + 1).is_some_and(|token| token.trim().is_empty()));
            }
            operator @ ("==" | "!=") if next_word(tokens, i) == Some("nil") => {
                absence(&mut replaced, operator == "==");
                i = tokens.iter().skip(i).position(|token| token == "nil").map_or(i, |offset| i + offset);
            }
            word => replaced.push(word.replace("instrumentation_scope", "scope")),
        }
        i += 1;
    }
    replaced
}

fn next_word(tokens: &[String], i: usize) -> Option<&str> {
    tokens.iter().skip(i + 1).map(|token| token.trim()).find(|token| !token.is_empty())
}

/// Turns `map["key"]`, which ends `replaced`, into `"key" in map`, or the negation of it.
fn absence(replaced: &mut Vec<String>, absent: bool) {
    while replaced.last().is_some_and(|token| token.trim().is_empty()) {
        replaced.pop();
    }
    let [.., map, open, key, close] = replaced.as_slice() else { return };
    if open != "[" || close != "]" {
        return;
    }
    let test = format!("({key} in {map})");
    let test = if absent { format!("!{test}") } else { test };
    replaced.truncate(replaced.len() - 4);
    replaced.push(test);
}

/// `IsMatch(a, b)` becomes `a.matches(b)`. Other functions of OTTL have no counterpart here.
fn replace_calls(tokens: &[String]) -> Option<String> {
    let mut text = String::new();
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i] != "IsMatch" {
            text.push_str(&tokens[i]);
            i += 1;
            continue;
        }
        let (arguments, length) = arguments(&tokens[i + 1..])?;
        let [subject, pattern] = arguments.as_slice() else { return None };
        text.push_str(&format!("{}.matches({})", subject.trim(), pattern.trim()));
        i += 1 + length;
    }
    Some(text)
}

/// The arguments of a call whose tokens begin with `(`, and how many tokens they take.
fn arguments(tokens: &[String]) -> Option<(Vec<String>, usize)> {
    let mut arguments = vec![String::new()];
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.checked_sub(1)?,
            "," if depth == 1 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            return (i > 0).then_some((arguments, i + 1));
        }
        if i > 0 {
            arguments.last_mut()?.push_str(token);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::to_cel;

    #[test]
    fn the_usual_conditions_are_translated() {
        let cases = [
            (
                r#"name == "a and b" and not IsMatch(attributes["x"], "^y, z")"#,
                r#"name == "a and b" && !attributes["x"].matches("^y, z")"#,
            ),
            (
                r#"attributes["a"] == nil or attributes["b"] != nil"#,
                r#"!("a" in attributes) || ("b" in attributes)"#,
            ),
            (
                r#"instrumentation_scope.name == "x" or kind == SPAN_KIND_SERVER"#,
                r#"scope.name == "x" || kind == SPAN_KIND_SERVER"#,
            ),
        ];
        for (ottl, cel) in cases {
            assert_eq!(to_cel(ottl).as_deref(), Some(cel));
        }
        assert_eq!(to_cel(r#"name == "x""#), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}", words in "(and|or|not|nil|IsMatch|==|\\[|\\]|\\(|\\)|\"|,| ){0,20}") {
            to_cel(&text);
            to_cel(&words);
        }
    }
}
