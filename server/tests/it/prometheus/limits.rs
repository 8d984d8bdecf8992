//! What one question may cost, and that it ends with whoever asked.

use super::{FORM, Scene, data, encode, failed};
use crate::harness::{Hub, eventually};
use pingup_protocol::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX};
use pingup_server::prometheus::handler::SELECTORS_MAX;
use serde_json::json;

#[test]
fn every_limit_is_told_by_its_name() {
    let scene = Scene::set();
    let long = format!("query={}", "x".repeat(BODY_BYTES_MAX));
    failed(&scene.post("query", &long), 413, "bad_data");
    let query = format!("query={}", "x".repeat(65 * 1024));
    failed(&scene.post("query", &query), 400, "bad_data");
    let selectors = |count| vec!["match[]=up"; count].join("&");
    assert_eq!(data(&scene.post("series", &selectors(SELECTORS_MAX))), json!([]));
    failed(&scene.post("series", &selectors(SELECTORS_MAX + 1)), 400, "bad_data");

    let steps = |end: i64| scene.get(&format!("query_range?query=1&start=0&end={end}&step=1"));
    let points = data(&steps(11_000))["result"][0]["values"].as_array().unwrap().len();
    assert_eq!(points, 11_001);
    let said = failed(&steps(11_001), 400, "bad_data");
    assert!(said.starts_with("exceeded maximum resolution of 11,000 points per timeseries"), "{said}");

    let much = encode("count_over_time(vector(time())[100d:1s])");
    let said = failed(&scene.get(&format!("query?query={much}")), 422, "execution");
    assert!(said.contains("would load too many samples"), "{said}");

    let none = encode("sum(pingup_cpu_percent)");
    let said = failed(&scene.get(&format!("query?query={none}&timeout=0")), 503, "timeout");
    assert_eq!(said, "query timed out in expression evaluation");
}

/// What is asked by GET has the room of a head; a form has more, and Grafana sends one.
#[test]
fn many_selectors_fit_a_head_up_to_its_bound_and_a_form_beyond() {
    let scene = Scene::set();
    // One with what two selectors of the dashboards are long, and the next one.
    let selectors = |count: usize, bytes: usize| {
        let one = format!("match[]={}", encode(&format!("{{agent_id=\"{}\"}}", "x".repeat(bytes))));
        vec![one; count].join("&")
    };
    let (fits, beyond) = (selectors(60, 200), selectors(60, 300));
    assert!(fits.len() < HEADER_BYTES_MAX - 512 && beyond.len() > HEADER_BYTES_MAX, "{}", fits.len());
    for path in ["labels", "series"] {
        assert_eq!(data(&scene.get(&format!("{path}?{fits}"))), json!([]));
        failed(&scene.get(&format!("{path}?{beyond}")), 431, "bad_data");
        assert_eq!(data(&scene.post(path, &beyond)), json!([]));
    }
}

#[test]
fn limits_of_answers_cut_them_and_say_so() {
    let scene = Scene::set();
    let at = scene.begin + 600;
    let cut = ["results truncated due to limit"];
    let all = encode("{__name__!=\"\"}");
    for (path, most) in [
        (format!("query?query=pingup_cpu_percent&time={at}"), 2),
        ("labels?".to_owned(), 4),
        ("label/agent_id/values?".to_owned(), 2),
        (format!("series?match[]={all}&end={at}"), 2 * 4),
    ] {
        let asked = |limit: usize| scene.get(&format!("{path}&limit={limit}")).expect(200);
        let count = |answer: &serde_json::Value| {
            let items = answer["data"].as_array().or(answer["data"]["result"].as_array());
            items.unwrap().len()
        };
        let (one, whole) = (asked(1), asked(0));
        assert_eq!((count(&one), &one["warnings"]), (1, &json!(cut)), "{path}");
        assert!(count(&whole) >= most && whole.get("warnings").is_none(), "{path}: {whole}");
        assert_eq!(count(&asked(count(&whole))), count(&whole), "{path}");
    }
}

#[test]
fn what_a_query_cost_is_told_when_asked() {
    let scene = Scene::set();
    let path = format!("query?query=pingup_cpu_percent&time={}", scene.begin + 600);
    assert_eq!(data(&scene.get(&path)).get("stats"), None);
    let stats = data(&scene.get(&format!("{path}&stats=all")))["stats"].clone();
    assert!(stats["samples"]["totalQueryableSamples"].as_u64().unwrap() >= 2, "{stats}");
    assert!(stats["timings"]["evalTotalTime"].is_f64(), "{stats}");
}

/// Questions that are answered at once.
const TURNS: usize = 2;

/// A query that reads nothing and computes for longer than another waits for its turn: medians of long windows, again
/// and again, within every limit but that of time.
fn endless() -> String {
    let median = "quantile_over_time(0.5, vector(time())[2h:1s])";
    format!("query={}&start=0&end=36000&step=3.3", encode(&vec![median; 30].join("+")))
}

/// Queries that last longer than another waits for its turn take all turns, so that one more is refused. When those
/// who asked hang up, it is answered.
#[test]
fn a_query_ends_when_its_client_hangs_up() {
    let hub = Hub::start();
    let viewer = hub.operator("viewer");
    let form = endless();
    let head = format!(
        "POST /prometheus/api/v1/query_range HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\n{}: {}\r\n\
         content-length: {}\r\n\r\n{form}",
        viewer.token(),
        FORM.0,
        FORM.1,
        form.len()
    );
    let asking: Vec<_> = (0..TURNS).map(|_| viewer.half_sent(head.as_bytes())).collect();
    let ask = || viewer.get("/prometheus/api/v1/query?query=1&time=4");
    let refused = eventually("all turns are taken", || Some(ask()).filter(|answer| answer.status == 503));
    failed(&refused, 503, "unavailable");
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(asking);
    assert_eq!(data(&ask())["result"], json!([4, "1"]));
}
