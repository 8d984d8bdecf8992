//! What one question may cost, and that it ends with whoever asked.

use super::{PATH, Scene};
use crate::harness::{Hub, eventually, refused};
use serde_json::json;
use std::{fs, net::TcpStream};

/// Takes longer than any test.
const ENDLESS: &str = "SELECT count(*) FROM range(99_999) a(i), range(99_999) b(j), range(99_999) c(k) WHERE (i + j * k) % 7 = 3";

/// The process that answers a question, if one does.
fn engine(hub: &Hub) -> Option<String> {
    let parent = format!(" {} ", hub.pid());
    let is_child = |name: &String| {
        // A process may end while it is looked at. Behind its name come its state and its parent.
        let stat = fs::read_to_string(format!("/proc/{name}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.get(1..).is_some_and(|rest| rest.starts_with(&parent)))
    };
    let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string());
    names.flatten().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).find(is_child)
}

/// Asks what takes for ever, and goes on holding the line.
fn ask_endless(scene: &Scene) -> TcpStream {
    let body = json!({"query": ENDLESS}).to_string();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        scene.viewer.token(),
        body.len()
    );
    scene.viewer.half_sent(head.as_bytes())
}

#[test]
fn rows_behind_the_limit_are_left_out_and_told_of() {
    let scene = Scene::set();
    for (limit, count, more) in [(None, 10_000, true), (Some(7), 7, true), (Some(100_000), 20_000, false)] {
        let mut body = json!({"query": "FROM range(20_000)"});
        if let Some(limit) = limit {
            body["limit"] = json!(limit);
        }
        let answer = scene.viewer.post(PATH, &body);
        assert_eq!(answer.header("x-pingup-more"), Some(if more { "true" } else { "false" }));
        let answer = answer.expect(200);
        assert_eq!((answer["rows"].as_array().unwrap().len(), &answer["more"]), (count, &json!(more)));
    }
    let body = json!({"query": "FROM range(200_000)", "limit": 100_000});
    assert_eq!(scene.viewer.post(PATH, &body).expect(200)["rows"].as_array().unwrap().len(), 100_000);
}

#[test]
fn an_answer_that_is_too_long_is_refused() {
    let scene = Scene::set();
    let problem = refused(&scene.ask("SELECT repeat('x', 1_000) FROM range(9_000)"), 422, "schema-invalid");
    assert!(problem["detail"].as_str().unwrap().contains("longer than 8388608 bytes"), "{problem}");
    assert_eq!(scene.ask("SELECT repeat('x', 1_000) FROM range(8_000)").status, 200);
}

#[test]
fn too_much_memory_is_told_with_what_to_do() {
    let scene = Scene::set();
    let query =
        "SELECT * FROM (SELECT random() r FROM range(20_000_000)) ORDER BY r LIMIT 1 OFFSET 10_000_000";
    let problem = refused(&scene.ask(query), 422, "schema-invalid");
    assert!(
        problem["detail"].as_str().unwrap().contains("more memory than one may; ask for less"),
        "{problem}"
    );
}

#[test]
fn a_question_out_of_time_is_ended() {
    let scene = Scene::set_for("1s");
    let problem = refused(&scene.ask(ENDLESS), 503, "overloaded");
    assert!(problem["detail"].as_str().unwrap().contains("took too long"), "{problem}");
    eventually("its engine has ended", || engine(&scene.hub).is_none().then_some(()));
    // A second may be short for anything on a machine that does other things too.
    eventually("another is answered", || (scene.ask("SELECT 1").status == 200).then_some(()));
}

/// One question that lasts longer than another waits for its turn, so that one is refused; when the first one's asker
/// hangs up, its engine ends and the next one is answered.
#[test]
fn one_at_a_time_and_it_ends_when_its_client_hangs_up() {
    let scene = Scene::set();
    let asking = ask_endless(&scene);
    eventually("its engine runs", || engine(&scene.hub));
    let busy = scene.ask("SELECT 1");
    refused(&busy, 503, "overloaded");
    assert!(busy.header("retry-after").is_some());
    drop(asking);
    eventually("its engine has ended", || engine(&scene.hub).is_none().then_some(()));
    scene.ask("SELECT 1").expect(200);
}

/// A hub that stops ends what is asked of it; one that is killed leaves no engine either.
#[test]
fn no_engine_outlives_its_hub() {
    let mut scene = Scene::set();
    let _asking = ask_endless(&scene);
    let engine = eventually("its engine runs", || engine(&scene.hub));
    scene.hub.kill();
    let is_gone = || {
        // What nobody has waited for yet has ended too.
        let state = fs::read_to_string(format!("/proc/{engine}/stat"));
        state.map_or(true, |state| state.contains(") Z "))
    };
    eventually("the engine has ended", || is_gone().then_some(()));
    scene.hub.restart();
}
