//! The examples of docs/sql.md, as they stand there.

use super::Scene;

#[test]
fn every_example_is_answered() {
    let scene = Scene::set();
    let told = include_str!("../../../../docs/sql.md");
    let examples: Vec<_> =
        told.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 10);
    for example in examples {
        let answer = scene.ask(example);
        assert_eq!(answer.status, 200, "{example}\n{}", answer.text());
        let answer = answer.json();
        assert!(!answer["columns"].as_array().unwrap().is_empty(), "{example}");
    }
}

/// Those that have something to tell of what these agents sent.
#[test]
fn examples_say_what_is_meant() {
    let scene = Scene::set();
    let told = include_str!("../../../../docs/sql.md");
    let rows = |of: &str| {
        let example = told.split("```sql\n").find(|example| example.contains(of)).unwrap();
        scene.rows(example.split("```").next().unwrap())
    };
    let busiest = rows("QUALIFY row_number() OVER (PARTITION BY agent_id ORDER BY mean DESC) = 1");
    assert_eq!((&busiest[0][0], &busiest[1][0]), (&"B".into(), &"A".into()), "{busiest}");
    let answering = rows("list_contains(host.ports, 22)");
    assert_eq!(answering, serde_json::json!([["A", "10.0.0.1", "router", 1.5]]));
    let most = rows("map_entries(further)");
    assert!(most.as_array().is_some_and(|rows| rows.len() <= 2), "{most}");
}
