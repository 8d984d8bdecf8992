//! What a request of Prometheus's API asks with: parameters from the URL and from a form, each read as Prometheus
//! reads it, and refused in its words. What it does not know, it leaves alone.

use crate::{
    auth::PlainBody,
    http::{envelope::Complaint, form::Form, pack},
};
use axum::extract::FromRequestParts;
use http::request::Parts;
use pingup_promql::{MOMENT_MS_MAX, Matcher, Steps, parse_duration_ms, parse_selector};
use pingup_protocol::time::Timestamp;

/// Selectors of one question (`match[]`).
pub const SELECTORS_MAX: usize = 64;
/// Steps of a range query behind its first, as in Prometheus.
const STEPS_MAX: i64 = 11_000;

/// The ends of time, in the words in which Prometheus's clients write "since ever" and "for ever".
const FIRST_MOMENT: &str = "-292273086-05-16T16:47:06Z";
const LAST_MOMENT: &str = "+292277025-08-18T07:12:54.999999999Z";

/// A request's parameters.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    form: Form,
    /// The asker takes gzip.
    pub gzip: bool,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Complaint;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Complaint> {
        let body = parts.extensions.remove::<PlainBody>();
        let body = body.as_ref().map_or(&[][..], |body| &body.0);
        Self::read(body, parts.uri.query().unwrap_or_default(), pack::takes_gzip(&parts.headers))
    }
}

impl Asked {
    fn read(body: &[u8], query: &str, gzip: bool) -> Result<Self, Complaint> {
        let form = Form::read(body, query.as_bytes())
            .map_err(|error| Complaint::bad_data(format!("error parsing form values: {error}")))?;
        Ok(Self { form, gzip })
    }

    /// The text of a parameter; an empty one counts as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.form.text(name)
    }

    /// A query. None is a query too: one that cannot be read.
    pub fn query(&self) -> String {
        self.text("query").unwrap_or_default().to_owned()
    }

    /// A moment in milliseconds. What lies beyond all moments is the last or the first of them.
    pub fn moment(&self, name: &str) -> Result<Option<i64>, Complaint> {
        let read = |text: &str| {
            moment(text).ok_or_else(|| {
                Complaint::parameter(name, &format_args!("cannot parse {text:?} to a valid timestamp"))
            })
        };
        self.text(name).map(read).transpose()
    }

    /// The first and the last moment that are asked about, in milliseconds: all of time where nothing is said.
    pub fn stretch(&self) -> Result<(i64, i64), Complaint> {
        let first = self.moment("start")?.unwrap_or(-MOMENT_MS_MAX);
        let last = self.moment("end")?.unwrap_or(MOMENT_MS_MAX);
        Ok((first, last))
    }

    /// A duration in milliseconds.
    pub fn duration_ms(&self, name: &str) -> Result<Option<i64>, Complaint> {
        let read = |text| parse_duration_ms(text).map_err(|error| Complaint::parameter(name, &error));
        self.text(name).map(read).transpose()
    }

    /// The steps of a range query.
    pub fn steps(&self) -> Result<Steps, Complaint> {
        let missing = |name| Complaint::parameter(name, &"cannot parse \"\" to a valid timestamp");
        let start_ms = self.moment("start")?.ok_or_else(|| missing("start"))?;
        let end_ms = self.moment("end")?.ok_or_else(|| missing("end"))?;
        if end_ms < start_ms {
            return Err(Complaint::parameter("end", &"end timestamp must not be before start time"));
        }
        let below_zero = |text: &str| text.parse().is_ok_and(|step: f64| step < 0.0);
        let step_ms = match self.text("step") {
            Some(text) if below_zero(text) => 0,
            Some(_) => self.duration_ms("step")?.unwrap_or_default(),
            None => return Err(Complaint::parameter("step", &"cannot parse \"\" to a valid duration")),
        };
        if step_ms <= 0 {
            let text =
                "zero or negative query resolution step widths are not accepted. Try a positive integer";
            return Err(Complaint::parameter("step", &text));
        }
        if (end_ms - start_ms) / step_ms > STEPS_MAX {
            return Err(Complaint::bad_data(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
                 (?step=XX)",
            ));
        }
        Ok(Steps { start_ms, end_ms, step_ms })
    }

    /// How many to answer with; nothing for as many as there are, which is also what 0 stands for.
    pub fn limit(&self) -> Result<Option<usize>, Complaint> {
        let Some(text) = self.text("limit") else { return Ok(None) };
        let limit: i64 = text.parse().map_err(|_| {
            Complaint::parameter("limit", &format_args!("cannot parse {text:?} to a whole number"))
        })?;
        match usize::try_from(limit) {
            Ok(limit) => Ok((limit > 0).then_some(limit)),
            Err(_) => Err(Complaint::parameter("limit", &"limit must be non-negative")),
        }
    }

    /// Selectors: a series counts that fulfils any of them.
    pub fn selectors(&self) -> Result<Vec<Vec<Matcher>>, Complaint> {
        let mut selectors = Vec::new();
        for text in self.form.all("match[]") {
            if selectors.len() == SELECTORS_MAX {
                return Err(Complaint::parameter("match[]", &format_args!("more than {SELECTORS_MAX}")));
            }
            selectors.push(parse_selector(text).map_err(|error| Complaint::parameter("match[]", &error))?);
        }
        Ok(selectors)
    }
}

/// Seconds since 1970, or RFC 3339; in milliseconds.
fn moment(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let most = MOMENT_MS_MAX as f64;
        // Within the bound, which a float holds exactly.
        return seconds.is_finite().then(|| (seconds * 1000.0).round().clamp(-most, most) as i64);
    }
    match text {
        FIRST_MOMENT => Some(-MOMENT_MS_MAX),
        LAST_MOMENT => Some(MOMENT_MS_MAX),
        // A plus that was not percent-encoded arrives as a space.
        _ => Some(Timestamp::parse(&text.replace(' ', "+")).ok()?.as_micros().div_euclid(1000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::envelope::ErrorType;

    fn asked(query: &str) -> Asked {
        Asked::read(b"", query, false).unwrap()
    }

    fn text<T: std::fmt::Debug>(refused: Result<T, Complaint>) -> String {
        let Err(Complaint::Error(ErrorType::BadData, text)) = refused else { panic!("{refused:?}") };
        text
    }

    #[test]
    fn moments_are_seconds_or_dates() {
        for (written, milliseconds) in [
            ("4", 4_000),
            ("1713941445.123", 1_713_941_445_123),
            ("-1.5", -1_500),
            ("1.0005", 1_001),
            // Milliseconds as if they were seconds: Grafana's probe for exemplars.
            ("1763216880000", 1_763_216_880_000_000),
            ("1e300", MOMENT_MS_MAX),
            ("-9223372036854775.808", -MOMENT_MS_MAX),
            ("2026-02-25T10:00:00.5Z", 1_772_013_600_500),
            ("2026-02-25T11:00:00%2B01:00", 1_772_013_600_000),
            ("2026-02-25T11:00:00+01:00", 1_772_013_600_000),
            ("-292273086-05-16T16:47:06Z", -MOMENT_MS_MAX),
            ("%2B292277025-08-18T07:12:54.999999999Z", MOMENT_MS_MAX),
        ] {
            let moment = asked(&format!("time={written}")).moment("time").unwrap();
            assert_eq!(moment, Some(milliseconds), "{written}");
        }
        assert_eq!(asked("time=&x=1").moment("time").unwrap(), None);
        for wrong in ["now", "NaN", "inf", "10:00", "2026-02-25"] {
            assert_eq!(
                text(asked(&format!("time={wrong}")).moment("time")),
                format!("invalid parameter \"time\": cannot parse \"{wrong}\" to a valid timestamp")
            );
        }
    }

    #[test]
    fn steps_hold_to_prometheuss_rules() {
        let steps = asked("start=0&end=11000&step=1").steps().unwrap();
        assert_eq!(steps, Steps { start_ms: 0, end_ms: 11_000_000, step_ms: 1_000 });
        assert_eq!(asked("start=0&end=60&step=1m30s").steps().unwrap().step_ms, 90_000);
        for (query, said) in [
            ("start=0&end=11001&step=1", "exceeded maximum resolution of 11,000 points per timeseries"),
            (
                "start=2&end=1&step=1",
                "invalid parameter \"end\": end timestamp must not be before start time",
            ),
            ("start=0&end=1&step=0", "invalid parameter \"step\": zero or negative query resolution"),
            ("start=0&end=1&step=-5", "invalid parameter \"step\": zero or negative query resolution"),
            ("start=0&end=1&step=0.0001", "invalid parameter \"step\": zero or negative query resolution"),
            ("start=0&end=1&step=5q", "invalid parameter \"step\": cannot parse \"5q\" to a valid duration"),
            ("start=0&end=1", "invalid parameter \"step\": cannot parse \"\" to a valid duration"),
            ("end=1&step=1", "invalid parameter \"start\": cannot parse \"\" to a valid timestamp"),
            ("start=1&step=1", "invalid parameter \"end\": cannot parse \"\" to a valid timestamp"),
        ] {
            let said_here = text(asked(query).steps());
            assert!(said_here.starts_with(said), "{query}: {said_here}");
        }
    }

    #[test]
    fn limits_and_selectors() {
        assert_eq!(asked("limit=0").limit().unwrap(), None);
        assert_eq!(asked("").limit().unwrap(), None);
        assert_eq!(asked("limit=40000").limit().unwrap(), Some(40_000));
        assert!(text(asked("limit=-1").limit()).contains("limit must be non-negative"));
        assert!(text(asked("limit=x").limit()).starts_with("invalid parameter \"limit\""));

        let one = "match[]=%7B__name__%3D~%22.%2B%22,%7D";
        assert_eq!(asked(&format!("{one}&{one}")).selectors().unwrap().len(), 2);
        assert!(text(asked("match[]=%7B%7D").selectors()).starts_with("invalid parameter \"match[]\": "));
        let many = |count| vec!["match[]=up"; count].join("&");
        assert_eq!(asked(&many(SELECTORS_MAX)).selectors().unwrap().len(), SELECTORS_MAX);
        assert!(text(asked(&many(SELECTORS_MAX + 1)).selectors()).contains("more than 64"));
        assert!(text(Asked::read(b"query=%zz", "", false)).contains("invalid URL escape \"%zz\""));
    }
}
