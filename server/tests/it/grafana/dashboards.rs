//! The dashboards as they stand in `deploy/grafana/dashboards`.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folder of what is delivered beside the programs.
pub fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// Every dashboard, in the order of their names.
pub fn all() -> Vec<Value> {
    let folder = deploy().join("grafana/dashboards");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// The dashboard of this id.
pub fn of(uid: &str) -> Value {
    all().into_iter().find(|board| board["uid"] == uid).unwrap()
}

fn read(path: &Path) -> Value {
    let board: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    assert_eq!(board["uid"], name, "a file is called as its dashboard's id");
    board
}

/// What stands in a list; nothing where there is no list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The panels of a dashboard.
pub fn panels(board: &Value) -> &[Value] {
    list(&board["panels"])
}

/// Its variables.
pub fn variables(board: &Value) -> &[Value] {
    list(&board["templating"]["list"])
}

/// Every expression of its panels, and whether it is asked for one moment only.
pub fn expressions(board: &Value) -> Vec<(&str, bool)> {
    let targets = panels(board).iter().flat_map(|panel| list(&panel["targets"]));
    targets.map(|target| (text(&target["expr"]), target["instant"] == true)).collect()
}

/// A text; empty where there is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn the_dashboards_are_told_apart_and_each_panel_has_its_place() {
    let boards = all();
    let uids: Vec<&str> = boards.iter().map(|board| text(&board["uid"])).collect();
    assert_eq!(uids, ["pingup-agent", "pingup-discovery", "pingup-fleet", "pingup-hub"]);
    for board in &boards {
        assert_eq!((&board["schemaVersion"], &board["tags"][0]), (&39.into(), &"pingup".into()));
        let mut taken = std::collections::BTreeSet::new();
        for (place, panel) in panels(board).iter().enumerate() {
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert_eq!(panel["id"], place + 1, "{}", panel["title"]);
            assert!(at("x") + at("w") <= 24, "{} is wider than the page", panel["title"]);
            for cell in
                (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
            {
                assert!(taken.insert(cell), "{} lies on another", panel["title"]);
            }
        }
    }
}
