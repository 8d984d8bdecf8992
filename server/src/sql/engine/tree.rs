//! What the parser read, looked through node by node: tables, functions, and kinds of nodes, each by its list.
//!
//! Names mean what they mean where they stand: a table that WITH names is seen in what follows it, if it is recursive in
//! its own second half too, and nowhere else, so that nobody reaches for a table of the engine's own under such a name.
//! Should DuckDB once see that otherwise: WITH cannot name what DuckDB finds by itself.

use crate::sql::views::View;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeSet, HashSet},
    sync::LazyLock,
};

/// Functions that a question may call. They make values of values: none reads or tells anything else.
static FUNCTIONS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("functions.txt").split_whitespace().chain(["unnest"]).collect());
/// Functions that may stand where a table does.
const TABLE_FUNCTIONS: [&str; 3] = ["unnest", "range", "generate_series"];
/// Kinds of expressions.
const EXPRESSIONS: [&str; 15] = [
    "BETWEEN",
    "CASE",
    "CAST",
    "COLLATE",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "LAMBDA",
    "OPERATOR",
    "POSITIONAL_REFERENCE",
    "STAR",
    "SUBQUERY",
    "WINDOW",
];
/// Kinds of what a SELECT is made of.
const PARTS: [&str; 18] = [
    "SELECT_NODE",
    "SET_OPERATION_NODE",
    "RECURSIVE_CTE_NODE",
    "CTE_NODE",
    "BASE_TABLE",
    "SUBQUERY",
    "JOIN",
    "TABLE_FUNCTION",
    "EMPTY",
    "EXPRESSION_LIST",
    "PIVOT",
    "ORDER_MODIFIER",
    "LIMIT_MODIFIER",
    "LIMIT_PERCENT_MODIFIER",
    "DISTINCT_MODIFIER",
    "ORDER_DEFAULT",
    "ASCENDING",
    "DESCENDING",
];
/// How the names of DuckDB's own tables begin.
const OWN_TABLES: [&str; 4] = ["duckdb_", "pg_", "pragma_", "sqlite_"];
/// Members that hold types, which are data.
const TYPES: [&str; 3] = ["cast_type", "expected_types", "type"];

type Node = Map<String, Value>;
type Read = Result<(), String>;

/// Reads trees.
pub(super) struct Reader<'a> {
    query: &'a str,
    views: BTreeSet<View>,
    /// Tables that WITH names, where they are seen.
    named: Vec<String>,
}

impl<'a> Reader<'a> {
    /// For the trees of `query`.
    pub(super) const fn new(query: &'a str) -> Self {
        Self { query, views: BTreeSet::new(), named: Vec::new() }
    }

    /// The views that were named.
    pub(super) fn into_views(self) -> BTreeSet<View> {
        self.views
    }

    /// Looks through a tree; what is wrong with it, if anything is.
    pub(super) fn read(&mut self, value: &Value) -> Read {
        match value {
            Value::Array(values) => values.iter().try_for_each(|value| self.read(value)),
            Value::Object(node) => self.node(node),
            _ => Ok(()),
        }
    }

    fn node(&mut self, node: &Node) -> Read {
        let seen = self.named.len();
        match (text(node, "class"), text(node, "type")) {
            ("", "") => {}
            ("", part) => self.part(part, node)?,
            (class, _) => self.expression(class, node)?,
        }
        self.with(node)?;
        for (member, value) in node {
            match (member.as_str(), text(node, "type")) {
                ("cte_map", _) => {}
                // Its name is of another list; what it is called with is not.
                ("function", "TABLE_FUNCTION") => self.members(value)?,
                // Read last: only there is the table that is being made known.
                ("right", "RECURSIVE_CTE_NODE") => {}
                ("value", _) if text(node, "class") == "CONSTANT" => {}
                (member, _) if TYPES.contains(&member) => {}
                _ => self.read(value)?,
            }
        }
        if text(node, "type") == "RECURSIVE_CTE_NODE" {
            self.named.push(folded(text(node, "cte_name")));
            node.get("right").map_or(Ok(()), |right| self.read(right))?;
        }
        self.named.truncate(seen);
        Ok(())
    }

    fn members(&mut self, value: &Value) -> Read {
        value.as_object().into_iter().flat_map(Map::values).try_for_each(|member| self.read(member))
    }

    /// Tables that WITH names: each is seen by those behind it, and by the node itself.
    fn with(&mut self, node: &Node) -> Read {
        let named = node.get("cte_map").and_then(|map| map["map"].as_array());
        for entry in named.into_iter().flatten() {
            let name = folded(entry["key"].as_str().unwrap_or_default());
            // A dot makes it a file's.
            if name.contains('.') || OWN_TABLES.iter().any(|own| name.starts_with(own)) {
                return Err(format!("WITH cannot name a table {name:?}; choose another name"));
            }
            self.read(&entry["value"])?;
            self.named.push(name);
        }
        Ok(())
    }

    fn part(&mut self, part: &str, node: &Node) -> Read {
        match part {
            "BASE_TABLE" => self.table(node),
            "TABLE_FUNCTION" => self.table_function(node),
            "SHOW_REF" => {
                Err("DESCRIBE, SHOW and SUMMARIZE are not answered here; docs/sql.md lists the columns"
                    .to_owned())
            }
            known if PARTS.contains(&known) => Ok(()),
            other => Err(format!("{other} is not allowed here")),
        }
    }

    fn table(&mut self, node: &Node) -> Read {
        let name = text(node, "table_name");
        let is_plain =
            text(node, "catalog_name").is_empty() && node.get("at_clause").is_none_or(Value::is_null);
        let schema = text(node, "schema_name");
        if is_plain && schema.is_empty() && self.named.contains(&folded(name)) {
            return Ok(());
        }
        match View::named(name).filter(|_| is_plain && matches!(schema, "" | "main")) {
            Some(view) => {
                self.views.insert(view);
                Ok(())
            }
            None => {
                let names = View::ALL.map(View::name).join(", ");
                Err(format!("there is no table {name:?}{}; there are {names}", self.place(node)))
            }
        }
    }

    fn expression(&self, class: &str, node: &Node) -> Read {
        match class {
            "FUNCTION" | "WINDOW" => self.function(node),
            "PARAMETER" => Err("the query has a parameter; write the value itself".to_owned()),
            known if EXPRESSIONS.contains(&known) => Ok(()),
            other => Err(format!("{other} is not allowed here{}", self.place(node))),
        }
    }

    fn function(&self, node: &Node) -> Read {
        let name = text(node, "function_name");
        let is_plain =
            matches!(text(node, "schema"), "" | "main") && matches!(text(node, "catalog"), "" | "system");
        match is_plain && (FUNCTIONS.contains(name) || FUNCTIONS.contains(&*folded(name))) {
            true => Ok(()),
            false => Err(format!("the function {name:?} is not allowed here{}", self.place(node))),
        }
    }

    fn table_function(&self, node: &Node) -> Read {
        let Some(called) = node.get("function").and_then(Value::as_object) else {
            return Err("a table function without a name".to_owned());
        };
        let name = folded(text(called, "function_name"));
        let is_plain = text(called, "schema").is_empty() && text(called, "catalog").is_empty();
        match is_plain && TABLE_FUNCTIONS.contains(&&*name) {
            true => Ok(()),
            false => Err(format!("the table function {name:?} is not allowed here{}", self.place(called))),
        }
    }

    /// Where in the query a node stands, if it says so: it counts bytes.
    fn place(&self, node: &Node) -> String {
        let bytes =
            node.get("query_location").and_then(Value::as_u64).and_then(|bytes| usize::try_from(bytes).ok());
        let before = bytes.and_then(|bytes| self.query.get(..bytes)).map(|before| before.chars().count());
        before.map_or_else(String::new, |before| format!(" (character {} of the query)", before + 1))
    }
}

/// A name as DuckDB compares it: it folds the letters of ASCII and no others.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn text<'a>(node: &'a Node, member: &str) -> &'a str {
    node.get(member).and_then(Value::as_str).unwrap_or_default()
}
