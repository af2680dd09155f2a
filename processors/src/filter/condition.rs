//! Conditions in CEL: compiled once, evaluated on every record.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::{CelBool, CelString};
use cel::parser::Macro;
use cel::{Context, Env, ExecutionError, Program, Value};
use regex::Regex;

use super::records::{Subject, Visible, constant};

/// The name under which `matches` is compiled: with the patterns kept.
const MATCHES: &str = "matchesKept";
/// Conditions hold a handful of patterns; only computed ones can be many.
const MOST_PATTERNS: usize = 256;

/// A compiled condition.
pub(super) struct Condition {
    source: String,
    program: Program,
    env: Arc<Env>,
}

/// Why a condition could not be evaluated on a record; without the record's data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the condition `{condition}` cannot be evaluated: {reason}")]
pub(super) struct EvaluationError {
    condition: String,
    reason: String,
}

/// The functions of conditions.
///
/// # Errors
/// If two of them have the same name, which a test would show.
pub(super) fn environment() -> Result<Arc<Env>, String> {
    let mut env = Env::stdlib();
    env.add_macro(Macro::receiver("matches", 1, |helper, target, arguments| {
        if let [IdedExpr { id, expr: Expr::Literal(LiteralValue::String(pattern)) }] = arguments.as_slice()
            && let Err(error) = Regex::new(pattern.inner())
        {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            return Err(helper.new_error(*id, format!("not a regular expression: {reason}")));
        }
        let (Some(target), Some(pattern)) = (target.take(), arguments.pop()) else { return Ok(None) };
        let call = CallExpr { func_name: MATCHES.to_owned(), target: None, args: vec![target, pattern] };
        Ok(Some(helper.next_expr(Expr::Call(call))))
    }))
    .map_err(|error| error.to_string())?;
    cel::add_overload!(env, fn matches_kept: (CelString<'_>, CelString<'_>) -> Result<CelBool>)
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(env))
}

thread_local! {
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
}

/// CEL's own `matches` compiles the pattern on every call.
fn matches_kept(text: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    PATTERNS.with_borrow_mut(|patterns| {
        if let Some(regex) = patterns.get(pattern.inner()) {
            return Ok(CelBool::from(regex.is_match(text.inner())));
        }
        let regex = Regex::new(pattern.inner())
            .map_err(|_| ExecutionError::function_error("matches", "not a regular expression"))?;
        let found = regex.is_match(text.inner());
        if patterns.len() >= MOST_PATTERNS {
            patterns.clear();
        }
        patterns.insert(pattern.inner().to_owned(), regex);
        Ok(CelBool::from(found))
    })
}

impl Condition {
    /// Compiles `source`, a condition about `subject`.
    ///
    /// # Errors
    /// If it is not CEL, or names what a record of this kind does not have; in words.
    pub(super) fn new(source: &str, subject: Subject, env: &Arc<Env>) -> Result<Self, String> {
        Self::compile(source, subject, env).map_err(|reason| {
            let translated = super::ottl::to_cel(source);
            match translated.filter(|cel| Self::compile(cel, subject, env).is_ok()) {
                Some(cel) => format!("`{source}` is OTTL, and conditions are written in CEL here: `{cel}`"),
                None => format!("`{source}` is not a condition in CEL: {reason}"),
            }
        })
    }

    fn compile(source: &str, subject: Subject, env: &Arc<Env>) -> Result<Self, String> {
        let program = env.compile(source).map_err(|errors| {
            let texts: Vec<_> = errors.errors.iter().map(|error| error.msg.clone()).collect();
            texts.join("; ")
        })?;
        let mut free = BTreeSet::new();
        free_variables(program.expression(), &mut Vec::new(), &mut free);
        let known: BTreeSet<_> = subject.variables().collect();
        if let Some(unknown) = free.iter().find(|name| !known.contains(*name) && constant(name).is_none()) {
            let all: Vec<_> = known.into_iter().collect();
            return Err(format!("there is no `{unknown}`; there are {}", all.join(", ")));
        }
        let known_functions = |name: &&str| {
            // Operators and macros have names that no one can write.
            name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_function(name)
        };
        if let Some(unknown) = program.references().functions().into_iter().find(known_functions) {
            return Err(format!("there is no function `{unknown}`"));
        }
        Ok(Self { source: source.to_owned(), program, env: Arc::clone(env) })
    }

    /// Whether the condition holds. One that needs a field that is not there does not hold.
    pub(super) fn holds(&self, record: &Visible<'_>) -> Result<bool, EvaluationError> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.set_variable_resolver(record);
        let reason = match Value::resolve_val(self.program.expression(), &context) {
            Ok(value) => match value.downcast_ref::<CelBool>() {
                Some(holds) => return Ok(*holds.inner()),
                None => format!("it gives a {}, not true or false", value.get_type().name()),
            },
            Err(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)) => return Ok(false),
            Err(ExecutionError::NoSuchOverload(error)) => error.to_string(),
            Err(ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_)) => {
                "division by zero".to_owned()
            }
            // Other errors quote values, which must not get into logs.
            Err(_) => "a value has a type that does not fit".to_owned(),
        };
        Err(EvaluationError { condition: self.source.clone(), reason })
    }
}

/// The functions of CEL's standard library, by the names one writes.
fn is_function(name: &str) -> bool {
    const FUNCTIONS: &[&str] = &[
        "bool",
        "bytes",
        "contains",
        "double",
        "duration",
        "dyn",
        "endsWith",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "hasValue",
        "in",
        "int",
        "matches",
        MATCHES,
        "max",
        "min",
        "none",
        "of",
        "ofNonZeroValue",
        "optMap",
        "or",
        "orValue",
        "size",
        "startsWith",
        "string",
        "timestamp",
        "type",
        "uint",
        "value",
    ];
    FUNCTIONS.contains(&name)
}

/// The variables that the condition takes from outside, without those of its own comprehensions.
fn free_variables<'e>(expr: &'e IdedExpr, bound: &mut Vec<&'e str>, free: &mut BTreeSet<&'e str>) {
    match &expr.expr {
        Expr::Ident(name) if !name.starts_with('@') && !bound.contains(&name.as_str()) => {
            free.insert(name);
        }
        Expr::Call(call) => {
            let all = call.target.iter().map(AsRef::as_ref).chain(&call.args);
            all.for_each(|expr| free_variables(expr, bound, free));
        }
        Expr::Select(select) => free_variables(&select.operand, bound, free),
        Expr::List(list) => list.elements.iter().for_each(|expr| free_variables(expr, bound, free)),
        Expr::Map(map) => map.entries.iter().for_each(|entry| entry_variables(&entry.expr, bound, free)),
        Expr::Struct(fields) => {
            fields.entries.iter().for_each(|entry| entry_variables(&entry.expr, bound, free));
        }
        Expr::Comprehension(comprehension) => {
            free_variables(&comprehension.iter_range, bound, free);
            free_variables(&comprehension.accu_init, bound, free);
            let outer = bound.len();
            bound.push(&comprehension.iter_var);
            bound.extend(comprehension.iter_var2.as_deref());
            bound.push(&comprehension.accu_var);
            free_variables(&comprehension.loop_cond, bound, free);
            free_variables(&comprehension.loop_step, bound, free);
            free_variables(&comprehension.result, bound, free);
            bound.truncate(outer);
        }
        _ => {}
    }
}

fn entry_variables<'e>(entry: &'e EntryExpr, bound: &mut Vec<&'e str>, free: &mut BTreeSet<&'e str>) {
    match entry {
        EntryExpr::StructField(field) => free_variables(&field.value, bound, free),
        EntryExpr::MapEntry(entry) => {
            free_variables(&entry.key, bound, free);
            free_variables(&entry.value, bound, free);
        }
    }
}
