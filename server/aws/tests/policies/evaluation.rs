//! A plain reading of IAM's rules, as far as our policies use them: a denial wins, and what nothing allows is refused.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    action: String,
    resource: String,
    context: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn new(action: &str, resource: &str) -> Self {
        Self { action: action.into(), resource: resource.into(), context: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.context.insert(key.into(), value.into());
        self
    }
}

/// Tells whether a policy allows it.
pub(crate) fn allows(policy: &Value, request: &Request) -> bool {
    let statements = policy["Statement"].as_array().unwrap();
    let applies = |effect: &str| {
        statements.iter().any(|statement| statement["Effect"] == effect && concerns(statement, request))
    };
    applies("Allow") && !applies("Deny")
}

fn concerns(statement: &Value, request: &Request) -> bool {
    let any = |key: &str, text: &str| one_or_many(&statement[key]).iter().any(|pattern| fits(pattern, text));
    any("Action", &request.action) && any("Resource", &request.resource) && holds(statement, request)
}

fn holds(statement: &Value, request: &Request) -> bool {
    let Some(conditions) = statement.get("Condition").and_then(Value::as_object) else { return true };
    conditions.iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, wanted)| {
            let given = request.context.get(key);
            let equal = |given: &String| one_or_many(wanted).contains(given);
            match operator.as_str() {
                "StringEquals" | "ArnEquals" | "Bool" => given.is_some_and(equal),
                // A key that is not there is not equal.
                "StringNotEquals" | "ArnNotEquals" => !given.is_some_and(equal),
                // Of no values, all are in any list.
                "ForAllValues:StringEquals" => given.is_none_or(equal),
                other => panic!("no test knows {other}"),
            }
        })
    })
}

pub(crate) fn one_or_many(value: &Value) -> Vec<String> {
    match value {
        Value::Array(many) => many.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    }
}

/// Tells whether a text fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[test]
fn patterns_fit_as_iam_reads_them() {
    assert!(fits("a*c", "abc") && fits("a*", "a") && fits("*", "") && fits("a*b*c", "axbyc"));
    assert!(!fits("a*c", "abd") && !fits("abc", "abcd") && !fits("a*b*c", "acb"));
}
