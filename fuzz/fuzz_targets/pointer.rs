//! JSON by pointers, read and written: what serde_json finds at a pointer is there, and nothing else is
//! changed. The first line is a document, the second a pointer, each further one a pointer that is set.
#![no_main]

use evrim::fuzzing::{body, text_at};
use evrim::{Node, Request};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &str| {
    let mut lines = input.split('\n');
    let document = lines.next().unwrap_or_default();
    let pointer = lines.next().unwrap_or_default();
    read(document, pointer);

    let mut request = Request::default();
    if !document.is_empty() {
        let result = request.set_json("", document.as_bytes());
        let is_json = harness::json(document.as_bytes()).is_some();
        assert_eq!(result.is_ok(), is_json, "{document}");
    }
    for (number, pointer) in std::iter::once(pointer).chain(lines).take(64).enumerate() {
        write(&mut request, pointer, number);
    }
});

fn read(document: &str, pointer: &str) {
    let theirs = harness::json(document.as_bytes());
    let ours = Node::parse(document.as_bytes());
    assert_eq!(ours.is_some(), theirs.is_some(), "{document}");
    if theirs.is_none() {
        return;
    }
    let theirs = theirs.as_ref().and_then(|all| all.pointer(pointer));
    let ours = ours.as_ref().and_then(|all| all.pointer(pointer));
    assert_eq!(ours.is_some(), theirs.is_some(), "{document} {pointer}");
    let text = text_at(document.as_bytes(), pointer);
    assert_eq!(text.is_some(), theirs.is_some(), "{document} {pointer}");
    let (Some(ours), Some(theirs), Some(text)) = (ours, theirs, text) else {
        return;
    };
    same(ours, theirs);
    let again = harness::json(text.as_bytes());
    assert_eq!(again.as_ref(), Some(theirs), "the text of a value is JSON");
    harness::planted(theirs.as_u64().is_some_and(|number| number > 9));
}

fn same(ours: &Node, theirs: &Value) {
    match (ours, theirs) {
        (Node::Null, Value::Null) => {}
        (Node::Bool(ours), Value::Bool(theirs)) => assert_eq!(ours, theirs),
        (Node::Int(ours), Value::Number(theirs)) => assert_eq!(Some(*ours), theirs.as_i64()),
        (Node::Double(ours), Value::Number(theirs)) => {
            assert_eq!(theirs.as_i64(), None);
            assert_eq!(Some(*ours), theirs.as_f64());
        }
        (Node::Text(ours), Value::String(theirs)) => {
            assert_eq!(ours.as_str(), theirs);
            assert_eq!(ours.as_c_str().is_none(), theirs.contains('\0'));
        }
        (Node::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            ours.iter()
                .zip(theirs)
                .for_each(|(ours, theirs)| same(ours, theirs));
        }
        (Node::Object(ours), Value::Object(theirs)) => {
            // A name that comes twice counts as its last.
            for (name, value) in theirs {
                let last = ours.iter().rev().find(|(own, _)| own.as_str() == name);
                same(&last.expect("a member").1, value);
            }
            assert!(
                ours.iter()
                    .all(|(own, _)| theirs.contains_key(own.as_str()))
            );
        }
        _ => panic!("{} is not {theirs}", ours.kind()),
    }
}

fn value(request: &Request) -> Option<Value> {
    let bytes = body(request).expect("what was set is JSON")?;
    Some(harness::json(&bytes).expect("and so is the body"))
}

fn write(request: &mut Request, pointer: &str, number: usize) {
    let before = value(request);
    match request.set(pointer, number.into()) {
        Ok(()) => {
            let after = value(request).expect("a body");
            // "-" named the place behind the last item, which is the last item now.
            let found = at(&after, pointer);
            assert_eq!(found, Some(&Value::from(number)), "{pointer} in {after}");
            let before = before.unwrap_or(Value::Null);
            assert!(
                others_are_kept(&before, &after, pointer),
                "{pointer}: {before} {after}"
            );
        }
        Err(error) => {
            assert!(!error.message().contains('\n'));
            assert_eq!(
                value(request),
                before,
                "a pointer that is refused changes nothing"
            );
        }
    }
}

fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() {
        return Some(value);
    }
    let tokens = pointer.strip_prefix('/')?.split('/');
    tokens
        .into_iter()
        .try_fold(value, |value, token| match value {
            Value::Array(items) if token == "-" => items.last(),
            Value::Array(items) => items.get(token.parse::<usize>().ok()?),
            Value::Object(members) => members.get(&token.replace("~1", "/").replace("~0", "~")),
            _ => None,
        })
}

/// Whether all that does not lie on the way is as it was.
fn others_are_kept(before: &Value, after: &Value, pointer: &str) -> bool {
    if pointer.is_empty() || before.is_null() {
        return true;
    }
    let rest = pointer.strip_prefix('/').expect("it was accepted");
    let (token, rest) = match rest.split_once('/') {
        Some((token, _)) => (token, &rest[token.len()..]),
        None => (rest, ""),
    };
    match (before, after) {
        (Value::Array(before), Value::Array(after)) => {
            let place = token.parse().unwrap_or(before.len());
            after.len() == before.len().max(place + 1)
                && before
                    .iter()
                    .zip(after)
                    .enumerate()
                    .all(|(index, (before, after))| match index == place {
                        true => others_are_kept(before, after, rest),
                        false => before == after,
                    })
        }
        (Value::Object(before), Value::Object(after)) => {
            let name = token.replace("~1", "/").replace("~0", "~");
            let grown = usize::from(!before.contains_key(&name));
            after.len() == before.len() + grown
                && before.iter().all(|(key, before)| match key == &name {
                    true => others_are_kept(before, &after[key], rest),
                    false => after.get(key) == Some(before),
                })
        }
        _ => false,
    }
}
