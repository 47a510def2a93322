//! The description of the API that is committed is the one that the code gives, and every path of it is served.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::Value;
use std::path::Path;
use tenor_node::api::{CODES, openapi};

#[test]
fn the_committed_description_is_the_code_s() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let now = serde_json::to_string_pretty(&openapi()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, now, "{} is old; UPDATE_GOLDEN=1 writes it", path.display());
}

/// A schema as a type of TypeScript.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap().into();
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        return ways.iter().map(type_of).collect::<Vec<_>>().join(" | ");
    }
    if let Some(literals) = schema["enum"].as_array() {
        return literals.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    let one = |name: &str| match name {
        "string" => "string".to_string(),
        "integer" | "number" => "number".into(),
        "boolean" => "boolean".into(),
        "null" => "null".into(),
        "array" => format!("Array<{}>", type_of(&schema["items"])),
        "object" if schema["properties"].is_object() => format!("{{\n{}}}", fields_of(schema)),
        "object" => match &schema["additionalProperties"] {
            Value::Object(of) if !of.is_empty() => {
                format!("{{ [name: string]: {} }}", type_of(&schema["additionalProperties"]))
            }
            _ => "{ [name: string]: unknown }".into(),
        },
        other => panic!("no type for {other}"),
    };
    match &schema["type"] {
        Value::String(name) => one(name),
        Value::Array(names) => {
            names.iter().map(|name| one(name.as_str().unwrap())).collect::<Vec<_>>().join(" | ")
        }
        _ => "unknown".into(),
    }
}

fn fields_of(schema: &Value) -> String {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let field = |(name, schema): (&String, &Value)| {
        let doc = schema["description"].as_str();
        let doc = doc.map_or(String::new(), |doc| format!("  /** {} */\n", doc.replace('\n', " ")));
        let may_lack = if required.contains(&name.as_str()) { "" } else { "?" };
        format!("{doc}  {name}{may_lack}: {};\n", type_of(schema))
    };
    schema["properties"].as_object().unwrap().iter().map(field).collect()
}

/// What the API takes and answers, as types of TypeScript.
fn typescript(document: &Value) -> String {
    let mut text = String::from(
        "// Made of the node's OpenAPI document: `UPDATE_GOLDEN=1 cargo test -p tenor-node --test openapi` writes it anew.\n",
    );
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let doc = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
        text += &format!("\n/** {doc} */\nexport type {name} = {};\n", type_of(schema));
    }
    text += "\n/** What each path answers when all is well. */\nexport interface Answers {\n";
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let good = operation["responses"].as_object().unwrap();
            let schemas = good.iter().filter(|(status, _)| status.starts_with('2'));
            let mut types: Vec<String> = schemas
                .filter_map(|(_, response)| {
                    response["content"].get("application/json").map(|content| type_of(&content["schema"]))
                })
                .collect();
            types.dedup();
            if !types.is_empty() {
                let method = method.to_uppercase();
                text += &format!("  \"{method} {path}\": {};\n", types.join(" | "));
            }
        }
    }
    text + "}\n"
}

#[test]
fn the_types_of_the_client_are_the_description_s() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/ts/src/api.ts");
    let now = typescript(&openapi());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, now, "{} is old; UPDATE_GOLDEN=1 writes it", path.display());
}

#[test]
fn every_answer_in_json_is_a_named_schema() {
    let document = openapi();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                for (media, content) in response["content"].as_object().into_iter().flatten() {
                    let named = content["schema"]["$ref"].is_string();
                    assert_eq!(named, media.ends_with("json"), "{method} {path} {status} {media}");
                }
            }
        }
    }
}

#[test]
fn every_operation_says_what_it_is_and_answers() {
    let document = openapi();
    assert_eq!(document["openapi"].as_str().unwrap().get(..3), Some("3.1"));
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            count += 1;
            let text = |name: &str| operation[name].as_str().unwrap_or_default().to_string();
            assert!(!text("operationId").is_empty(), "{method} {path}");
            assert!(!(text("summary") + &text("description")).is_empty(), "{method} {path}");
            assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()), "{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let in_path = parameter["in"] == "path";
                let name = parameter["name"].as_str().unwrap();
                assert_eq!(in_path, path.contains(&format!("{{{name}}}")), "{path}: {name}");
            }
        }
    }
    assert!(count >= 30, "{count} operations");
    assert_eq!(document["components"]["schemas"]["PrepareAsked"]["additionalProperties"], Value::Bool(false));
}

#[test]
fn kinds_of_problems_are_told_apart() {
    for (place, code) in CODES.iter().enumerate() {
        assert!((400..600).contains(&code.status) && code.doc.ends_with('.') && !code.title.ends_with('.'));
        assert!(CODES[..place].iter().all(|other| other.name != code.name), "{}", code.name);
        assert!(code.retry == [408, 429, 500, 503].contains(&code.status), "{}", code.name);
    }
}
